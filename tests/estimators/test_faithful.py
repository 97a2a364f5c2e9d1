"""P2P cannot see what it removes: pixels change before it sees the image, its choice does not.

The choice is held fixed by the regions, which are given, and by the maps of the selector
network, which a hook replaces by those of the original image.  Everything else is the real
path, from the images to the probabilities.
"""

import itertools
import pickle
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from oracles.half_way import half_way
from oracles.leaks import LEAKS
from torch import nn

import p2pselect.selection._prediction_run
from p2pselect import P2PClassifier, SuperpixelTransformer
from p2pselect.nn._model import SelectiveModel
from p2pselect.testing import make_check_images

SIDE = 16


class Tilt(nn.Module):
    """Where a selector finds how tau="additive" enters: as ``1 * tau`` in the logits."""

    def additive_slope(self):
        return torch.tensor([1.0, 0, 0, 0])


class Spread(nn.Module):
    """A selector whose logits lie as far apart as those of a trained one, around -.8."""

    def __init__(self, n_maps):
        super().__init__()
        self.conv = nn.Conv2d(3, n_maps, 4, stride=4)
        self.tilt = Tilt()

    def forward(self, images):
        maps = self.conv(images)
        apart = maps - maps.mean(dim=(2, 3), keepdim=True)
        return apart / apart.std(dim=(2, 3), keepdim=True) - 0.8


