"""What a command will write is checked before its work, and written whole."""

import io
import json
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from p2pselect import P2PClassifier
from p2pselect.cli import _entrypoint as entrypoint
from p2pselect.cli import main
from p2pselect.exceptions import InputError


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Images of two classes, a file and a folder in the way."""
    for name in ("odd", "evén"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(3):
            Image.new("RGB", (40, 20), (80 * i, 0, 0)).save(
                tmp_path / "images" / name / f"{i}.png"
            )
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").write_text("mine")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tree(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None
        for p in folder.rglob("*")
    }


@pytest.mark.parametrize(
    ("command", "option", "place", "words"),
    [
        ("fit images", "--out", "folder", "exists and is not a saved model"),
        ("fit images", "--out", "file", "exists and is not a saved model"),
        ("fit images", "--out", "file/m", "file is not a folder"),
        ("fit images --out m", "--json", "folder", "is a folder"),
        ("fit images --out m", "--json", "file/f.json", "file is not a folder"),
        ("fit images --out m", "--checkpoints", "file", "is a file, expected a folder"),
        ("predict m images", "--out", "folder", "is a folder"),
        ("evaluate m images", "--json", "folder", "is a folder"),
        ("evaluate m images", "--json", "file/f.json", "file is not a folder"),
        ("explain m images", "--html", "folder", "is a folder"),
        ("explain m images", "--json", "folder", "is a folder"),
        ("explain m images", "--png", "file", "is a file, expected a folder"),
        ("explain m images", "--masks", "file/m", "file is not a folder"),
        ("regions images", "--out", "file", "is a file, expected a folder"),
        ("info m", "--json", "folder", "is a folder"),
        ("demo", "--out", "file", "is a file, expected a folder"),
        ("demo", "--json", "folder", "is a folder"),
        ("reproduce report run", "--out", "file", "is a file, expected a folder"),
        ("reproduce report run", "--csv", "folder", "is a folder"),
        ("reproduce run --out o", "--csv", "folder", "is a folder"),
    ],
)
def test_what_could_not_be_written_is_said_first(
    here, monkeypatch, capsys, command, option, place, words
):
    for heavy in ("P2PClassifier", "SuperpixelTransformer"):
        monkeypatch.setattr(f"p2pselect.{heavy}.fit", pytest.fail)
    monkeypatch.setattr("p2pselect.persistence.load", pytest.fail)
    before = tree(here)
    assert main([*command.split(), option, place]) == 1
    error = capsys.readouterr().err
    assert f"{option}: " in error and words in error and error.count("\n") == 1
    assert tree(here) == before


def fit(*more):
    arguments = ["fit", "images", "--out", "m.model", "--epochs", "1", "--image-size", "32"]
    return main([*arguments, *more])


def test_fit_replaces_a_model_only_when_told_to(here, monkeypatch, capsys):
    (here / "m.model").mkdir()
    (here / "m.model" / "config.json").write_text("of the old one")
    before = tree(here)
    with monkeypatch.context() as patched:
        patched.setattr(P2PClassifier, "fit", pytest.fail)
        assert fit() == 1
    assert "m.model already holds a model; --overwrite" in capsys.readouterr().err
    assert tree(here) == before
    with monkeypatch.context() as patched:

        def fail(*args, **named):
            raise InputError("broken")

        # The old model stays where it is until the new one is whole.
        patched.setattr(P2PClassifier, "fit", fail)
        assert fit("--overwrite") == 1
        assert tree(here) == before
    assert fit("--overwrite") == 0
    assert main(["info", "m.model"]) == 0 and "evén" in capsys.readouterr().out
    # --overwrite is for models: nothing else is touched by it.
    assert main(["fit", "images", "--out", "folder", "--overwrite"]) == 1
    assert "is not a saved model" in capsys.readouterr().err


PREDICT = """
import sys
from dataclasses import replace
import numpy as np
import p2pselect.cli._files
from p2pselect.explanations import example_explanation
from p2pselect.cli import main

class Model:
    classes_ = np.array(["猫", "犬"])
    batch_size = 16
    multilabel_ = False
    def _meaning(self, fitted):
        return {}
    def explain(self, images):
        exp = example_explanation(len(images)).explanation
        return replace(exp, proba=np.full((len(images), 2), 0.5), classes=self.classes_)

