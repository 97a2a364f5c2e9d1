import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from p2pselect import P2PClassifier, SuperpixelTransformer, datasets, export_onnx, presets
from p2pselect._answering import FALLBACKS
from p2pselect.exceptions import InputError
from p2pselect.runtime import load_exported

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


@pytest.fixture(scope="module")
def scenes():
    return datasets.make_digit_scenes(60, image_size=32, random_state=0)


@pytest.fixture(scope="module")
def clf(scenes):
    settings = {
        **presets.SMALL,
        "image_size": 32,
        "max_epochs": 2,
        "objective__warmup_epochs": 1,
        "objective__random_share": 0.0,  # learns something in two epochs
        "regions": SuperpixelTransformer(n_segments=16),
    }
    return (
        P2PClassifier()
        .set_params(**settings, random_state=0)
        .fit(scenes.images, scenes.target % 3)
    )


def session(path):
    running = onnxruntime.InferenceSession(str(path))
    return lambda images: running.run(None, {"images": images})[0]


def reported(proba, settings):
    """Class probabilities with a calibrated certainty: found by trying temperatures."""
    p = float(proba.max())
    curve = "answered" if p >= settings["report"]["threshold"] else "unanswered"
    slope, intercept = settings["report"][curve]
    wanted = 1 / (1 + np.exp(-slope * np.log(p / (1 - p)) - intercept))
    wanted = max(wanted, 1 / len(proba) + 1e-4)
    powers = np.exp(np.linspace(-12, 12, 200_001))[:, None]
    tried = np.exp(np.log(proba / p) * powers)
    tried /= tried.sum(axis=1, keepdims=True)
    return tried[np.abs(tried.max(axis=1) - wanted).argmin()]


def members(proba, settings):
    """The prediction set."""
    report = settings["report"]
    found = proba >= report["set_proba"][0 if proba.max() >= report["threshold"] else 1]
    found[proba.argmax()] = True
    return found


def served(folder, images, regions):
    """Predictions as a program without torch makes them, with the classifier's own word."""
    settings = json.loads((folder / "settings.json").read_text())
    select, classify = (session(folder / f"{name}.onnx") for name in ("selector", "classifier"))
    maps = select(images)[:, 0]
    stop = (settings["report"] or {"threshold": settings["certainty_threshold"]})["threshold"]
    all_proba, all_masks = [], []
    for image, labels, scores in zip(images, regions, maps, strict=True):
        areas = np.bincount(labels.ravel())
        logits = np.bincount(labels.ravel(), scores.ravel()) / np.maximum(areas, 1)
        logits[areas == 0] = -np.inf
        best = said = None
        for offset in settings["logit_offset"]:
            kept = logits + offset > 0
            if not settings["allow_empty"]:
                kept[logits.argmax()] = True
            mask = kept[labels]
            proba = classify((image * mask)[None])[0]
            if said != proba.argmax():
                said, since = proba.argmax(), (proba, mask)
            if best is None or proba.max() > best[0].max():
                best, settled = (proba, mask), since
            if proba.max() >= stop:
                break
        else:
            if settings["fallback"] != "everything":
                proba, mask = settled if settings["fallback"] == "settled" else best
        all_proba.append(proba)
        all_masks.append(mask)
    return np.array(all_proba), np.array(all_masks)


def test_the_networks_are_the_same(clf, scenes, tmp_path):
    export_onnx(clf, tmp_path / "digits.onnx")
    for n in (1, 5):
        images = torch.tensor(scenes.images[:n]).permute(0, 3, 1, 2).float() / 255
        found = session(tmp_path / "digits.onnx" / "classifier.onnx")(images.numpy())
        with torch.inference_mode():
            expected = clf.module_.classifier(images).softmax(dim=1).numpy()
        np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)


