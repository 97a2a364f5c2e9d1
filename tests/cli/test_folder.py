"""From a folder of photographs to a report, on the command line."""

import csv
import json
import shlex
import shutil
import subprocess
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from p2pselect import datasets, load
from p2pselect.cli import main
from p2pselect.cli._explain import labels_of
from p2pselect.cli._trained import warn_of_faults
from p2pselect.exceptions import InputError
from p2pselect.metrics import localization_score
from p2pselect.metrics._object_masks import masks_on_grid
from p2pselect.training._progress import TrainingProgress


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """24 images of two classes and of different sizes, and their masks."""
    root = tmp_path_factory.mktemp("data")
    scenes = datasets.make_digit_scenes(24, image_size=40, random_state=0)
    for i, (image, mask) in enumerate(zip(scenes.images, scenes.masks, strict=True)):
        name = "evén" if i % 2 else "odd"
        for kind, pixels, ending in (("images", image, "jpg"), ("masks", mask, "png")):
            (root / kind / name).mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray(pixels).resize((40 + i, 40))
            picture.save(root / kind / name / f"{i}.{ending}")
    return root


@pytest.fixture(scope="module")
def model(folder):
    out = folder / "m.model"
    arguments = ["fit", str(folder / "images"), "--out", str(out), "--epochs", "1"]
    assert main([*arguments, "--image-size", "32", "--seed", "0", "--segments", "20"]) == 0
    return out


