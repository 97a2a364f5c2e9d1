"""`p2pselect fit DIR`, as somebody with a folder of photographs meets it."""

import io
import json
import socket
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from p2pselect import P2PClassifier, load, presets
from p2pselect.cli import main
from p2pselect.cli._fit_places import default_out
from p2pselect.cli._trained import describe_model
from p2pselect.exceptions import InputError
from p2pselect.images import as_images
from p2pselect.nn import _weight_sources


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    """No network and an empty cache; what was tried to reach."""
    tried = []

    def refuse(*address, **_):
        tried.append(address)
        raise OSError("the network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "torch"))
    monkeypatch.setattr(_weight_sources, "_unanswered", {})
    return tried


@pytest.fixture
def leaves(tmp_path, monkeypatch):
    """60 photographs of two classes: green and brown leaves, of 96 x 96 pixels."""
    rng = np.random.default_rng(0)
    for name, color in (("healthy", (40, 140, 40)), ("rust", (150, 90, 30))):
        (tmp_path / "leaves" / name).mkdir(parents=True)
        for number in range(30):
            pixels = rng.integers(0, 60, (96, 96, 3)) + np.array(color)
            file = tmp_path / "leaves" / name / f"{number}.png"
            Image.fromarray(pixels.astype(np.uint8)).save(file)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "leaves"


@pytest.fixture
def settings(monkeypatch):
    """What `fit` would train with; nothing is trained."""
    seen = {}

    def fit(self, images, labels, groups, masks):
        seen.update(self.get_params())
        raise InputError("enough")

    monkeypatch.setattr(P2PClassifier, "fit", fit)
    return seen


@pytest.fixture
def weights(tmp_path):
    """A folder of files with the right names."""
    (tmp_path / "weights").mkdir()
    for name in ("mobilenetv2_100", "tf_efficientnet_lite0", "resnet18"):
        save_file({}, tmp_path / "weights" / f"{name}.safetensors")
    return tmp_path / "weights"


FAST = ["--image-size", "32", "--segments", "9"]


# -- without a network -----------------------------------------------------------------------


def test_a_folder_becomes_a_model_and_a_page(leaves, capsys):
    """No option that the story needs; those of FAST and --epochs save time."""
    arguments = ["fit", "leaves", *FAST, "--epochs", "2", "--validation", "0.2", "--seed", "0"]
    assert main(arguments) == 0
    said, warned = capsys.readouterr()
    lines = said.splitlines()
    assert lines[0] == "60 images, 2 classes: healthy 30, rust 30"
    assert lines[1] == "chosen: preset small, networks from scratch, 32 x 32 pixels, 2 epochs"
    assert lines[2].startswith("because: 60 images of 2 classes, 96 x 96 pixels, CPU, about")
    assert "no pretrained weights: they are not in the local cache" in lines[2]
    assert lines[-4].startswith("on 12 images that were held out: ")
    assert "answered; right: " in lines[-4] and "pixels kept: " in lines[-4]
    assert lines[-3].startswith("see for yourself: leaves.html ")
    assert lines[-2:] == [
        "saved the model in leaves.model",
        "next: p2pselect explain leaves.model PHOTOS --html more.html",
    ]
    assert warned.count("no pretrained weights of mobilenetv2_100 and tf_efficientnet") == 1
    assert warned.count("note: there are") == 1
    assert load("leaves.model").image_size == 32
    page = (leaves.parent / "leaves.html").read_text(encoding="utf-8")
    assert page.count('"healthy') > 0 and "0.png" in page


def test_a_silent_network_is_asked_once(leaves, settings, offline, capsys):
    assert main(["fit", "leaves"]) == 1
    assert len({address[0] for address in offline}) == 1
    assert "cannot be reached" in capsys.readouterr().out


def test_tiny_images_ask_no_network_and_warn_of_nothing(leaves, settings, offline, capsys):
    for file in leaves.rglob("*.png"):
        Image.open(file).resize((32, 32)).save(file)
    assert main(["fit", "leaves"]) == 1
    said, warned = capsys.readouterr()
    assert offline == [] and "too small for pretrained networks" in said
    assert warned == "p2pselect fit: enough\n"


def test_weights_in_a_folder_need_no_network(leaves, weights, settings, offline, capsys):
    assert main(["fit", "leaves", "--weights", "weights"]) == 1
    said, warned = capsys.readouterr()
    assert offline == [] and warned == "p2pselect fit: enough\n"
    assert "preset photos, mobilenetv2_100 + tf_efficientnet_lite0" in said
    files = "mobilenetv2_100.safetensors, tf_efficientnet_lite0.safetensors"
    assert f"weights from weights ({files})" in said
    assert settings["classifier"] == "tf_efficientnet_lite0"
    assert str(settings["pretrained"]) == "weights"


class Answers:
    """An explanation that knows which images it is about, and is right about the first."""

    multilabel = False

    def __init__(self, images):
        self.shades = [int(image.mean()) for image in images]
        self.predicted = np.array(["a"] * len(images))
        self.kept_fraction = np.linspace(0.2, 0.4, len(images))
        self.answered = np.arange(len(images)) == 0
        self.written = {}

    def to_html(self, path, y, **_):
        self.written.update(path=path, y=y.tolist())


@pytest.mark.parametrize(
    ("validation", "rows", "shades", "labels"),
    [(0.2, [1, 4], [1, 4], ["a", "b"]), ("pair", [], [7, 8], ["b", "a"])],
)
def test_figures_are_those_of_the_held_out_images(validation, rows, shades, labels, capsys):
    def images(values):
        return as_images(np.repeat(np.uint8(values), 192).reshape(-1, 8, 8, 3))

    made = []
    if validation == "pair":
        validation = images(shades), np.array(labels)
    clf = SimpleNamespace(
        validation=validation,
        history_=[],
        validation_rows_=np.array(rows, int),
        explain=lambda given: made.append(Answers(given)) or made[-1],
    )
    describe_model(clf, images(range(6)), np.array(["a"] * 4 + ["b"] * 2), Path("p.html"))
    assert made[0].shades == shades
    assert made[0].written == {"path": Path("p.html"), "y": labels}
    said = capsys.readouterr().out
    right = 100.0 if labels[0] == "a" else 0.0
    assert (
        f"on 2 images that were held out: 50.0% answered; right: {right}% of the answered, "
        "50.0% of all; pixels kept: 20.0% of the answered, 30.0% of all" in said
    )


# -- options ---------------------------------------------------------------------------------


def test_options_become_settings(leaves, weights, settings, capsys):
    arguments = ["--backbone", "resnet18", "--frozen", "--weights", "weights", "--seed", "3"]
    arguments += ["--lr", "0.01", "--class-weight", "balanced", "--device", "cpu"]
    arguments += "--patience 4 --validation none --segments 25 --flip --workers 1".split()
    arguments += "--resize crop --fill 0.1,0.2,1".split()
    assert main(["fit", "leaves", *arguments, "--image-size", "64x96", "--epochs", "8"]) == 1
    expected = {
        "selector": "resnet18",
        "classifier": "resnet18",
        "networks__frozen_share": 1.0,
        "networks__fill": (0.1, 0.2, 1.0),
        "random_state": 3,
        "lr": 0.01,
        "class_weight": "balanced",
        "device": "cpu",
        "validation": None,
        "regions__n_segments": 25,
        "augment": "flip",
        "training__num_workers": 1,
        "training__patience": 4,
        "training__lr_schedule": "constant",
        "resize": "crop",
        "image_size": (64, 96),
        "max_epochs": 8,
        "objective__warmup_epochs": 1,
        "verbose": 1,
    }
    assert {name: settings[name] for name in expected} == expected


def test_another_folder_can_be_held_out(leaves, settings):
    assert main(["fit", "leaves", "--preset", "small", "--validation", "leaves"]) == 1
    images, labels = settings["validation"]
    assert len(images) == 60 and sorted(set(labels)) == ["healthy", "rust"]


def test_the_presets(leaves, settings, weights, capsys):
    for preset, classifier in (
        ("small", "test_resnet"),
        ("photos", "tf_efficientnet_lite0"),
        ("paper", "vit_tiny_patch16_224"),
    ):
        arguments = ["--weights", "weights"] if preset == "photos" else []
        assert main(["fit", "leaves", "--preset", preset, *arguments]) == 1
        assert settings["classifier"] == classifier
        assert ("chosen: " in capsys.readouterr().out) == (preset != "paper")


def test_the_preset_of_the_paper_is_what_was_published(leaves, settings):
    assert main(["fit", "leaves", "--preset", "paper", "--epochs", "3", "--fill", "mean"]) == 1
    published = P2PClassifier(**presets.PAPER["coco10"]).get_params()
    given = {"max_epochs": 3, "networks__fill": "mean", "validation": "auto"}
    for name in published:
        if name not in (*given, "networks") and not name.startswith(("regions", "verbose")):
            assert str(settings[name]) == str(published[name]), name
    assert {name: settings[name] for name in given} == given


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--classifier", "resnet_18"], "did you mean 'resnet18'"),
        (["--backbone", "resnet18", "--selector", "resnet18"], "--backbone names both"),
        (["--weights", "nowhere"], "there is no folder 'nowhere'"),
        (["--weights", "weights", "--classifier", "resnet34"], "resnet34.safetensors would be"),
        (["--device", "abacus"], "device='abacus' cannot be used"),
        (["--frozen"], "there are no weights to keep of mobilenetv2_100"),
        (["--frozen", "--preset", "small"], "'small' has no pretrained weights to keep"),
        (["--validation", "nowhere"], "--validation: there is no folder nowhere"),
    ],
)
def test_wrong_options_are_one_line_before_anything_is_trained(
    arguments, words, leaves, weights, settings, capsys
):
    assert main(["fit", "leaves", *arguments]) == 1
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1 and settings == {}


