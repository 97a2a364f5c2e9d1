"""`p2pselect fit --corrections`: corrected images teach, and a model goes on."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from p2pselect import P2PClassifier, load, presets
from p2pselect.cli import main
from p2pselect.cli._corrections import masks_for
from p2pselect.datasets import Correction
from p2pselect.images import as_images

LEFT = [[[0, 0], [16, 0], [16, 32], [0, 32]]]


@pytest.fixture
def leaves(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    for name, color in (("healthy", (40, 140, 40)), ("rust", (150, 90, 30))):
        (tmp_path / "leaves" / name).mkdir(parents=True)
        for number in range(20):
            pixels = rng.integers(0, 60, (32, 32, 3)) + np.array(color)
            file = tmp_path / "leaves" / name / f"{number}.png"
            Image.fromarray(pixels.astype(np.uint8)).save(file)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def wrong(name, **what):
    return {"image": name, "kind": "wrong", **(what or {"polygon": LEFT})}


def run(*arguments):
    return main([*map(str, arguments), "--device", "cpu", "--seed", "0"])


def test_a_saved_model_learns_from_corrections(leaves, capsys):
    images = as_images(sorted((leaves / "leaves").rglob("*.png")))
    y = np.array([file.split("/")[-2] for file in images.files])
    settings = {**presets.SMALL, "image_size": 32, "max_epochs": 4, "validation": 0.2}
    clf = P2PClassifier(random_state=0).set_params(**settings).fit(images, y)
    clf.save("first.model")
    held_out = images.files[clf.validation_rows_[0]]
    entries = [wrong(held_out), wrong("rust/3.png"), wrong("rust/4.png", regions=[0, 1])]
    (leaves / "c.json").write_text(json.dumps({"corrections": entries}), encoding="utf-8")
    capsys.readouterr()
    arguments = ["--corrections", "c.json", "--continue-from", "first.model"]
    assert run("fit", "leaves", *arguments, "--validation", "0.2", "--out", "new.model") == 0
    said = capsys.readouterr().out
    assert "going on from first.model, for 1 epochs" in said
    assert "3 images are corrected" in said
    assert "1 images that would be held out teach, too" in said
    new = load("new.model")
    assert len(new.history_) == 5 and new.n_masks_seen_ == 3
    assert "train_masks" in new.history_[-1] and "train_masks" not in new.history_[-2]
    # The first model is still there.
    assert load("first.model").n_masks_seen_ == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"corrections": [wrong("rust/99.png")]}, "it is none of the 40 images"),
        ({"corrections": [wrong("rust/1.png", polygon=[])]}, "entry 0"),
        ({"corrections": []}, "--corrections: the file has no entry"),
        ([], "expected"),
    ],
)
def test_corrections_that_cannot_be_used_are_one_line(content, message, leaves, capsys):
    (leaves / "c.json").write_text(json.dumps(content), encoding="utf-8")
    assert run("fit", "leaves", "--corrections", "c.json", "--preset", "small") == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("p2pselect fit: ") and message in last
    assert not (leaves / "leaves.model").exists()


def test_a_model_that_is_not_there_is_one_line(leaves, capsys):
    assert run("fit", "leaves", "--continue-from", "none.model") == 1
    assert "none.model" in capsys.readouterr().err


def test_corrected_images_and_their_groups_are_not_held_out():
    images = as_images(np.zeros((24, 8, 8, 3), np.uint8))
    labels = np.array(["a", "b"] * 12)
    groups = np.repeat(np.arange(8), 3)
    clf = P2PClassifier(validation=0.5)
    found = SimpleNamespace(images=images, labels=labels, groups=groups)
    square = [[[0, 0], [4, 0], [4, 4]]]
    everything = [Correction(row, "wrong", polygon=square) for row in range(4)]
    masks = masks_for(clf, everything, found)
    assert [mask is not None for mask in masks] == [True] * 4 + [False] * 20
    train, held_out = next(clf.validation.split(labels))
    # Rows 0 to 3 belong to the first two groups, of three images each.
    assert set(range(6)) <= set(train.tolist()) and len(held_out) >= 6
    assert not set(groups[train]) & set(groups[held_out])