def test_predict_csv_and_json(folder, model, capsys, tmp_path):
    assert main(["predict", str(model), str(folder / "images")]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert len(rows) == 24 and {r["prediction"] for r in rows} <= {"evén", "odd"}
    out = tmp_path / "p.json"
    one = str(folder / "images" / "odd" / "0.jpg")
    assert main(["predict", str(model), one, "--format", "json", "--out", str(out)]) == 0
    (row,) = json.loads(out.read_text())
    assert row["image"] == one and row["p(odd)"] + row["p(evén)"] == pytest.approx(1, abs=1e-5)


def test_fit_goes_on_from_its_checkpoints(folder, tmp_path, capsys):
    arguments = ["fit", str(folder / "images"), "--epochs", "2", "--image-size", "32"]
    arguments += ["--segments", "20", "--checkpoints", str(tmp_path / "states")]
    for out in ("first.model", "again.model"):
        assert main([*arguments, "--out", str(tmp_path / out)]) == 0
    weights = [
        (tmp_path / out / "model.safetensors").read_bytes()
        for out in ("first.model", "again.model")
    ]
    # Without a seed two trainings differ: the second one was not a training.
    assert weights[0] == weights[1]
    assert len(list((tmp_path / "states").iterdir())) == 1


def test_few_images_are_learned_from_more_often(folder, tmp_path, monkeypatch, capsys):
    from p2pselect import P2PClassifier

    seen = []

    def fit(self, images, labels, groups, masks):
        seen.append((self.max_epochs, self.get_params()["objective__warmup_epochs"]))
        raise InputError("enough")

    monkeypatch.setattr(P2PClassifier, "fit", fit)
    arguments = ["fit", str(folder / "images"), "--out", str(tmp_path / "m")]
    for more in ([], ["--epochs", "10"], ["--preset", "paper"]):
        assert main([*arguments, *more]) == 1
    # 24 images are one step of 32 an epoch; the preset warms up for a tenth.
    assert seen == [(3467, 347), (10, 1), (100, 0)]


def test_explain_writes_page_figures_and_masks(folder, model, tmp_path, capsys):
    places = [str(folder / "images" / "odd"), str(folder / "images" / "evén" / "1.jpg")]
    arguments = ["explain", str(model), *places, "--html", str(tmp_path / "r.html")]
    arguments += ["--png", str(tmp_path / "png"), "--masks", str(tmp_path / "masks")]
    assert main([*arguments, "--json", str(tmp_path / "f.json")]) == 0
    page = (tmp_path / "r.html").read_text()
    assert "0.jpg" in page and '"hasTruth":true' in page
    assert len(list((tmp_path / "png").rglob("*.png"))) == 13
    mask = np.asarray(Image.open(tmp_path / "masks" / "odd" / "10.png"))
    assert mask.shape == (40, 50) and set(np.unique(mask)) <= {0, 255} and mask.any()
    rows = json.loads((tmp_path / "f.json").read_text())
    (row,) = (row for row in rows if row["image"].endswith("10.jpg"))
    assert row["kept_fraction"] == pytest.approx((mask > 0).mean(), abs=0.05)
    assert [row["label"] for row in rows] == ["odd"] * 12 + ["evén"]
    # Every row names its files, and both folders mirror those of the images.
    assert rows[0]["mask"] == str(tmp_path / "masks" / "odd" / "0.png")
    assert rows[-1]["figure"] == str(tmp_path / "png" / "evén" / "1.png")


def test_labels_are_known_where_folders_are_named_like_classes(tmp_path, monkeypatch):
    classes = np.array(["2", "evén", "odd"])
    files = [f"{tmp_path}/odd/a.jpg", f"{tmp_path}/x/eve\u0301n/b.jpg", f"{tmp_path}/2/c.jpg"]
    assert labels_of(files, classes).tolist() == ["odd", "evén", "2"]
    assert labels_of(files[2:], np.array([1, 2])).tolist() == [2]
    assert labels_of([*files, f"{tmp_path}/holiday/d.jpg"], classes) is None
    (tmp_path / "odd").mkdir()
    monkeypatch.chdir(tmp_path / "odd")
    assert labels_of(["a.jpg", "../evén/b.jpg"], classes).tolist() == ["odd", "evén"]


def test_evaluate_with_masks(folder, model, tmp_path, capsys):
    arguments = ["evaluate", str(model), str(folder / "images")]
    arguments += ["--masks-dir", str(folder / "masks"), "--json", str(tmp_path / "f.json")]
    assert main(arguments) == 0
    figures = json.loads((tmp_path / "f.json").read_text())
    assert {"accuracy", "localization", "random_localization", "center_localization"} <= set(
        figures
    )
    assert figures["empty"] == 0
    assert "localization" in capsys.readouterr().out


def test_a_missing_mask_costs_its_own_score_alone(folder, model, tmp_path, capsys):
    def evaluated(masks):
        arguments = ["evaluate", str(model), str(folder / "images"), "--masks-dir", str(masks)]
        code = main([*arguments, "--json", str(tmp_path / "f.json")])
        return code, capsys.readouterr().err

    shutil.copytree(folder / "masks", tmp_path / "some")
    for missing in ("odd/0.png", "evén/1.png"):
        (tmp_path / "some" / missing).unlink()
    code, error = evaluated(tmp_path / "some")
    assert code == 0 and "2 of 24 images have no mask" in error
    figures = json.loads((tmp_path / "f.json").read_text())
    exp = load(model).explain(
        [
            file
            for file in sorted((folder / "images").rglob("*.jpg"))
            if file.stem not in ("0", "1")
        ]
    )
    masks = [
        np.asarray(Image.open(file).convert("L")) > 0
        for file in sorted((tmp_path / "some").rglob("*.png"))
    ]
    expected = localization_score(exp.pixel_masks, masks_on_grid(masks, exp))
    assert figures["n_masks"] == 22
    assert figures["localization"] == pytest.approx(expected)
    shutil.rmtree(tmp_path / "some" / "odd")
    shutil.rmtree(tmp_path / "some" / "evén")
    code, error = evaluated(tmp_path / "some")
    assert code == 1 and "24 of 24 images have no mask" in error


def test_figures_are_strict_json(folder, model, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "p2pselect.metrics.expected_calibration_error", lambda *given: float("nan")
    )
    arguments = ["evaluate", str(model), str(folder / "images")]
    assert main([*arguments, "--json", str(tmp_path / "f.json")]) == 0
    text = (tmp_path / "f.json").read_text()
    figures = json.loads(text, parse_constant=pytest.fail)
    assert figures["calibration_error"] is None and figures["n_images"] == 24


def test_an_interrupted_fit_saves_what_it_learned_and_ends_with_130(
    folder, tmp_path, monkeypatch, capsys
):
    at = 2

    def interrupt(self, net, **kwargs):
        if len(net.history) == at:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingProgress, "on_epoch_begin", interrupt)
    arguments = ["fit", str(folder / "images"), "--epochs", "3", "--image-size", "32"]
    assert main([*arguments, "--out", str(tmp_path / "m")]) == 130
    error = capsys.readouterr().err
    assert "interrupted after 1 of 3 epochs; what was learned by then is saved in" in error
    assert len(load(tmp_path / "m").predict([folder / "images" / "odd" / "0.jpg"])) == 1
    at = 1
    assert main([*arguments, "--out", str(tmp_path / "m"), "--overwrite"]) == 130
    assert "interrupted within the first epoch: nothing is saved" in capsys.readouterr().err
    assert load(tmp_path / "m") is not None


