"""The public checks of faithfulness find models that peek, and say when they prove nothing."""

import warnings

import numpy as np
import pytest
from oracles.leaks import LEAKS
from sklearn.base import clone
from testing.flat_rows import FLAT_SETTINGS
from torch import nn

import p2pselect.selection._prediction_run
from p2pselect import P2PClassifier
from p2pselect.exceptions import P2PSelectWarning
from p2pselect.methods import (
    BlackboxClassifier,
    COMETClassifier,
    InfoMaskClassifier,
    RealXClassifier,
)
from p2pselect.nn._model import SelectiveModel
from p2pselect.presets import settings_for
from p2pselect.testing import (
    check_image_classifier,
    image_classifier_checks,
    make_check_images,
    record_selection,
    replay_selection,
)

REMOVED = "check_removed_pixels_do_not_matter"
FAITHFUL = "check_faithful_by_construction"
TINY = {**FLAT_SETTINGS, "max_epochs": 1, "search__tau_min": 0.05, "lr": 0.003}


def tiny(cls, **settings):
    tau = "dynamic" if cls is P2PClassifier else 0.3
    return cls(**{**settings_for(cls, {**TINY, "tau": tau}), **settings})


def run(check, estimator):
    """The check alone, by way of what runs all of them."""
    names = {name for name, _ in image_classifier_checks(estimator)}
    assert check in names
    check_image_classifier(estimator, skip=tuple(names - {check}))


METHODS = {
    "P2P": tiny(P2PClassifier),
    "P2P, budget": tiny(P2PClassifier, selection="budget"),
    "P2P, one tau": tiny(P2PClassifier, tau=0.5),
    "REAL-X": tiny(RealXClassifier),
    "COMET, soft": tiny(COMETClassifier),
    "COMET, hard": tiny(COMETClassifier, mask="hard"),
    "InfoMask": tiny(InfoMaskClassifier, threshold=0.5),
}


@pytest.mark.filterwarnings("ignore:.*removes nothing")
@pytest.mark.parametrize("estimator", METHODS.values(), ids=METHODS)
class TestLeaks:
    def test_none(self, estimator):
        run(REMOVED, estimator)
        run(FAITHFUL, estimator)

    @pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
    def test_found(self, estimator, leak, monkeypatch):
        monkeypatch.setattr(p2pselect.selection._prediction_run, "apply_mask", leak)
        with pytest.raises(
            AssertionError, match=f"(?s)1 checks failed .*\n{REMOVED}: .*not equal"
        ):
            run(REMOVED, estimator)

    def test_another_image_than_the_explanation_shows(self, estimator, monkeypatch):
        monkeypatch.setattr(
            p2pselect.selection._prediction_run, "apply_mask", LEAKS["everything"]
        )
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            run(FAITHFUL, estimator)


class Remembers(SelectiveModel):
    """Masks are applied as they should be, but the networks share a memory."""

    leak = None

    def score(self, images, regions):
        self.seen = images
        return super().score(images, regions)

    def forward(self, images):
        whole = getattr(self, "seen", images)
        if whole.shape == images.shape:
            images = type(self).leak(whole, (images != 0).any(dim=1), "black")
        return super().forward(images)


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_a_model_that_remembers_what_its_selector_saw(leak, monkeypatch):
    class Peeking(RealXClassifier):
        def _build_model(self, n_classes):
            return Remembers(self._build_scorer(1), self._build_classifier(n_classes))

    monkeypatch.setattr(Remembers, "leak", staticmethod(leak))
    with pytest.raises(AssertionError, match=f"(?s){REMOVED}: .*not equal"):
        run(REMOVED, tiny(Peeking))


class PeeksWhenAskedForProbabilities(P2PClassifier):
    def predict_proba(self, X, *, regions=None):
        proba = super().predict_proba(X, regions=regions)
        return (proba + 1e-3 * self.predict_proba_masked(X)) / 1.001


def test_both_ways_to_a_prediction_are_checked():
    with pytest.raises(AssertionError, match="predict_proba changes with removed pixels"):
        run(REMOVED, tiny(PeeksWhenAskedForProbabilities))


@pytest.mark.parametrize("check", [REMOVED, FAITHFUL])
def test_where_nothing_is_removed_nothing_is_proven(check):
    with pytest.raises(AssertionError, match=r"proves nothing: .* \(it keeps 100% to 100%\)"):
        run(check, tiny(BlackboxClassifier))


class KeepsAll(nn.Conv2d):
    def __init__(self, n_maps):
        super().__init__(3, n_maps, 1)
        nn.init.constant_(self.bias, 30.0)


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_a_selector_that_keeps_everything_hides_no_leak(leak, monkeypatch):
    clf = tiny(P2PClassifier, tau=1.0, selector=KeepsAll)
    X, y = make_check_images(12, 8)
    assert clone(clf).fit(X, y).transform(X).all()
    run(REMOVED, clf)
    monkeypatch.setattr(p2pselect.selection._prediction_run, "apply_mask", leak)
    with pytest.raises(AssertionError, match=f"(?s){REMOVED}: .*not equal"):
        run(REMOVED, clf)


def test_continuous_masks_that_remove_nothing_are_said_to():
    with pytest.warns(P2PSelectWarning, match="COMETClassifier removes nothing"):
        run(REMOVED, tiny(COMETClassifier))
    with warnings.catch_warnings():
        warnings.simplefilter("error", P2PSelectWarning)
        run(REMOVED, tiny(InfoMaskClassifier, threshold=0.5))


def test_only_what_was_recorded_can_be_replayed():
    X, y = make_check_images(9, 8)
    clf = tiny(RealXClassifier, batch_size=4).fit(X, y)
    with record_selection(clf) as recorded:
        masks = clf.transform(X)
    assert len(recorded) == 3
    with replay_selection(clf, recorded):
        np.testing.assert_array_equal(clf.transform(X[::-1]), masks)
    assert not (clf.transform(X[::-1]) == masks).all()
    with (
        pytest.raises(AssertionError, match="fewer batches"),
        replay_selection(clf, recorded),
    ):
        clf.transform(X[:4])
    with (
        pytest.raises(AssertionError, match="more batches"),
        replay_selection(clf, recorded[:1]),
    ):
        clf.transform(X)
