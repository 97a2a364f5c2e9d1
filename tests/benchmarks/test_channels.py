"""The benchmarks of cells in channels and of several labels, on sets of a few tiny images."""

import csv
import json
import sys

import jurkat
import multilabel
import numpy as np
import pytest
import tifffile
from PIL import Image
from two_labels import NAMES, two_labels

from p2pselect.cli import main


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    root = tmp_path_factory.mktemp("cells")
    rng = np.random.default_rng(0)
    for split, n in (("train", 8), ("test", 4)):
        for number in range(n):
            for label, level in (("dim", 500), ("lit", 2500)):
                values = rng.integers(0, 400, (16, 16, 3)).astype(np.uint16)
                values[4:12, 4:12, 1] += level
                path = root / split / "images" / label / f"{number}.tif"
                path.parent.mkdir(parents=True, exist_ok=True)
                tifffile.imwrite(path, values, photometric="rgb")
    return root


def test_other_channels_are_made_of_the_same_cells(cells):
    cell = tifffile.imread(cells / "test" / "images" / "lit" / "2.tif")
    with jurkat.written(cells, jurkat.two_channels) as two:
        files, labels = jurkat.listed(two, "test")
        assert labels.tolist() == ["dim"] * 4 + ["lit"] * 4
        np.testing.assert_array_equal(np.load(files.files[6]), cell[..., :2])
    five = jurkat.five_channels(cell)
    np.testing.assert_array_equal(five[..., :3], cell)
    assert five.dtype == np.uint16 and five.shape == (16, 16, 5)
    assert five[..., 4].std() < cell[..., 1].std()


@pytest.mark.filterwarnings("ignore:.*the model")
def test_cells_are_learned_by_the_command(cells, tmp_path, monkeypatch):
    out = tmp_path / "cells.json"
    arguments = [
        f"--data={cells}",
        "--seeds",
        "0",
        "--epochs",
        "1",
        f"--json={out}",
        f"--out={tmp_path}",
    ]
    monkeypatch.setattr(sys, "argv", ["jurkat.py", *arguments])
    monkeypatch.delenv("P2PSELECT_WEIGHTS", raising=False)
    commands = []

    def run(arguments):
        """The same in this process, which need not load torch once more."""
        commands.append(arguments)
        assert main(arguments) == 0

    monkeypatch.setattr(jurkat, "p2pselect", run)
    jurkat.main()
    told = [command[command.index("--channels") + 1] for command in commands]
    assert told == ["3", "2", "5"]
    figures = json.loads(out.read_text())
    assert figures["n_test"] == 8 and figures["constant_accuracy"] == 0.5
    for row in ("p2p", "blackbox", "two_channels", "five_channels"):
        assert 0 <= figures[f"{row}_accuracy"] <= 1 and figures[f"{row}_epochs"] == 1
    assert "about" in figures and "probe_accuracy" not in figures


def test_of_seeds_there_are_means_and_ends():
    runs = [{"accuracy": a, "epochs": 2} for a in (0.5, 1.0, 0.75)]
    expected = {"accuracy": 0.75, "lowest": 0.5, "highest": 1.0, "epochs": 2.0}
    assert jurkat.over_seeds(runs) == expected


@pytest.mark.filterwarnings("ignore:.*one label for each image")
def test_several_labels_at_once_and_one_by_one(tmp_path, monkeypatch):
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "split", *NAMES])
        for split, n in (("train", 12), ("test", 6)):
            for number, (image, labels) in enumerate(zip(*two_labels(n, 0), strict=True)):
                Image.fromarray(image).save(tmp_path / f"{split}{number}.png")
                table.writerow([f"{split}{number}.png", split, *labels])
    out = tmp_path / "labels.json"
    arguments = [
        f"--data={tmp_path}",
        "--epochs=1",
        "--image-size=16",
        f"--json={out}",
        f"--out={tmp_path}",
    ]
    monkeypatch.setattr(
        sys, "argv", ["multilabel.py", *arguments, "--images=12", "--seeds", "0", "1"]
    )
    monkeypatch.setattr(multilabel, "LABELS", NAMES)
    multilabel.main()
    figures = json.loads(out.read_text())
    assert figures["n_images"] == [12, 6] and figures["image_size"] == 16
    for row in ("p2p", "label_masks", "one_by_one", "blackbox"):
        of_each = [figures[f"{row}_f1 {name}"] for name in NAMES]
        assert figures[f"{row}_macro F1"] == pytest.approx(np.mean(of_each))
        if row != "label_masks":
            of_seeds = figures[f"{row}_macro F1 of seeds"]
            assert len(of_seeds) == 2
            assert figures[f"{row}_macro F1"] == pytest.approx(np.mean(of_seeds))
