"""Every method with everything that can stand in the place of removed pixels."""

from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest
import torch
from methods.test_faithful import HARD, SOFT, assert_hidden_pixels_do_not_matter
from torch import nn

from p2pselect import load
from p2pselect.exceptions import InputError
from p2pselect.methods import METHODS, JudgeClassifier, P2PClassifier
from p2pselect.methods._comet import COMETObjective
from p2pselect.metrics import (
    complement_disagreement,
    deletion_fidelity_curve,
    insertion_fidelity_curve,
)
from p2pselect.nn import SelectiveModel, apply_mask, to_pixels
from p2pselect.presets import settings_for
from p2pselect.testing._faithfulness import check_removed_pixels_do_not_matter

FILLS = ["mean", 0.5, "blur", "noise"]
P2P = {"selection": "budget"}
#: P2P with each fill, and each other method with the next one: they share how they predict.
FAMILY = [*(("p2p", fill) for fill in FILLS), *zip(HARD, cycle(FILLS), strict=False)]


@pytest.fixture(scope="module")
def fitted(make, X, y):
    """Methods before their first epoch, as those whose masks are tested elsewhere."""
    models = {}

    def build(name, fill, **settings):
        key = (name, fill, *sorted(settings.items()))
        if key not in models:
            method = METHODS[name].cls
            asked = {"max_epochs": 0, "tau": 0.3, "networks__fill": fill, **settings}
            models[key] = make(method, **settings_for(method, asked)).fit(X[:12], y[:12])
        return models[key]

    return build


def caught(clf, call):
    """What reaches the classifier network."""
    got = []
    hook = clf.module_.classifier.register_forward_pre_hook(lambda _, x: got.append(x[0]))
    try:
        result = call()
    finally:
        hook.remove()
    return result, got


@pytest.mark.parametrize(("name", "fill"), FAMILY, ids=str)
def test_removed_pixels_do_not_matter_whatever_the_fill(name, fill, fitted, X):
    clf = fitted(name, fill, **({**HARD, "p2p": P2P}[name]))
    assert_hidden_pixels_do_not_matter(clf, X[:6])
    exp, got = caught(clf, lambda: clf.explain(X[:6]))
    shown = torch.from_numpy(exp.masked_images).permute(0, 3, 1, 2)
    torch.testing.assert_close(got[-1], shown, rtol=0, atol=1e-5)
    assert exp.fill == clf.fill_ != "black"
    # Nothing is black there.
    seen, hidden = (a[~exp.pixel_masks] for a in (exp.masked_images, exp.images / 255))
    assert seen.mean() > 0.1 and abs(seen - hidden).max() > 0.1


@pytest.mark.parametrize(
    ("name", "fill"),
    [("comet", 0.5), ("comet1", "blur"), ("infomask", 0.5), ("rbaem", "noise")],
)
def test_continuous_masks_blend_with_the_fill(name, fill, fitted, X):
    clf = fitted(name, fill, **SOFT[name])
    exp, got = caught(clf, lambda: clf.explain(X[:6]))
    shown = torch.from_numpy(exp.masked_images).permute(0, 3, 1, 2)
    torch.testing.assert_close(got[-1], shown, rtol=0, atol=1e-5)
    if fill == 0.5:
        soft = exp.to_pixels(exp.soft_region_masks)[..., None]
        expected = soft * (exp.images / 255) + (1 - soft) * 0.5
        np.testing.assert_allclose(exp.masked_images, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["blackbox", "bcos"])
def test_a_method_that_removes_nothing_has_no_fill(name):
    assert "networks__fill" not in METHODS[name].cls().get_params()


def test_the_mean_is_that_of_the_training_images(make, X, y, tmp_path):
    clf = make(P2PClassifier, max_epochs=0, networks__fill="mean", validation=None).fit(X, y)
    np.testing.assert_allclose(clf.fill_, X.mean(axis=(0, 1, 2)) / 255, rtol=1e-6)
    clf.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.fill_ == clf.fill_ and again.module_.classifier.fill == clf.fill_
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    exp = clf.explain(X[:4])
    exp.save(tmp_path / "explanation")
    stored = type(exp).load(tmp_path / "explanation")
    assert stored.fill == clf.fill_
    np.testing.assert_array_equal(stored.masked_images, exp.masked_images)


def test_a_fill_that_does_not_fit_the_channels_is_refused(make, X, y):
    with pytest.raises(InputError, match="networks__fill must be"):
        make(P2PClassifier, networks__fill=(0.1, 0.2)).fit(X, y)


