"""What a method removes does not reach its classifier; what does is what it explains."""

import numpy as np
import pytest
import torch
from oracles.half_way import half_way
from oracles.leaks import LEAKS

import p2pselect.selection._prediction_run
from p2pselect.exceptions import InputError
from p2pselect.methods import METHODS
from p2pselect.presets import settings_for
from p2pselect.testing import record_selection, replay_selection

#: Methods that show the classifier continuous masks, and their settings for it.
SOFT = {
    "bcos": {},
    "comet": {"mask": "soft"},
    "comet1": {"mask": "soft"},
    "infomask": {"mask": "soft", "threshold": 0.5},
    "rbaem": {"mask": "soft"},
}
#: Methods that remove regions for good.
HARD = {
    "blackbox_pixel": {},
    "realx": {},
    "rbaem": {"mask": "hard"},
    "diet": {"n_stages": 1, "max_steps": 3},
    "amortized_diet": {},
    "comet": {"mask": "hard"},
    "comet1": {"mask": "hard"},
    "infomask": {"mask": "hard"},
    "l2x": {},
    "invase": {},
}


def test_every_method_is_here():
    # A black box removes nothing: that is what it is compared for.
    assert {*SOFT, *HARD, "blackbox", "p2p"} == set(METHODS)


@pytest.fixture(scope="module")
def fitted(make, X, y):
    """Methods before their first epoch, which hide as much then as after it."""
    models = {}

    def build(name, **settings):
        key = (name, *sorted(settings.items()))
        if key not in models:
            method = METHODS[name].cls
            asked = {"max_epochs": 0, "tau": 0.3, **settings}
            models[key] = make(method, **settings_for(method, asked)).fit(X[:12], y[:12])
        return models[key]

    return build


def others(images, where):
    """The images with something else at some pixels."""
    noise = np.random.default_rng(1).integers(0, 256, images.shape).astype(np.uint8)
    for other in (noise, 255 - images, np.zeros_like(images), np.full_like(images, 255)):
        yield np.where(where[..., None], other, images)


def assert_hidden_pixels_do_not_matter(clf, images, **asked):
    with record_selection(clf) as scores:
        exp = clf.explain(images, **asked)
    if exp.soft_region_masks is None:
        assert 0.05 <= exp.kept_fraction.mean() <= 0.6
        hidden = ~exp.pixel_masks
    else:
        hidden = ~exp.to_pixels(exp.visible_region_masks)
        assert 0.05 <= 1 - hidden.mean() <= 0.6
    for changed in others(images, hidden):
        assert (changed != images).mean() > 0.3
        with replay_selection(clf, scores):
            again = clf.explain(changed, regions=exp.regions, **asked)
        np.testing.assert_array_equal(again.pixel_masks, exp.pixel_masks)
        np.testing.assert_array_equal(again.masked_images, exp.masked_images)
        np.testing.assert_array_equal(again.proba, exp.proba)
        if not asked:
            with replay_selection(clf, scores):
                proba = clf.predict_proba(changed, regions=exp.regions)
            np.testing.assert_array_equal(proba, exp.proba)


def assert_classifier_gets_the_masked_images(clf, images):
    """What reaches the classifier network is what the explanation shows, to the bit."""
    got = []
    hook = clf.module_.classifier.register_forward_pre_hook(lambda _, x: got.append(x[0]))
    try:
        exp = clf.explain(images)
    finally:
        hook.remove()
    shown = torch.from_numpy(exp.masked_images).permute(0, 3, 1, 2)
    if shown.dtype == torch.uint8:
        shown = shown.float() / 255
    assert torch.equal(got[-1], shown)


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        *((name, {}) for name in HARD),
        *((name, {"sparsity": "threshold"}) for name in HARD if name != "blackbox_pixel"),
    ],
    ids=str,
)
def test_hidden_pixels_do_not_matter(name, cut, fitted, X):
    clf = fitted(name, **cut, **HARD[name])
    assert_hidden_pixels_do_not_matter(clf, X[:12])
    assert_classifier_gets_the_masked_images(clf, X[:12])


@pytest.mark.parametrize("name", HARD)
def test_hidden_pixels_do_not_matter_to_a_search(name, fitted, X):
    # The most certain mask of all may depend on larger ones, in which these pixels are seen.
    clf = fitted(name, **HARD[name], search__fallback="everything")
    try:
        free = clf.explain(X[:12], tau="dynamic", certainty_threshold=1.0)
    except InputError:
        return  # a method may have one tau only
    area = np.take_along_axis(free.region_areas, free.ranking, axis=1).cumsum(axis=1) / 32**2
    kept = np.take_along_axis(area, free.path_counts - 1, axis=1)
    threshold = half_way(free.path_proba.max(axis=2), kept)
    asked = {"tau": "dynamic", "certainty_threshold": threshold}
    assert_hidden_pixels_do_not_matter(clf, X[:12], **asked)


def test_pixels_that_a_continuous_mask_puts_at_0_do_not_matter(fitted, X):
    assert_hidden_pixels_do_not_matter(fitted("infomask", **SOFT["infomask"]), X[:12])


@pytest.mark.parametrize("name", SOFT)
def test_a_continuous_mask_times_the_image_is_all_that_is_seen(name, fitted, X):
    clf = fitted(name, **SOFT[name])
    exp = clf.explain(X[:12])
    # Only B-cos, which removes nothing, shows everything as it is.
    assert (name == "bcos") == (exp.soft_region_masks == 1).all()
    assert_classifier_gets_the_masked_images(clf, X[:12])


def test_a_black_box_says_that_it_shows_everything(fitted, X):
    assert fitted("blackbox").explain(X[:12]).pixel_masks.all()


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
class TestPeeking:
    @pytest.mark.parametrize("name", HARD)
    def test_hard(self, name, leak, fitted, X, monkeypatch):
        clf = fitted(name, **HARD[name])
        monkeypatch.setattr(p2pselect.selection._prediction_run, "apply_mask", leak)
        with pytest.raises(AssertionError, match="Arrays are not equal"):
            assert_hidden_pixels_do_not_matter(clf, X[:12])
        with pytest.raises(AssertionError, match="torch.equal"):
            assert_classifier_gets_the_masked_images(clf, X[:12])

    @pytest.mark.parametrize("name", sorted(set(SOFT) - {"bcos"}))
    def test_soft(self, name, leak, fitted, X, monkeypatch):
        clf = fitted(name, **SOFT[name])
        monkeypatch.setattr(p2pselect.selection._prediction_run, "apply_mask", leak)
        if name == "infomask":
            with pytest.raises(AssertionError, match="Arrays are not equal"):
                assert_hidden_pixels_do_not_matter(clf, X[:12])
        with pytest.raises(AssertionError, match="torch.equal"):
            assert_classifier_gets_the_masked_images(clf, X[:12])
