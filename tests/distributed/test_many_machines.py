"""The code of the page about many machines, run by two processes of which one is killed."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone
from test_docs import blocks

from p2pselect import P2PClassifier, SuperpixelTransformer, datasets, load, presets

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/how-to/many-machines.md"
START, SEARCH, WORKS, WRITE, JOB, READ, RAY, _ = (code for code, _ in blocks(PAGE))
#: Smaller images and partitions than those of the page.
SMALLER = {"224": "32", "1000": "4"}
#: The process that explains one of the images is killed before it has written anything, the
#: first time.  Rows tell which process they are from.
DIES = """
import os

whole = explained

def explained(paths, model):
    table = whole(paths, model)
    if any("11.jpg" in path for path in paths) and not killed.exists():
        killed.write_text(str(os.getpid()))
        os._exit(1)
    return table.assign(process=os.getpid())
"""
#: Who loads the model notes it.
NOTES = """
original = load

def load(folder):
    with loads.open("a") as file:
        print(os.getpid(), file=file)
    return original(folder)
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with photographs, one of them damaged, and a model, and the names there are."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cluster")
        patch.chdir(folder)
        patch.setenv("DASK_TEMPORARY_DIRECTORY", str(folder / "dask"))
        scenes = datasets.make_digit_scenes(22, 32, random_state=0)
        Path("photos").mkdir()
        for i, image in enumerate(scenes.images):
            Image.fromarray(image).save(f"photos/{i:02}.jpg")
        Path("photos/05.jpg").write_bytes(b"no picture")
        tiny = {"image_size": 32, "max_epochs": 1, "objective__warmup_epochs": 0}
        clf = P2PClassifier().set_params(**{**presets.SMALL, **tiny}, random_state=0)
        X, y = scenes.images, scenes.target % 2
        clone(clf).fit(X, y).save("leaves.model")
        names = {name: folder / name for name in ("killed", "loads")}
        yield {"__name__": "__main__", **names, "clf": clf, "X": X, "y": y}


def run(code, names):
    for old, new in SMALLER.items():
        code = code.replace(old, new)
    exec(compile(code, PAGE.name, "exec"), names)


@pytest.fixture(scope="module")
def cluster(work):
    """The names after the first block of the page: a cluster of two processes."""
    pytest.importorskip("distributed", reason="dask is not installed")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    run(START, work)
    yield work
    work["client"].close()
    work["cluster"].close()


@pytest.fixture(scope="module")
def tables(cluster):
    """What the cluster has written, a process of which was killed, and what one alone says."""
    imports, empty, job = JOB.partition("\n\npaths")
    for code in (WORKS, DIES, WRITE, imports, NOTES, empty + job):
        run(code, cluster)
    assert cluster["killed"].is_file()
    paths, model = cluster["paths"], load("leaves.model")
    alone = {
        "regions": cluster["divided"](paths, SuperpixelTransformer(n_segments=100)),
        "answers": cluster["answered"](paths, model),
        "explanations": cluster["whole"](paths, model),
    }
    return {name: (pd.read_parquet(name), alone[name]) for name in alone}


def same(found, alone):
    """Whether two tables say the same, up to rounding."""
    pd.testing.assert_frame_equal(found[alone.columns], alone, check_dtype=False, atol=1e-5)


@pytest.mark.slow
def test_a_killed_process_loses_nothing_and_doubles_nothing(tables, cluster):
    readable = [path for path in cluster["paths"] if "05.jpg" not in path]
    assert len(readable) == 21
    for found, alone in tables.values():
        assert found["image"].tolist() == readable
        same(found, alone)
    files = sorted(path.name for path in Path("explanations").iterdir())
    assert files == [f"part.{number}.parquet" for number in range(6)]
    found, _ = tables["explanations"]
    again = found.loc[found["image"].str.contains("11.jpg"), "process"].item()
    assert again != int(cluster["killed"].read_text())


@pytest.mark.slow
def test_the_model_is_loaded_once_and_again_if_it_is_lost(tables, cluster):
    """It is asked for 14 times: by 6 partitions and for the columns, of each of two tables."""
    assert 1 <= len(cluster["loads"].read_text().splitlines()) <= 2


@pytest.mark.slow
def test_masks_come_back(tables, cluster):
    run(READ, cluster)
    explanation = load("leaves.model").explain(cluster["paths"][:1])
    np.testing.assert_array_equal(cluster["mask"], explanation.pixel_masks[0])


@pytest.mark.slow
def test_a_grid_search_finds_the_same(cluster):
    run(SEARCH, cluster)
    found = cluster["search"]
    alone = clone(found).set_params(n_jobs=None).fit(cluster["X"], cluster["y"])
    for name in ("mean_test_score", "std_test_score"):
        np.testing.assert_allclose(found.cv_results_[name], alone.cv_results_[name], atol=1e-6)


@pytest.mark.slow
def test_ray_writes_the_same(tables, cluster):
    ray = pytest.importorskip("ray", reason="ray is not installed")
    cluster["explained"] = cluster["whole"]
    ray.init(num_cpus=2, include_dashboard=False)
    try:
        run(RAY, cluster)
    finally:
        ray.shutdown()
    found = pd.read_parquet("explanations-ray").sort_values("image", ignore_index=True)
    same(found, tables["explanations"][1])


def test_the_costs_follow_from_the_recorded_figures():
    """Every row of the table on the page is what these figures give."""

    def figures(name):
        return json.loads((ROOT / f"benchmarks/results/{name}.json").read_text())

    budget = figures("budget")
    parts = ("read and resize", "regions", "selector", "classifier", "rest")

    def row(work, case, parts, n_masks=1.0):
        each = [budget[f"{case}_predict_{part}"] for part in parts]
        terms = [f"{ms:.2f}" for ms in each]
        if n_masks != 1:
            k = parts.index("classifier")
            terms[k] = f"{n_masks:.2f} × {terms[k]}"
            each[k] *= n_masks
        ms = sum(each)
        hours = 1e9 * ms / 1000 / 3600
        sums = f"{' + '.join(terms)} = {ms:.2f}"
        return f"| {work} | {sums} | {1000 / ms:.1f} | {hours:,.0f} |"

    demo, known, unseen = (
        figures(name)["classifier_images_per_input"]
        for name in ("inference", "inference-emoji", "inference-emoji-unseen")
    )
    default = "`predict`, default networks"
    rows = [
        row("regions of 224 px", "default_224", parts[:2]),
        row(f"{default}, 1 mask", "default_224", parts),
        row(f"{default}, {known:.2f} masks", "default_224", parts, known),
        row(f"{default}, {unseen:.2f} masks", "default_224", parts, unseen),
        row(f"`predict`, `presets.SMALL`, {demo:.2f} masks", "small_64", parts, demo),
    ]
    on_page = PAGE.read_text(encoding="utf-8")
    table = on_page[on_page.index("## What a billion") :]
    assert [line for line in table.splitlines() if line.startswith("| ")][1:] == rows
    assert f"{demo:.2f} for digit scenes, and {known:.2f} and\n{unseen:.2f}" in table
