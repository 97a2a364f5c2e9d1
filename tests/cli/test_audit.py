"""``p2pselect audit``: what is printed, written and drawn is what the function says."""

import json

import numpy as np
import pytest
from PIL import Image

from p2pselect import P2PClassifier, audit, datasets, presets
from p2pselect.cli import main
from p2pselect.methods import JudgeClassifier


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """A model, its images in folders that are named by numbers, and their masks."""
    root = tmp_path_factory.mktemp("audit")
    scenes = datasets.make_digit_scenes(40, image_size=32, random_state=0)
    y = scenes.target % 2
    for number in np.argsort(y, kind="stable"):
        for part, pixels in (("images", scenes.images), ("masks", scenes.masks)):
            file = root / part / str(y[number]) / f"{number:02d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[number]).save(file)
    order = np.argsort(y, kind="stable")
    settings = {**presets.SMALL, "image_size": 32, "max_epochs": 1, "random_state": 0}
    clf = P2PClassifier(**settings).fit(scenes.images[order], y[order])
    clf.save(root / "model")
    return root, clf, scenes.images[order], y[order], scenes.masks[order]


@pytest.mark.filterwarnings("ignore:.*learned nothing")
def test_everything_is_what_the_function_says(scenes, tmp_path, capsys):
    root, clf, X, y, masks = scenes
    folder = str(root / "images")
    arguments = ["audit", str(root / "model"), folder, folder, "--epochs", "1"]
    arguments += ["--masks-dir", str(root / "masks"), "--seed", "3"]
    outputs = ["--json", str(tmp_path / "a.json"), "--figure", str(tmp_path / "a.png")]
    outputs += ["--html", str(tmp_path / "a.html")]
    assert main([*arguments, *outputs]) == 0
    judge = JudgeClassifier.like(clf, random_state=3, max_epochs=1)
    expected = audit(clf, X, y, X, y, masks=masks, judge=judge)
    assert str(expected) in capsys.readouterr().out
    assert json.loads((tmp_path / "a.json").read_text()) == expected.to_dict()
    with Image.open(tmp_path / "a.png") as figure:
        assert min(figure.size) > 300
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert f"<dd>{expected.verdict}</dd>" in page and "outside the object" in page
    assert '"name":"0/' in page and '"hasTruth":true' in page


@pytest.mark.filterwarnings("ignore:.*learned nothing")
def test_images_are_read_as_the_model_reads_them(tmp_path, capsys):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 4000, (20, 16, 16, 2), np.uint16), np.repeat(["a", "b"], 10)
    for number, (image, name) in enumerate(zip(X, y, strict=True)):
        file = tmp_path / "cells" / name / f"{number:02d}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, image)
    clf = P2PClassifier().set_params(
        **presets.SMALL, images__n_channels=2, images__value_range=(0, 4095)
    )
    clf.set_params(image_size=16, max_epochs=1, random_state=0).fit(X, y).save(tmp_path / "m")
    folder = str(tmp_path / "cells")
    assert main(["audit", str(tmp_path / "m"), folder, folder, "--epochs", "1"]) == 0
    judge = JudgeClassifier.like(clf, random_state=0, max_epochs=1)
    assert str(audit(clf, X, y, X, y, judge=judge)) in capsys.readouterr().out


def test_classes_that_the_model_does_not_know_are_named(scenes, tmp_path, capsys):
    root = scenes[0]
    (tmp_path / "wren").mkdir()
    Image.new("RGB", (32, 32)).save(tmp_path / "wren" / "a.png")
    arguments = ["audit", str(root / "model"), str(root / "images"), str(tmp_path)]
    assert main(arguments) == 1
    assert "does not know: ['wren']" in capsys.readouterr().err


def test_regions_are_removed_if_asked(scenes, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr("p2pselect.audit", lambda *images, **given: asked.append(given["roar"]))
    folder = str(scenes[0] / "images")
    for more in ([], ["--roar"]):
        assert main(["audit", str(scenes[0] / "model"), folder, folder, *more]) == 0
    assert asked == [False, True]