# -- places ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "model"),
    [("leaves", "leaves"), ("leaves/", "leaves"), ("leaves/train", "leaves"), (".", "here")],
)
def test_the_model_is_named_after_its_photographs(folder, model, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert str(default_out(type(tmp_path)(folder))) == f"{model}.model"


def test_a_model_is_not_replaced_unasked(leaves, settings, capsys):
    (leaves.parent / "leaves.model").mkdir()
    (leaves.parent / "leaves.model" / "config.json").write_text(json.dumps({}))
    assert main(["fit", "leaves"]) == 1
    error = capsys.readouterr().err
    assert "leaves.model already holds a model" in error and "--out" in error
    assert main(["fit", "leaves", "--overwrite", "--preset", "small"]) == 1
    assert "enough" in capsys.readouterr().err


def test_a_page_that_nobody_named_is_not_replaced_unasked(leaves, settings, capsys):
    (leaves.parent / "leaves.html").write_text("mine")
    assert main(["fit", "leaves"]) == 1
    assert "leaves.html exists; --overwrite replaces it" in capsys.readouterr().err
    for more in (["--overwrite"], ["--html", "leaves.html"], ["--out", "leaves.v2"]):
        assert main(["fit", "leaves", "--preset", "small", *more]) == 1
        assert "enough" in capsys.readouterr().err


def test_what_is_measured_is_said_before_it_takes_its_time(monkeypatch):
    raw = io.BytesIO()
    terminal = io.TextIOWrapper(raw, encoding="utf-8", line_buffering=True)
    monkeypatch.setattr("sys.stdout", terminal)

    def explain(images):
        raise TimeoutError(raw.getvalue().decode())

    clf = SimpleNamespace(validation_rows_=np.arange(2), validation="auto", explain=explain)
    pixels = as_images(np.zeros((2, 8, 8, 3), np.uint8))
    with pytest.raises(TimeoutError, match="^on 2 images that were held out: $"):
        describe_model(clf, pixels, np.array(["a", "b"]), Path("p.html"))


def test_where_nothing_is_held_out_the_words_say_so(leaves, capsys):
    assert main(["fit", "leaves", *FAST, "--epochs", "1", "--preset", "small"]) == 0
    said = capsys.readouterr().out
    assert "on 60 of the images that it learned from (expect less on new ones): " in said