def test_another_fill_needs_another_fit(make, X, y):
    clf = make(P2PClassifier, max_epochs=0).fit(X, y)
    assert clf.fill_ == "black"
    with pytest.raises(InputError, match="networks__fill='blur' was set after fit"):
        clf.set_params(networks__fill="blur").predict(X)


def toy_model(toy_step, fill):
    step = toy_step()
    step.model.classifier.fill = fill
    return step


@pytest.mark.parametrize("fill", [(0.5,), "blur", "noise"], ids=str)
def test_training_shows_what_prediction_shows(toy_step, fill):
    step, seen = toy_model(toy_step, fill), []
    step.model.classifier.register_forward_pre_hook(lambda m, inputs: seen.append(inputs[0]))
    masks = torch.rand(5, 16).round()
    step.model.classify(step.images, step.regions, masks)
    pixel_masks = to_pixels(masks, step.regions)
    torch.testing.assert_close(seen[0], apply_mask(step.images, pixel_masks, fill))
    assert (seen[0].amax(dim=1)[pixel_masks == 0] > 0).all()


def test_the_rest_that_a_detector_sees_has_the_fill(toy_step):
    step, seen = toy_model(toy_step, (0.5,)), []
    step.model.blackbox = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    step.model.blackbox.register_forward_pre_hook(lambda m, inputs: seen.append(inputs[0]))
    COMETObjective(0.2, 4.0, 2.0, 100.0)(step)
    values = step.model.score(step.images, step.regions).maps[:, 0].sigmoid()
    mask = to_pixels(values, step.regions)[:, None]
    torch.testing.assert_close(seen[0], (1 - mask) * step.images + mask * 0.5)


def test_a_judge_has_the_fill_of_its_model(make, X, y):
    clf = make(P2PClassifier, max_epochs=0, networks__fill="mean").fit(X, y)
    judge = JudgeClassifier.like(clf, max_epochs=0, training__patience=None, validation=None)
    # Of other images: the color is the model's own.
    assert judge.fit(X[:9], y[:9]).fill_ == clf.fill_
    assert isinstance(judge.module_, SelectiveModel) and judge.module_.fill == clf.fill_
    plain = JudgeClassifier.like(make(P2PClassifier, networks__fill="blur"))
    assert plain.get_params()["networks__fill"] == "blur"


@pytest.mark.parametrize("fill", [0.5, "blur", "noise"], ids=str)
def test_curves_and_complements_remove_as_the_model_does(fitted, X, fill):
    clf = fitted("p2p", fill, **P2P)
    exp, seen = clf.explain(X[:3]), []

    def predict_proba(images):
        seen.extend(images)
        return clf.predict_proba_masked(images)

    complement_disagreement(exp, predict_proba)
    assert as_bytes(seen) == as_bytes([*exp.masked_images, *exp.masked_by(~exp.pixel_masks)])
    place = exp.to_pixels(exp.ranking.argsort(axis=1))
    for curve, first in ((insertion_fidelity_curve, True), (deletion_fidelity_curve, False)):
        seen.clear()
        curve(exp, predict_proba)
        kept = [exp.pixel_masks & ((place < k) == first) for k in range(place.max() + 2)]
        possible = [image for masks in kept for image in exp.masked_by(masks)]
        assert as_bytes(seen) <= as_bytes(possible) and len(as_bytes(seen)) > 6


def as_bytes(images):
    return {image.tobytes() for image in images}


def test_pictures_show_the_fill(fitted, X):
    from p2pselect.explanations import plot_masked_image

    exp = fitted("p2p", 0.5, **P2P).explain(X[:3])
    picture = plot_masked_image(exp, 1).images[0].get_array()
    np.testing.assert_array_equal(picture, (exp.masked_images[1] * 255).round())
    assert (picture[~exp.pixel_masks[1]] == 128).all()
    black = plot_masked_image(replace(exp, fill="black"), 1).images[0].get_array()
    assert (black[~exp.pixel_masks[1]] == 0).all()


def test_a_page_says_what_the_classifier_saw_instead(fitted, X):
    from p2pselect.explanations.report._lead import lead

    exp = fitted("p2p", "blur", **P2P).explain(X[:1])
    words = "the classifier saw a blur of the kept pixels"
    assert words in lead(exp, False)
    assert words not in lead(replace(exp, fill="black"), False)
    assert "(0.10, 0.50, 1.00 of 1)" in lead(replace(exp, fill=(0.1, 0.5, 1.0)), False)


def test_the_check_of_continuous_masks_knows_fills(make):
    check_removed_pixels_do_not_matter(
        make(METHODS["infomask"].cls, max_epochs=0, threshold=0.5, networks__fill="noise")
    )
