"""The page, its figures and tables, from a run of seconds."""

import re

import numpy as np
import pytest
from PIL import Image

from p2pselect.exceptions import InputError
from p2pselect.reproduction import (
    RunStore,
    Score,
    Trial,
    TrialResult,
    read_scores,
    run_suite,
    write_report,
)
from p2pselect.reproduction._figures import curve_figure, fixed_figure
from p2pselect.reproduction._measure import GRID
from p2pselect.reproduction._run_store import begin_run, read_examples
from p2pselect.reproduction._score_names import curve_point
from p2pselect.reproduction._scores import Results
from p2pselect.reproduction._suite import P2P, Variant


@pytest.fixture
def finished(make_suite, table, tmp_path):
    pixel = Variant("blackbox_pixel", group="blackbox")
    return run_suite(make_suite(P2P, pixel), tmp_path / "run", dataset_table=table)


def test_everything_is_written(finished, tmp_path):
    finished.write(TrialResult(Trial("tiny", "comet", "default", 0), error="Trace <b>back</b>"))
    page = write_report(finished, tmp_path / "report")
    text = page.read_text(encoding="utf-8")
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert names == {
        "index.html", "figures", "tables.md", "tables.tex", "tables.csv", "claims.md",
        "scores.csv",
    }  # fmt: skip
    figures = {path.stem.partition(".")[2] for path in (page.parent / "figures").iterdir()}
    assert sorted(figures) == (
        "deletion embeddings fixed insertion methods random_images thresholds".split()
    )
    assert text.count("<img ") == len(figures)
    for path in (page.parent / "figures").iterdir():
        assert np.asarray(Image.open(path).convert("L")).std() > 1, f"{path.name} is empty"
    assert "Failed: tiny.comet.default.0" in text
    assert "Trace &lt;b&gt;back" in text, "the traceback, as text"
    assert "1 failed" in text
    assert read_scores(tmp_path / "report" / "scores.csv")


def test_the_page_loads_nothing(finished, tmp_path):
    text = write_report(finished, tmp_path / "report").read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="(?!data:)', text) == []
    assert "http://" not in text and "https://" not in text
    assert "default-src 'none'" in text


def test_nothing_to_report(tmp_path):
    with pytest.raises(InputError, match="does not hold a run"):
        write_report(RunStore(tmp_path / "nothing"), tmp_path / "report")
    empty = RunStore(tmp_path)
    begin_run(empty, {"suite": {"name": "x"}, "started": "now", "versions": {}, "command": ""})
    with pytest.raises(InputError, match="not have any results yet"):
        write_report(empty, tmp_path / "report")


def test_curves_show_means_and_bands_of_the_seeds(finished):
    rows = finished.long_form()
    more = [row._replace(seed=1, value=row.value / 2) for row in rows]
    results = Results([*rows, *more])
    ax = curve_figure(results, "tiny", "insertion").axes[0]
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["Blackbox Pixel", "P2P", "P2P, fixed τ"]
    line = next(x for x in ax.lines if x.get_label() == "P2P")
    assert line.get_ydata()[-1] == pytest.approx(0.75), "1 of one seed and .5 of the other"
    assert len(ax.collections) == 3
    low = min(c.get_paths()[0].vertices[:, 1].min() for c in ax.collections)
    assert low < line.get_ydata().min()


@pytest.mark.parametrize("method", ["blackbox", "bcos"])
def test_what_never_learned_from_masked_images_has_no_curve(method):
    points = (curve_point("insertion", t) for t in GRID)
    rows = [Score("tiny", method, 0, "default", point, 0.5) for point in points]
    assert curve_figure(Results(rows), "tiny", "insertion") is None
    shown = [row._replace(method="comet") for row in rows]
    assert curve_figure(Results(shown), "tiny", "insertion") is not None


def test_figures_without_results():
    assert fixed_figure(Results([]), "tiny") is None
    assert read_examples(RunStore("nowhere"), Trial("tiny", "p2p", "default", 0)) is None
