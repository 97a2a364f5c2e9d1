"""An exported model answers as its estimator does, on a machine without torch."""

import copy
import json
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from p2pselect import P2PClassifier, SuperpixelTransformer, datasets, export_onnx
from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.exceptions import InputError, ModelFileError
from p2pselect.methods import BlackboxClassifier
from p2pselect.onnx_export import _settings
from p2pselect.runtime import load_exported

ROOT = Path(__file__).resolve().parents[1]
#: What the page about exporting installs; everything else must not be needed.
NEEDED = {"numpy", "pillow", "onnxruntime"}


@pytest.fixture(scope="module", autouse=True)
def _onnxruntime():
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


@pytest.fixture(scope="module")
def scenes():
    return datasets.make_digit_scenes(60, image_size=32, random_state=0)


def selector(n_maps):
    """At a fourth of the images' resolution."""
    return decided(nn.Conv2d(3, n_maps, 5, stride=4, padding=2))


def classifier(n_classes):
    return nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), decided(nn.Linear(48, n_classes)))


def decided(layer):
    """Says more than random weights do, about as much as if it had learned."""
    with torch.no_grad():
        layer.weight.mul_(8)
    return layer


SETTINGS = {
    "selector": selector,
    "classifier": classifier,
    "pretrained": False,
    "regions": SuperpixelTransformer(n_segments=16),
    "image_size": 32,
    "max_epochs": 0,
    "validation": None,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def clf(scenes):
    clf = P2PClassifier(**SETTINGS)
    clf.fit(scenes.images, np.array(["a", "b", "c"])[scenes.target % 3])
    return clf.set_params(certainty_threshold=in_a_gap(clf, scenes.images))


def in_a_gap(clf, X, target=None):
    """A certainty that about a fifth of the path's steps reach, and none of them nearly."""
    exp = clf.explain(X, certainty_threshold=1.0, target=target)
    path = exp._kind.certainty(exp.path_proba)
    values = np.unique(path[path <= np.nanquantile(path, 0.8)])[-20:]
    widest = np.diff(values).argmax()
    return float(values[widest : widest + 2].mean())


@pytest.fixture(scope="module")
def exported(clf, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports") / "digits.onnx"
    export_onnx(clf, folder)
    return folder


@pytest.fixture
def export(exported, tmp_path):
    """Exports an estimator whose networks are those of ``clf``."""

    def as_exported(estimator):
        folder = tmp_path / "changed.onnx"
        shutil.copytree(exported, folder, dirs_exist_ok=True)
        (folder / "settings.json").write_text(json.dumps(_settings(estimator)))
        return load_exported(folder)

    return as_exported


@pytest.fixture
def photographs(scenes, tmp_path):
    """Files of several sizes and aspects."""
    paths = []
    for i, image in enumerate(scenes.images[:12]):
        path = tmp_path / f"{i}.png"
        Image.fromarray(image).resize((32 + 8 * (i % 3), 32 + 5 * (i % 4))).save(path)
        paths.append(path)
    return paths


def assert_same(found, expected):
    """Two explanations are equal: what is decided exactly, numbers but for rounding."""
    for field in fields(ExplanationArrays):
        mine, theirs = getattr(found, field.name), getattr(expected, field.name)
        if field.name == "originals":
            continue
        if theirs is None or isinstance(theirs, str | tuple):
            assert mine == theirs, field.name
            continue
        assert np.shape(mine) == np.shape(theirs), field.name
        if np.asarray(theirs).dtype.kind == "f":
            np.testing.assert_allclose(mine, theirs, atol=1e-4, rtol=1e-4, err_msg=field.name)
        else:
            np.testing.assert_array_equal(mine, theirs, err_msg=field.name)
    assert found.unanswered_reasons == expected.unanswered_reasons
    np.testing.assert_array_equal(found.kept_fraction, expected.kept_fraction)


def test_the_same_answers_and_regions(clf, exported, scenes, photographs):
    own = load_exported(exported)
    np.testing.assert_array_equal(own.classes_, clf.classes_)
    for X in (scenes.images[:20], photographs, photographs[5], scenes.images[:3] / 255):
        expected = clf.explain(X)
        found = own.explain(X)
        assert_same(found, expected)
        np.testing.assert_array_equal(own.predict(X), clf.predict(X))
        np.testing.assert_allclose(own.predict_proba(X), clf.predict_proba(X), atol=1e-4)
        masks = zip(
            found.masks_at_original_size(), expected.masks_at_original_size(), strict=True
        )
        assert all(np.array_equal(*pair) for pair in masks)
    # A model that shows everything, or is certain of everything, would agree in any case.
    every = clf.explain(scenes.images)
    assert 0.05 <= every.kept_fraction.mean() <= 0.7 and 0.5 < every.answered.mean() < 1
    assert len(np.unique(every.tau)) >= 4


@pytest.mark.parametrize(
    "changes",
    [
        {"selection": "budget"},
        {"search__fallback": "everything"},
        {"search__allow_empty": True},
        {"tau": 0.4},
        {"tau": 0.4, "selection": "budget"},
    ],
    ids=str,
)
def test_every_way_to_select(clf, export, scenes, changes):
    own = copy.deepcopy(clf).set_params(**changes)
    X = scenes.images[20:32]
    own.set_params(certainty_threshold=in_a_gap(own, X))
    assert_same(export(own).explain(X), own.explain(X))


@pytest.mark.parametrize("fill", ["blur", "noise", (0.2, 0.4, 0.6)], ids=str)
def test_what_takes_the_place_of_removed_pixels(scenes, tmp_path, fill):
    X, several = scenes.images[:20], np.eye(4, dtype=int)[:, :3][scenes.target[:20] % 4]
    y = several if fill == "blur" else several[:, 0]
    own = P2PClassifier(**SETTINGS).set_params(networks__fill=fill)
    own.set_params(networks__label_masks=fill == "blur").fit(X, y)
    own.set_params(certainty_threshold=in_a_gap(own, X))
    export_onnx(own, tmp_path / "filled.onnx")
    served = load_exported(tmp_path / "filled.onnx")
    assert_same(served.explain(X), own.explain(X))
    np.testing.assert_array_equal(served.predict(X), own.predict(X))
    assert own.explain(X).kept_fraction.mean() < 0.9


@pytest.mark.parametrize("own_masks", [False, True])
def test_one_label_alone(clf, exported, scenes, tmp_path, own_masks):
    X, several = scenes.images[:20], np.eye(4, dtype=int)[:, :3][scenes.target[:20] % 4]
    own = P2PClassifier(**SETTINGS).set_params(networks__label_masks=own_masks)
    own.partial_fit(X, several, classes=["a", "b", "c"])
    own.set_params(certainty_threshold=in_a_gap(own, X, "b"))
    own.calibrate(X, own.predict(X))
    # What is asked of all labels together is nothing that is asked of one.
    own.calibration_ = replace(own.calibration_, bound=0.9, max_error=0.25)
    export_onnx(own, tmp_path / "labels.onnx")
    served = load_exported(tmp_path / "labels.onnx")
    expected = own.explain(X, target="b")
    assert_same(served.explain(X, target="b"), expected)
    assert 0.1 < expected.answered.mean() < 1 and expected.kept_fraction.mean() < 0.9
    assert served.explain(X).certainty_threshold == own.explain(X).certainty_threshold == 0.75
    orders = [served.explain(X, target=name).selection_logits for name in ("a", "b")]
    assert (orders[0] != orders[1]).any() == own_masks
    with pytest.raises(InputError, match=r"target must be one of \['a', 'b', 'c'\], got 'd'"):
        served.explain(X, target="d")
    with pytest.raises(InputError, match="was fitted with one class per image"):
        load_exported(exported).explain(X, target="a")


def test_a_budget_of_pixels(clf, exported, scenes):
    X = scenes.images[:12]
    found = load_exported(exported).explain(X, max_kept=0.3)
    assert_same(found, clf.explain(X, max_kept=0.3))
    assert found.kept_fraction.max() <= 0.3
    with pytest.raises(InputError, match=r"max_kept must be a number in \(0, 1\], got 0"):
        load_exported(exported).explain(X, max_kept=0)


def test_calibrated_unfamiliar_and_unsafe(clf, export, scenes):
    X, own = scenes.images[:30], copy.deepcopy(clf)
    own.calibrate(X, own.predict(X), set_error=0.3)
    exp = own.explain(X)
    found = export(own).explain(X)
    # At an edge of a set, rounding would decide.
    report = own._stop_report("dynamic", None)
    words = own._run(X).search().proba
    edge = np.abs(words[:, :, None] - report.set_proba).min(axis=(1, 2)) < 1e-4
    assert edge.mean() < 0.5
    assert_same(found[~edge], exp[~edge])
    own.calibration_ = replace(
        own.calibration_,
        bound=report.threshold,
        answered_classes=np.array([False, True, True]),
        lowest_familiarity=float(np.median(exp.familiarity)) + 1e-3,
    )
    served = export(own)
    assert_same(served.explain(X)[~edge], own.explain(X)[~edge])
    reasons = {reason for some in own.explain(X).unanswered_reasons for reason in some}
    assert {"unfamiliar", "class"} <= reasons
    labels = served.predict(X, reject="not answered")
    np.testing.assert_array_equal(labels, own.predict(X, reject="not answered"))
    assert 0 < (labels == "not answered").mean() < 1
    assert set(served.predict(X, reject=-1).tolist()) >= {-1}
    own.calibration_ = replace(own.calibration_, bound=np.inf, answered_classes=None)
    nothing = export(own).explain(X[:4])
    assert_same(nothing, own.explain(X[:4]))
    assert nothing.stop_certainty == np.inf and not nothing.answered.any()


def test_other_channels_ranges_and_label_types(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.integers(300, 900, (16, 24, 24, 2)).astype(np.uint16)
    X[::2, 4:14, 6:16, 1] += 1500
    clf = P2PClassifier(
        selector=lambda n_maps: nn.Conv2d(2, n_maps, 3, stride=2, padding=1),
        classifier=lambda n_classes: nn.Sequential(nn.Flatten(), nn.Linear(1152, n_classes)),
        pretrained=False,
        regions=halves,
        image_size=24,
        max_epochs=0,
        validation=None,
        random_state=0,
    ).set_params(
        images__n_channels=2,
        images__value_range="percentiles",
        images__display_channels=((1, "cyan"), (0, "gray")),
    )
    clf.fit(X, np.arange(16, dtype=np.int16) % 2)
    # Before anything was predicted, so that nothing is kept from a first call.
    export_onnx(clf, tmp_path / "cells.onnx")
    with pytest.raises(InputError, match=r"function, .* cannot hold: pass engine="):
        load_exported(tmp_path / "cells.onnx")
    served = load_exported(tmp_path / "cells.onnx", engine=halves)
    assert served.classes_.dtype == np.int16
    assert_same(served.explain(X), clf.explain(X))
    with pytest.raises(InputError, match="n_channels=2"):
        served.predict(np.zeros((1, 24, 24, 3), np.uint16))


def halves(image):
    return (np.indices(image.shape[:2])[1] >= image.shape[1] // 2).astype(int)


REFUSING = """
import json, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {refused}:
            raise ModuleNotFoundError("refused: " + name)

sys.meta_path.insert(0, Refuse())
from p2pselect.runtime import load_exported
clf = load_exported({folder!r})
exp = clf.explain({paths!r})
print(json.dumps([clf.predict({paths!r}).tolist(), exp.proba.tolist(), exp.tau.tolist(),
                  exp.region_masks.tolist(), exp.unanswered_reasons]))
"""


def test_nothing_else_has_to_be_installed(clf, exported, photographs):
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    packages = {re.match(r"[\w-]+", line).group() for line in stated}
    modules = {"scikit-learn": "sklearn", "scikit-image": "skimage"}
    refused = {modules.get(name, name.replace("-", "_")) for name in packages - NEEDED}
    assert {"torch", "skorch", "timm", "scipy", "sklearn", "numba"} <= refused
    paths = list(map(str, photographs))
    program = REFUSING.format(refused=refused, folder=str(exported), paths=paths)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    labels, proba, tau, masks, reasons = json.loads(done.stdout)
    expected = clf.explain(photographs)
    assert labels == clf.predict(photographs).tolist()
    np.testing.assert_allclose(proba, expected.proba, atol=1e-4)
    assert tau == expected.tau.tolist() and masks == expected.region_masks.tolist()
    assert reasons == expected.unanswered_reasons


def test_other_methods_are_refused(scenes, tmp_path):
    own = {name: SETTINGS[name] for name in SETTINGS if name != "selector"}
    other = BlackboxClassifier(**own).fit(scenes.images, scenes.target % 2)
    with pytest.raises(InputError, match="a fitted P2PClassifier, got a BlackboxClassifier"):
        export_onnx(other, tmp_path / "other.onnx")


def test_what_is_not_an_export_is_refused(clf, exported, tmp_path):
    with pytest.raises(ModelFileError, match="nowhere' is not an export: it has no settings"):
        load_exported(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is 'slic', and no other will do"):
        load_exported(exported, engine=halves)
    settings = json.loads((exported / "settings.json").read_text())
    for text, message in (
        ("{", "JSONDecodeError"),
        (json.dumps({**settings, "format": 99}), "has format 99, .* export the model again"),
        (json.dumps({k: v for k, v in settings.items() if k != "tau"}), "KeyError: 'tau'"),
    ):
        shutil.rmtree(tmp_path / "odd", ignore_errors=True)
        shutil.copytree(exported, tmp_path / "odd")
        (tmp_path / "odd" / "settings.json").write_text(text)
        with pytest.raises(ModelFileError, match=message):
            load_exported(tmp_path / "odd")
    (tmp_path / "odd" / "settings.json").write_text(json.dumps(settings))
    (tmp_path / "odd" / "classifier.onnx").write_bytes(b"no network")
    with pytest.raises(ModelFileError, match="is not a readable p2pselect model"):
        load_exported(tmp_path / "odd")