def tiny_classifier(n_classes):
    return nn.Sequential(
        nn.Conv2d(3, 6, 4, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(96, 3)
    )


@pytest.fixture(scope="module")
def X():
    return make_check_images(12, SIDE)[0]


@pytest.fixture(scope="module")
def fitted(X):
    """A P2P that has not learned anything, which is as good here: a copy for every test."""
    models = {}

    def build(networks__tau_input="logit", tau="dynamic", **settings):
        key = networks__tau_input, tau
        if key not in models:
            clf = P2PClassifier().set_params(
                selector=Spread,
                classifier=tiny_classifier,
                regions=SuperpixelTransformer(engine="grid", n_segments=16),
                image_size=SIDE,
                max_epochs=0,
                tau=tau,
                networks__tau_input=networks__tau_input,
                random_state=0,
            )
            models[key] = clf.fit(X, np.arange(len(X)) % 3)
        return pickle.loads(pickle.dumps(models[key])).set_params(**settings)

    return build


@contextmanager
def fixed_maps(clf, maps=None):
    """Record the maps of the selector network into a list, or answer with those of a list."""
    recorded = [] if maps is None else list(maps)

    def hook(module, inputs, output):
        if maps is not None:
            return recorded.pop(0)
        recorded.append(output)
        return None

    handle = clf.module_.selector.pixel_scorer.register_forward_hook(hook)
    try:
        yield recorded
        assert maps is None or not recorded
    finally:
        handle.remove()


def looked_at(exp):
    """Pixels of all masks that the search tried, image by image."""
    seen = np.zeros(exp.regions.shape, bool)
    for i in range(len(exp)):
        for count, proba in zip(exp.path_counts[i], exp.path_proba[i], strict=True):
            if not np.isnan(proba).any():
                seen[i] |= np.isin(exp.regions[i], exp.ranking[i, :count])
    return seen


def others(images, where):
    """The images with something else at some pixels."""
    noise = np.random.default_rng(1).integers(0, 256, images.shape).astype(np.uint8)
    for other in (noise, 255 - images, np.zeros_like(images), np.full_like(images, 255)):
        yield np.where(where[..., None], other, images)


def assert_hidden_pixels_do_not_matter(clf, X, own=True, **settings):
    """``settings`` go to explain; ``own`` tells that predict_proba follows the same."""
    with fixed_maps(clf) as maps:
        exp = clf.explain(X, **settings)
    seen = looked_at(exp)
    assert (seen >= exp.pixel_masks).all()
    # Something is shown, something is hidden, and neither is a sliver.
    assert 0.05 <= exp.kept_fraction.mean() <= 0.6
    assert 0.05 <= seen.mean() <= 0.6
    for changed in others(X, ~seen):
        assert (changed != X).mean() > 0.3
        with fixed_maps(clf, maps):
            again = clf.explain(changed, regions=exp.regions, **settings)
        np.testing.assert_array_equal(again.pixel_masks, exp.pixel_masks)
        np.testing.assert_array_equal(again.masked_images, exp.masked_images)
        np.testing.assert_array_equal(again.proba, exp.proba)
        np.testing.assert_array_equal(again.path_proba, exp.path_proba)
        if own:
            with fixed_maps(clf, maps):
                proba = clf.predict_proba(changed, regions=exp.regions)
            np.testing.assert_array_equal(proba, exp.proba)
            with fixed_maps(clf, maps):
                masks = clf.transform(changed, regions=exp.regions)
            np.testing.assert_array_equal(masks, exp.pixel_masks)


def threshold_half_way(clf, X):
    free = clf.explain(X, certainty_threshold=1.0)
    return half_way(free.path_proba.max(axis=2), free.path_counts / 16)


SELECTIONS = [
    dict(zip(("selection", "networks__tau_input", "search__allow_empty"), values, strict=True))
    for values in itertools.product(
        ("threshold", "budget"), ("logit", "additive"), (False, True)
    )
]


@pytest.mark.parametrize("settings", SELECTIONS, ids=lambda s: "-".join(map(str, s.values())))
class TestEverySetting:
    def test_search(self, fitted, X, settings):
        clf = fitted(**settings)
        clf.set_params(certainty_threshold=threshold_half_way(clf, X))
        assert_hidden_pixels_do_not_matter(clf, X)

    @pytest.mark.parametrize("tau", [0.45, 0.55])
    def test_one_tau_of_many(self, fitted, X, settings, tau):
        assert_hidden_pixels_do_not_matter(fitted(**settings), X, own=False, tau=tau)

    def test_the_tau_of_training(self, fitted, X, settings):
        assert_hidden_pixels_do_not_matter(fitted(tau=0.3, **settings), X)

    def test_most_that_may_be_shown(self, fitted, X, settings):
        clf = fitted(**settings)
        for threshold in (1.0, threshold_half_way(clf, X)):
            assert_hidden_pixels_do_not_matter(
                clf, X, own=False, max_kept=0.4, certainty_threshold=threshold
            )


@pytest.mark.parametrize("batch_size", [1, 5])
def test_in_batches(fitted, X, batch_size):
    clf = fitted(batch_size=batch_size)
    clf.set_params(certainty_threshold=threshold_half_way(clf, X))
    assert_hidden_pixels_do_not_matter(clf, X)


def test_an_empty_mask_shows_nothing_and_a_full_one_everything(fitted, X):
    clf = fitted(search__allow_empty=True, selection="budget")
    clf.set_params(certainty_threshold=0.01)
    empty = clf.explain(X, tau=0.01)
    assert not empty.pixel_masks.any()
    changed = np.random.default_rng(0).permutation(X)
    np.testing.assert_array_equal(clf.explain(changed, tau=0.01).proba, empty.proba)
    assert len(np.unique(empty.proba, axis=0)) == 1
    full = clf.explain(X, tau=1.0)
    assert full.pixel_masks.all()
    np.testing.assert_array_equal(clf.predict_proba_masked(X), full.proba)


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        ({}, {"tau": 0.5}),
        ({"tau": 0.3}, {}),
        ({"selection": "budget"}, {"tau": 0.3}),
        ({"networks__tau_input": "additive", "search__allow_empty": True}, {"tau": 0.4}),
        ({}, {"max_kept": 0.4, "certainty_threshold": 1.0}),
        ({"selection": "budget"}, "search"),
    ],
    ids=["threshold", "trained tau", "budget", "additive", "max_kept", "search"],
)
def test_a_classifier_that_peeks_is_found_out(fitted, X, monkeypatch, leak, settings, asked):
    clf = fitted(**settings)
    monkeypatch.setattr(p2pselect.selection._prediction_run, "apply_mask", leak)
    if asked == "search":
        asked = {"certainty_threshold": threshold_half_way(clf, X)}
    with pytest.raises(AssertionError, match="Arrays are not equal"):
        assert_hidden_pixels_do_not_matter(clf, X, own=False, **asked)


@pytest.mark.parametrize("leak", [None, *LEAKS.values()], ids=["none", *LEAKS])
def test_training_hides_the_same_pixels(monkeypatch, leak):
    torch.manual_seed(0)
    model = SelectiveModel(Spread(1), tiny_classifier(3))
    images, regions = torch.rand(4, 3, SIDE, SIDE), torch.arange(256).view(1, SIDE, SIDE) // 16
    regions = regions.expand(4, -1, -1).contiguous()
    masks = (torch.arange(16) % 3 == 0).float().expand(4, -1)
    hidden = masks.gather(1, regions.flatten(1)).view(regions.shape) == 0
    changed = torch.where(hidden[:, None], 1 - images, images)
    if leak is not None:
        monkeypatch.setattr("p2pselect.nn._model.apply_mask", leak)
    with torch.no_grad():
        same = torch.equal(*(model.classify(x, regions, masks) for x in (images, changed)))
    assert same == (leak is None)
