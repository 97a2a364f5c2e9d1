"""``p2pselect explain`` on photographs: pages, figures and masks in their own sizes."""

import json
import re
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from explanations.photographs import BLUE, COLORS, away_from_edges, explained, quarters
from PIL import Image

from p2pselect.cli import main

PORTRAIT, LANDSCAPE = (300, 200), (192, 384)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Photographs in a folder for each class: of one stem, turned, and with hostile names."""
    upright = {
        "leaf/a.png": PORTRAIT,
        "leaf/a.jpg": LANDSCAPE,
        "fruit/turned.jpg": PORTRAIT,
        "fruit/<b>&amp;'\".png": LANDSCAPE,
    }
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: to be turned by 90 degrees to the right
    for name, shape in upright.items():
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(COLORS[quarters(*shape)])
        if "turned" in name:
            picture.transpose(Image.Transpose.ROTATE_90).save(file, exif=exif, quality=95)
        else:
            picture.save(file)
    model = SimpleNamespace(
        explain=lambda X, target: explained(X, "pad", (64, 64), BLUE),
        _meaning=lambda fitted: {},
        multilabel_=False,
        classes_=np.array(["leaf", "fruit"]),
    )
    monkeypatch.setattr("p2pselect.cli._files.load_model", lambda *_: model)
    monkeypatch.chdir(tmp_path)
    return upright


def test_overlays_are_the_photographs_dimmed_where_nothing_is_kept(photos):
    assert main("explain m photos --overlays shown --json f.json".split()) == 0
    rows = {row["image"]: row for row in json.loads(Path("f.json").read_text("utf-8"))}
    for name, shape in photos.items():
        with Image.open(rows[f"photos/{name}"]["overlay"]) as opened:
            picture = np.asarray(opened).astype(int)
        assert picture.shape == (*shape, 3)
        part = quarters(*shape)
        expected = np.where((part == BLUE)[..., None], 1, 0.3) * COLORS[part]
        away = away_from_edges(part, 12)
        assert np.abs(picture - expected)[away].max() < 12  # JPEG


def test_outlines_are_those_of_the_masks(photos, capsys):
    assert main("explain m photos --coco c.json --masks masks".split()) == 0
    assert "4 outlines in c.json" in capsys.readouterr().out
    data = json.loads(Path("c.json").read_text("utf-8"))
    assert {image["file_name"] for image in data["images"]} == {*photos}
    for image, found in zip(data["images"], data["annotations"], strict=True):
        height, width = photos[image["file_name"]]
        assert (image["height"], image["width"]) == (height, width)
        # The lower left quarter.
        left, top, wide, high = found["bbox"]
        assert abs(top - height / 2) < 6 and abs(wide - width / 2) < 6
        assert left == 0 and top + high == height and found["area"] == wide * high


def test_masks_have_the_sizes_and_the_folders_of_the_photographs(photos, capsys):
    assert main("explain m photos --masks masks --json f.json".split()) == 0
    rows = {row["image"]: row for row in json.loads(Path("f.json").read_text("utf-8"))}
    names = {
        "leaf/a.png": "leaf/a.png.png",
        "leaf/a.jpg": "leaf/a.jpg.png",
        "fruit/turned.jpg": "fruit/turned.png",
        "fruit/<b>&amp;'\".png": "fruit/<b>&amp;'\".png",
    }
    for name, shape in photos.items():
        row = rows[f"photos/{name}"]
        assert row["mask"] == f"masks/{names[name]}" and row["label"] == name.split("/")[0]
        with Image.open(row["mask"]) as opened:
            assert opened.mode == "L" and set(np.unique(opened)) == {0, 255}
            mask = np.asarray(opened) > 0
        assert mask.shape == shape
        expected = quarters(*shape) == BLUE
        sure = away_from_edges(expected, 8)
        np.testing.assert_array_equal(mask[sure], expected[sure])
        assert row["kept_fraction"] == pytest.approx(mask.mean(), abs=0.02)
    assert "4 masks in masks" in capsys.readouterr().out


def test_the_page_has_the_photographs_short_names_and_how_the_training_went(photos, capsys):
    history = [{"train_loss": 2.0 - epoch / 4, "valid_acc": 0.5} for epoch in range(4)]
    Path("h.json").write_text(json.dumps(history), "utf-8")
    assert main("explain m photos --html r.html --history h.json".split()) == 0
    text = Path("r.html").read_text("utf-8")
    said = capsys.readouterr().out
    assert re.search(r"^r\.html \(\d\.\d MB\)$", said, re.MULTILINE)
    data = json.loads(
        re.search('<script type="application/json" id="data">(.*?)</script>', text)[1]
    )
    assert sorted(item["name"] for item in data["images"]) == sorted(photos)
    sizes = {item["name"]: tuple(item["size"]) for item in data["images"]}
    assert sizes == photos and all(item["sharp"] for item in data["images"])
    assert data["hasTruth"] and "How the training went" in text


def test_figures_are_drawn_on_the_photographs(photos):
    assert main("explain m photos/leaf --png figures".split()) == 0
    with Image.open("figures/a.png.png") as tall, Image.open("figures/a.jpg.png") as wide:
        assert tall.height > 1.5 * wide.height
        far = np.abs(np.asarray(wide)[..., :3].astype(int) - COLORS[BLUE]).max(axis=-1)
        assert (far < 10).mean() > 0.02


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "h.json is not JSON"),
        ('{"train_loss": 1}', "h.json is not a list of epochs"),
        ("[1]", "h.json is not a list of epochs"),
    ],
)
def test_a_history_that_is_none_is_refused_before_the_work(
    photos, content, message, capsys, monkeypatch
):
    monkeypatch.setattr("p2pselect.cli._files.load_model", pytest.fail)
    Path("h.json").write_text(content, "utf-8")
    assert main("explain m photos --html r.html --history h.json".split()) == 1
    assert message in capsys.readouterr().err
    assert main("explain m photos --masks m --history h.json".split()) == 1
    assert "--html FILE" in capsys.readouterr().err


def test_a_mask_is_there_whole_or_not_at_all(photos, monkeypatch, capsys, tmp_path):
    save = Image.Image.save

    def fail_at_the_second(image, file, *args, **options):
        save(image, file, *args, **options)
        if list((tmp_path / "masks").rglob("*.png")):
            raise OSError("no space left")

    monkeypatch.setattr(Image.Image, "save", fail_at_the_second)
    assert main("explain m photos --masks masks".split()) == 1
    assert "no space left" in capsys.readouterr().err
    (only,) = [file for file in (tmp_path / "masks").rglob("*") if file.is_file()]
    with Image.open(only) as opened:
        opened.load()


def test_nothing_is_warned_of(photos):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main("explain m photos --html r.html --masks m".split()) == 0