def test_a_program_without_torch_predicts_the_same(clf, scenes, tmp_path, monkeypatch):
    X = scenes.images[:20]
    path = clf.explain(X, certainty_threshold=1.0).path_proba.max(axis=2)
    # Between two certainties: at one of them, a rounding error would decide where it stops.
    values = np.unique(path[path <= np.quantile(path, 0.35)])[-20:]
    widest = np.diff(values).argmax()
    monkeypatch.setattr(clf, "certainty_threshold", float(values[widest : widest + 2].mean()))
    export_onnx(clf, tmp_path / "digits.onnx")
    images = (X.transpose(0, 3, 1, 2) / 255).astype(np.float32)
    proba, masks = served(tmp_path / "digits.onnx", images, clf.regions_.propose_batch(X))
    # With everything shown, a classifier that ignores masks would predict the same.
    assert 0.05 <= masks.mean() <= 0.6
    np.testing.assert_allclose(proba, clf.predict_proba(X), atol=1e-4, rtol=0)
    np.testing.assert_array_equal(masks, clf.transform(X))
    own = load_exported(tmp_path / "digits.onnx").explain(X)
    np.testing.assert_allclose(own.proba, clf.predict_proba(X), atol=1e-4, rtol=0)
    np.testing.assert_array_equal(own.pixel_masks, clf.transform(X))


def test_calibrated_certainty_travels(clf, scenes, tmp_path):
    X, own = scenes.images[:20], copy.deepcopy(clf).set_params(certainty_threshold=0.6)
    proba = own.predict_proba(X)
    own.calibrate(X, proba.argmax(axis=1), set_error=0.3)
    assert np.abs(own.predict_proba(X) - proba).max() > 0.05
    export_onnx(own, tmp_path / "digits.onnx")
    images = (X.transpose(0, 3, 1, 2) / 255).astype(np.float32)
    words, masks = served(tmp_path / "digits.onnx", images, own.regions_.propose_batch(X))
    settings = json.loads((tmp_path / "digits.onnx" / "settings.json").read_text())
    found = [reported(row, settings) for row in words]
    np.testing.assert_allclose(found, own.predict_proba(X), atol=1e-3, rtol=0)
    np.testing.assert_array_equal(masks, own.transform(X))
    sets = own.explain(X).prediction_sets
    edges = settings["report"]["set_proba"]
    at_an_edge = np.abs(words[:, :, None] - edges).min(axis=(1, 2)) < 1e-4
    wanted = [row.tolist() for row in sets[~at_an_edge]]
    assert len(wanted) >= 10
    assert [members(row, settings).tolist() for row in words[~at_an_edge]] == wanted
    lowest = float(np.median(own.explain(X).familiarity)) + 1e-3
    own.calibration_ = replace(
        own.calibration_,
        bound=settings["report"]["threshold"],
        answered_classes=np.array([False, True, True]),
        lowest_familiarity=lowest,
    )
    export_onnx(own, tmp_path / "digits.onnx")
    settings = json.loads((tmp_path / "digits.onnx" / "settings.json").read_text())
    assert settings["report"]["answered_classes"] == [False, True, True]
    assert settings["report"]["lowest_familiarity"] == lowest


@pytest.mark.parametrize("fallback", FALLBACKS)
def test_images_that_stay_uncertain_fall_back_to_the_same_mask(clf, scenes, tmp_path, fallback):
    path = clf.explain(scenes.images, certainty_threshold=1.0).path_proba.max(axis=2)
    # Where two masks are almost equally certain, a rounding error would decide.
    best = [np.unique(row.round(5))[-2:] for row in path]
    X = scenes.images[[len(two) == 2 and two[1] - two[0] > 1e-3 for two in best]][:10]
    assert len(X) >= 5
    own = copy.deepcopy(clf).set_params(certainty_threshold=1.0, search__fallback=fallback)
    export_onnx(own, tmp_path / "digits.onnx")
    images = (X.transpose(0, 3, 1, 2) / 255).astype(np.float32)
    proba, masks = served(tmp_path / "digits.onnx", images, clf.regions_.propose_batch(X))
    assert masks.all() == (fallback == "everything")
    np.testing.assert_allclose(proba, own.predict_proba(X), atol=1e-4, rtol=0)
    np.testing.assert_array_equal(masks, own.transform(X))


def test_an_export_is_replaced_and_nothing_else(clf, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("do not touch")
    with pytest.raises(InputError, match="mine exists and is not an export"):
        export_onnx(clf, tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "do not touch"
    for _ in range(2):
        export_onnx(clf, tmp_path / "digits.onnx")
    names = sorted(path.name for path in (tmp_path / "digits.onnx").iterdir())
    assert names == ["classifier.onnx", "selector.onnx", "settings.json"]
