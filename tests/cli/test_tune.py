"""``p2pselect tune``: the table is that of the metrics, and calibrating changes the model."""

import json

import numpy as np
import pytest
from PIL import Image

from p2pselect import P2PClassifier, datasets, load, presets
from p2pselect.cli import main
from p2pselect.metrics import threshold_curve


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """60 images in folders that are called as the model answers, so that most are right."""
    root = tmp_path_factory.mktemp("tune")
    scenes = datasets.make_digit_scenes(60, image_size=32, random_state=0)
    settings = {**presets.SMALL, "image_size": 32, "max_epochs": 1, "random_state": 0}
    clf = P2PClassifier(**settings).fit(scenes.images[:30], scenes.target[:30] % 2)
    clf.save(root / "model")
    exp = clf.explain(scenes.images)
    names = exp.predicted.astype(str)
    doubtful = np.argsort(exp.certainty)[:4]
    names[doubtful] = np.where(names[doubtful] == "0", "1", "0")
    for number, (image, name) in enumerate(zip(scenes.images, names, strict=True)):
        (root / "images" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(root / "images" / name / f"{number:02d}.png")
    return root


@pytest.fixture
def model(folder, tmp_path):
    load(folder / "model").save(tmp_path / "model")
    return tmp_path / "model"


def test_the_table_is_that_of_the_metrics(folder, model, tmp_path, capsys):
    arguments = ["tune", str(model), str(folder / "images"), "--json", str(tmp_path / "t.json")]
    before = (model / "config.json").read_bytes()
    assert main([*arguments, "--figure", str(tmp_path / "t.png")]) == 0
    found = json.loads((tmp_path / "t.json").read_text())
    images, labels = datasets.load_image_folder(folder / "images")
    exp = load(model).explain(images, whole_path=True)
    curve = threshold_curve(
        exp, labels.astype(int), found["certainty"], fallback="most_certain"
    )
    for name, values in zip(
        ("answered", "right", "right_of_all", "kept", "kept_of_all"), curve[1:], strict=True
    ):
        np.testing.assert_allclose(np.array(found[name], float), values, rtol=1e-6)
    printed = capsys.readouterr().out
    assert "60 images" in printed and "0.999" in printed
    with Image.open(tmp_path / "t.png") as figure:
        assert min(figure.size) > 300
    assert (model / "config.json").read_bytes() == before


def test_calibrating_changes_the_model_and_says_what_it_gives(folder, model, capsys):
    arguments = ["tune", str(model), str(folder / "images"), "--calibrate"]
    assert main([*arguments, "--max-error", "0.3", "--alpha", "0.2"]) == 0
    calibration = load(model).calibration_
    answered, right = calibration.answers(calibration.bound)
    said = capsys.readouterr().out
    assert "at most 30.0% of the answers wrong" in said
    assert f"here {answered} of 60 images are answered, {right} of them correctly" in said
    assert main(arguments) == 0  # again, and from the classifier's own word
    assert load(model).calibration_.bound is None


@pytest.mark.filterwarnings("ignore:1 of 2 classes are not answered")
def test_sets_and_bounds_by_class(folder, model, capsys):
    arguments = [
        "tune",
        str(model),
        str(folder / "images"),
        "--calibrate",
        "--set-error",
        "0.2",
    ]
    asked = ["--max-error", "0.4", "--alpha", "0.3", "--per-class"]
    assert main([*arguments, *asked]) == 0
    calibrated = load(model)
    assert calibrated.calibration_.answered_classes is not None
    assert "of 30 images are certain enough (and answered as " in capsys.readouterr().out
    image = sorted((folder / "images").rglob("*.png"))[0]
    assert main(["predict", str(model), str(image)]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.endswith("p(0),p(1),prediction_set")
    exp = calibrated.explain([image])
    assert row.rsplit(",")[-1] == "|".join(np.array(["0", "1"])[exp.prediction_sets[0]])
    assert main(["predict", str(model), str(image), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)[0]["prediction_set"]
    assert "|".join(found) == row.rsplit(",")[-1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--max-error", "0.1"], "pass --calibrate"),
        (["--set-error", "0.1"], "--set-error says how to calibrate: pass --calibrate"),
        (["--calibrate", "--per-class"], "pass --max-error"),
        (["--calibrate", "--max-error", "1"], "must be below 1"),
        (["--calibrate", "--max-error", "0.001"], "needs at least 2302"),
    ],
)
def test_what_cannot_be_done_leaves_the_model_alone(folder, model, options, words, capsys):
    before = (model / "config.json").read_bytes()
    assert main(["tune", str(model), str(folder / "images"), *options]) == 1
    assert words in capsys.readouterr().err
    assert (model / "config.json").read_bytes() == before
