"""What the commands print and write is what the estimator and the metrics say."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from oracles.toy_classifier import ToyClassifier, make_toy_scenes
from PIL import Image

from p2pselect import metrics
from p2pselect.cli import main

SIDE = 16


class Model(ToyClassifier):
    """A model of images of one size, which is certain about every third image."""

    image_size = SIDE
    resize = "stretch"
    multilabel_ = False

    def _meaning(self, fitted):
        return {}

    def explain(self, X, target=None):
        exp = super().explain(X.batch(slice(None), SIDE))
        return replace(exp, answered=np.arange(len(exp)) % 3 == 0)


@pytest.fixture(scope="module")
def scenes():
    X, y, masks = make_toy_scenes(18)
    order = np.argsort(y, kind="stable")  # that of the folders
    return X[order], y[order], masks[order]


@pytest.fixture(scope="module")
def folder(scenes, tmp_path_factory):
    root = tmp_path_factory.mktemp("scenes")
    for number, (image, name, mask) in enumerate(zip(*scenes, strict=True)):
        for part, pixels in (("images", image), ("masks", mask)):
            (root / part / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(root / part / name / f"{number}.png")
    return root


@pytest.fixture
def model(scenes, monkeypatch):
    X, y, _ = scenes
    # Some of the training labels are wrong, so that some of the answers are.
    model = Model(tau=0.25).fit(X, np.roll(y, 2))
    monkeypatch.setattr("p2pselect.cli._files.load_model", lambda *_: model)
    return model


def explained(model, folder):
    """The explanation, labels and masks of the folder in the order of its files."""
    from p2pselect.datasets import load_image_folder, load_mask_folder

    images, labels = load_image_folder(folder / "images")
    return model.explain(images), labels, load_mask_folder(folder / "masks", images)


def test_evaluate(model, folder, tmp_path, capsys):
    arguments = ["evaluate", "m", str(folder / "images"), "--masks-dir", str(folder / "masks")]
    assert main([*arguments, "--json", str(tmp_path / "f.json")]) == 0
    found = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    exp, labels, masks = explained(model, folder)
    right = exp.predicted == labels
    assert 0 < right.mean() < 1
    expected = {
        "n_images": 18,
        "accuracy": right.mean(),
        "kept_fraction": exp.kept_fraction.mean(),
        "coverage": 1 / 3,
        "selective_accuracy": right[::3].mean(),
        "answered_kept_fraction": exp.kept_fraction[::3].mean(),
        "calibration_error": metrics.expected_calibration_error(right, exp.certainty),
        "calibration_error_floor": metrics.calibration_error_floor(exp.certainty),
        "insertion_fidelity": metrics.insertion_fidelity_curve(
            exp, model.predict_proba_masked
        ).area,
        "deletion_fidelity": metrics.deletion_fidelity_curve(
            exp, model.predict_proba_masked
        ).area,
        "n_masks": 18,
        "n_masks_taught": 0,
        "localization": metrics.localization_score(exp.pixel_masks, masks),
        "empty": 0,
        "random_localization": metrics.random_localization(masks),
        "center_localization": metrics.center_localization(exp.pixel_masks, masks),
    }
    assert found == pytest.approx({name: float(value) for name, value in expected.items()})
    printed = capsys.readouterr().out.splitlines()
    for name, value in found.items():
        (line,) = [line for line in printed if line.split()[0] == name]
        assert float(line.split()[1]) == pytest.approx(value, abs=1e-4)
    for name in np.unique(labels):
        (line,) = [line for line in printed if line.split()[0] == name]
        assert f"{right[labels == name].mean():.4f}," in line


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize("at_once", [3, 1000])
def test_predict(model, folder, form, at_once, tmp_path, monkeypatch, capsys):
    model.batch_size = 1
    monkeypatch.setattr("p2pselect.cli._predict._BATCHES", at_once)
    out = tmp_path / "p"
    arguments = ["predict", "m", str(folder / "images"), "--format", form]
    assert main([*arguments, "--out", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    rows = json.loads(text) if form == "json" else list(csv.DictReader(text.splitlines()))
    exp, _, _ = explained(model, folder)
    assert [row["prediction"] for row in rows] == exp.predicted.tolist()
    assert len(set(exp.predicted)) > 1
    for row, proba in zip(rows, exp.proba, strict=True):
        assert float(row["certainty"]) == pytest.approx(proba.max(), abs=1e-6)
        own = [float(row[f"p({name})"]) for name in model.classes_]
        np.testing.assert_allclose(own, proba, atol=1e-6)
    kept = [float(row["kept_fraction"]) for row in rows]
    np.testing.assert_allclose(kept, exp.kept_fraction, atol=1e-6)
    answered = [row["answered"] for row in rows]
    expected = exp.answered.tolist()
    assert answered == (expected if form == "json" else [str(value) for value in expected])
    reasons = [row["unanswered_reasons"] for row in rows]
    why = exp.unanswered_reasons
    assert ["uncertain"] in why
    assert reasons == (why if form == "json" else ["|".join(one) for one in why])
    out, error = capsys.readouterr()
    assert error == said_of(*explained(model, folder)[:2]) and not out


def said_of(exp, labels):
    """The line about answers, of images whose folders are named like classes."""
    right, kept = exp.predicted == labels, exp.kept_fraction
    assert right[::3].mean() != right.mean()
    return (
        f"18 images: 33.3% answered; right: {right[::3].mean():.1%} of the answered, "
        f"{right.mean():.1%} of all; pixels kept: {kept[::3].mean():.1%} of the answered, "
        f"{kept.mean():.1%} of all\n"
    )


def test_predict_writes_a_label_for_what_is_not_answered(model, folder, capsys):
    model.batch_size = 4
    command = ["predict", "m", str(folder / "images")]
    assert main(command) == 0
    rows, said = capsys.readouterr()
    assert main([*command, "--reject", "no answer"]) == 0
    rejected, same = capsys.readouterr()
    assert same == said and "33.3% answered" in said
    pairs = zip(*(csv.DictReader(text.splitlines()) for text in (rows, rejected)), strict=True)
    for i, (row, other) in enumerate(pairs):
        assert other == row | ({"prediction": "no answer"} if i % 3 else {})


def test_of_nothing_that_is_answered_no_share_is_right():
    from p2pselect.cli._answers import answers_in_words

    answered, kept = np.zeros(2, bool), np.array([0.25, 0.75])
    words = answers_in_words(answered, kept, np.array([True, False]))
    assert words == "0.0% answered; right: 50.0% of all; pixels kept: 50.0% of all"
    words = answers_in_words(~answered, kept)
    assert words == "100.0% answered; pixels kept: 50.0% of the answered, 50.0% of all"


def test_explain(model, folder, tmp_path, capsys):
    arguments = ["explain", "m", str(folder / "images"), "--masks", str(tmp_path / "m")]
    assert main([*arguments, "--json", str(tmp_path / "f.json")]) == 0
    rows = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    exp, labels, _ = explained(model, folder)
    assert capsys.readouterr().out.endswith(said_of(exp, labels))
    assert len(rows) == len(exp)
    for i, row in enumerate(rows):
        assert row["prediction"] == exp.predicted[i]
        assert row["answered"] == (i % 3 == 0)
        assert row["unanswered_reasons"] == exp.unanswered_reasons[i]
        assert row["certainty"] == pytest.approx(exp.certainty[i])
        assert row["kept_fraction"] == pytest.approx(exp.kept_fraction[i])
        kept = np.asarray(Image.open(row["mask"])) > 0
        np.testing.assert_array_equal(kept, exp.pixel_masks[i])


def test_another_certainty_is_heard(monkeypatch):
    from p2pselect import P2PClassifier
    from p2pselect.cli._files import load_model

    monkeypatch.setattr("p2pselect.persistence.load", lambda path: P2PClassifier())
    assert load_model("m", None).certainty_threshold == P2PClassifier().certainty_threshold
    assert load_model("m", 0.5).certainty_threshold == 0.5
