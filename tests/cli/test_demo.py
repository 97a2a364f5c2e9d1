"""The demo: its files, its figures, its errors."""

import json

import numpy as np
import pytest
from PIL import Image

from p2pselect.cli import _demo as demo
from p2pselect.cli import main


@pytest.mark.parametrize("target", ["object", "scene"])
def test_demo_writes_what_it_names(tmp_path, monkeypatch, capsys, target):
    monkeypatch.setattr(demo, "SIZES", ((60, "train"), (20, "test")))
    out, figures = tmp_path / "out", tmp_path / "f.json"
    arguments = ["demo", "--epochs", "1", "--seed", "1", "--target", target]
    assert main([*arguments, "--out", str(out), "--json", str(figures)]) == 0
    read = json.loads(figures.read_text())
    assert set(read) == {
        *("accuracy", "blackbox_accuracy", "localization", "random_localization"),
        *("center_localization", "kept_fraction", "coverage", "seconds"),
        *("selective_accuracy", "answered_kept_fraction"),
    }
    # Nothing is answered after so little training, and none of nothing is right.
    known = {name for name, value in read.items() if isinstance(value, float)}
    assert set(read) - known <= {"selective_accuracy", "answered_kept_fraction"}
    printed = capsys.readouterr().out
    assert "images answered" in printed and "nan" not in printed
    assert str(out / "explanations.png") in printed
    assert Image.open(out / "explanations.png").size[0] > 500
    html = (out / "explanations.html").read_text()
    assert 'type="range"' in html and str(out / "explanations.html") in printed


def test_demo_on_a_plain_folder(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for name in ("leaf", "stone"):
        (tmp_path / "in" / name).mkdir(parents=True)
        for i in range(12):
            pixels = rng.integers(0, 255, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "in" / name / f"{i}.png")
    arguments = ["demo", "--data", str(tmp_path / "in"), "--epochs", "1"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    assert "no masks" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demo", "--data", "nowhere"], "nowhere"),
    ],
)
def test_errors_are_one_line(capsys, arguments, words):
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error


def test_help_has_an_example(capsys):
    with pytest.raises(SystemExit) as end:
        main(["demo", "--help"])
    assert end.value.code == 0 and "p2pselect demo --out" in capsys.readouterr().out