p2pselect.cli._files.load_model = lambda *arguments: Model()
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(("encoding", "form"), [("ascii", "csv"), ("cp1252", "json")])
def test_names_are_written_in_utf8_whatever_the_encoding(here, encoding, form):
    name = os.fsdecode(b"caf\xe9.png") if sys.platform == "linux" else "cafe.png"
    (here / "images" / "odd").rename(here / "images" / "猫")
    (here / "images" / "猫" / "0.png").rename(here / "images" / "猫" / name)
    done = subprocess.run(
        [sys.executable, "-c", PREDICT, "predict", "m", "images/猫", "--format", form],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert done.returncode == 0 and re.fullmatch(rb"\d images: .*\n", done.stderr)
    if form == "csv":
        header, *rows = done.stdout.splitlines()
        assert header.decode("utf-8") == (
            "image,prediction,certainty,answered,unanswered_reasons,kept_fraction,p(猫),p(犬)"
        )
        assert os.fsencode(f"images/猫/{name}") in [row.split(b",")[0] for row in rows]
    else:
        rows = json.loads(done.stdout.decode("utf-8"))
        assert f"images/猫/{name}" in [row["image"] for row in rows]
        assert "猫".encode() in done.stdout


def test_an_unknown_class_is_named_in_any_encoding(here):
    (here / "images" / "odd").rename(here / "images" / "猫")
    done = subprocess.run(
        [sys.executable, "-m", "p2pselect", "info", "猫"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 1 and "猫 is not a saved model" in done.stderr.decode("utf-8")


def test_a_terminal_without_the_letters_shows_escapes(monkeypatch):
    shown = io.BytesIO()
    terminal = io.TextIOWrapper(shown, encoding="ascii", write_through=True)
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", terminal)
        patched.setattr(sys, "stderr", io.StringIO())  # has no encoding to change
        entrypoint._use_utf8()
    terminal.write("猫 é \udce9")
    assert shown.getvalue() == rb"\u732b \xe9 \udce9"


def test_an_output_is_never_an_image_that_is_read(here, capsys, monkeypatch):
    monkeypatch.setattr("p2pselect.persistence.load", lambda path: None)
    model = SimpleNamespace(_meaning=lambda fitted: {}, multilabel_=False)
    monkeypatch.setattr("p2pselect.cli._files.load_model", lambda *args: model)
    (here / "h.json").write_text("[]")
    before = tree(here)
    for command in (
        "explain m images --html images/odd/0.png",
        "explain m images --json images/odd/0.png",
        "explain m images --masks images",
        "explain m images --html r.html --json ./r.html",
        "explain m images --html r.html --json h.json --history ./h.json",
        "predict m images --out images/odd/0.png",
        "regions images --out images",
    ):
        assert main(command.split()) == 1
        error = capsys.readouterr().err
        assert "would replace a file" in error or "would both write" in error
        assert tree(here) == before


@pytest.mark.parametrize(
    ("package", "command"),
    [
        ("matplotlib", "demo"),
        ("matplotlib", "explain m images --png p"),
        ("matplotlib", "reproduce report run"),
    ],
)
def test_a_missing_package_is_named_before_the_work(
    here, monkeypatch, capsys, package, command
):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(P2PClassifier, "fit", pytest.fail)
    monkeypatch.setattr("p2pselect.persistence.load", pytest.fail)
    before = tree(here)
    assert main(command.split()) == 1
    error = capsys.readouterr().err
    assert "matplotlib is needed for" in error and 'pip install "p2pselect[plots]"' in error
    assert tree(here) == before


def test_regions_are_drawn_in_the_shape_of_the_image(here):
    rng = np.random.default_rng(0)
    for name, size in {"wide": (180, 60), "tall": (30, 90), "huge": (2600, 1300)}.items():
        pixels = rng.integers(0, 255, (size[1], size[0], 3), np.uint8)
        (here / "in").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(here / "in" / f"{name}.png")
    assert main(["regions", "in", "--out", "out", "--image-size", "64"]) == 0
    sizes = {p.stem: Image.open(p).size for p in (here / "out").iterdir()}
    assert sizes == {"wide": (180, 60), "tall": (30, 90), "huge": (1024, 512)}


def test_a_wrong_engine_is_found_before_a_folder_is_made(here, capsys):
    assert main(["regions", "images", "--out", "out", "--engine", "slik"]) == 1
    assert "slic" in capsys.readouterr().err and not (here / "out").exists()