def test_fit_says_when_its_model_is_useless():
    def said(predicted, kept):
        given = {"predicted": predicted, "kept_fraction": np.array(kept)}
        exp = SimpleNamespace(**given, multilabel=False)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warn_of_faults(exp, labels)
        return " ".join(str(warning.message) for warning in caught)

    labels = np.array(["a"] * 2 + ["b"] * 6)
    assert said(labels, [0.2]) == ""
    assert "right no more often than one that always names" in said(np.array(["b"] * 8), [0.2])
    both = said(np.array(["a"] * 8), [1.0])
    assert "names the same class (75.0%) and shows everything" in both and "--epochs" in both
    assert "shows nothing" in said(labels, [0.0])


def test_regions_and_info(folder, model, tmp_path, capsys):
    out = tmp_path / "borders"
    places = str(folder / "images" / "odd")
    assert main(["regions", places, "--out", str(out), "--segments", "9"]) == 0
    assert len(list(out.iterdir())) == 12
    assert main(["info", str(model), "--json", str(tmp_path / "i.json")]) == 0
    assert json.loads((tmp_path / "i.json").read_text())["image_size"] == 32


def test_an_unreadable_file_is_named_and_left_out_or_refused(folder, model, tmp_path, capsys):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_text("not an image")
    Image.new("RGB", (9, 70), "red").save(tmp_path / "c.png")
    assert main(["predict", str(model), str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert "2 of 3 images cannot be read" in printed.err and printed.out == ""
    assert (
        "a.jpg" in printed.err and "b.jpg" in printed.err and "--on-error skip" in printed.err
    )
    assert main(["predict", str(model), str(tmp_path), "--on-error", "skip"]) == 0
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 2 and "b.jpg" in printed.err


@pytest.mark.parametrize("command", ["fit", "evaluate"])
def test_damaged_files_of_classes(command, model, tmp_path, capsys):
    for label, content in (("odd", None), ("evén", None), ("lost", b"not an image")):
        (tmp_path / "in" / label).mkdir(parents=True)
        for number in range(2):
            file = tmp_path / "in" / label / f"{number}.png"
            Image.new("RGB", (40, 40)).save(file)
            file.write_bytes(content or file.read_bytes())
    places = {"fit": [str(tmp_path / "in"), "--out", str(tmp_path / "out")]}
    arguments = [command, *places.get(command, [str(model), str(tmp_path / "in")])]
    (tmp_path / "in" / "odd" / "1.png").write_bytes(b"")
    assert main([*arguments, "--on-error", "skip"]) == 1
    if command == "fit":
        assert "classes is damaged: lost" in capsys.readouterr().err
        shutil.rmtree(tmp_path / "in" / "lost")
        assert main(arguments) == 1
        error = capsys.readouterr().err
        assert "1 of 4 images cannot be read" in error and "--on-error skip" in error
        assert not (tmp_path / "out").exists()
    else:
        assert "does not know: ['lost']" in capsys.readouterr().err
        shutil.rmtree(tmp_path / "in" / "lost")
        assert main(arguments) == 1
        assert "odd/1.png" in capsys.readouterr().err
        assert main([*arguments, "--on-error", "skip"]) == 0
        assert "n_images                 3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["info", "nowhere"], "nowhere is not a saved model"),
        (["predict", "MODEL", "nowhere.jpg"], "nowhere.jpg"),
        (["explain", "MODEL", "x.jpg"], "say what to write"),
        (["fit", "nowhere", "--out", "m"], "nowhere is not a folder"),
        (["regions", "FOLDER", "--out", "o", "--engine", "slik"], "slic"),
        (["evaluate", "MODEL", "FOLDER"], "does not know: ['frog', 'newt']"),
    ],
)
def test_errors_are_one_line(folder, model, capsys, arguments, words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    named = {"MODEL": str(model), "FOLDER": str(folder)}
    if arguments[-1] == "FOLDER":
        named["FOLDER"] = str(tmp_path / "in")
        for kind in ("frog", "newt"):
            (tmp_path / "in" / kind).mkdir(parents=True)
            Image.new("L", (8, 8)).save(tmp_path / "in" / kind / "1.png")
    assert main([named.get(word, word) for word in arguments]) == 1
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error
    # After what is said of the folder, where it holds other files too.
    lines = [line for line in error.splitlines() if not line.startswith("note: ")]
    assert lines[0].startswith(f"p2pselect {arguments[0]}: ")


def test_a_reader_that_stops_early_is_no_error(folder, model):
    program = (sys.executable, "-m", "p2pselect", "predict", model, folder / "images")
    line = shlex.join(map(str, program))
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{line} | true"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_debug_shows_the_traceback():
    with pytest.raises(Exception, match="nowhere"):
        main(["info", "nowhere", "--debug"])
