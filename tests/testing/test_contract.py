import numpy as np
import pytest
from sklearn.base import clone
from testing.flat_rows import FLAT_SETTINGS

from p2pselect import P2PClassifier, presets
from p2pselect.testing import (
    check_image_classifier,
    image_classifier_checks,
    make_check_images,
)

SMALL = P2PClassifier().set_params(
    **{
        **presets.SMALL,
        "image_size": 32,
        "max_epochs": 1,
        "objective__warmup_epochs": 0,
        "random_state": 0,
    }
)
TINY = P2PClassifier().set_params(**{**FLAT_SETTINGS, "max_epochs": 1})


@pytest.mark.parametrize(("name", "check"), [*image_classifier_checks(SMALL)])
def test_p2p_keeps_the_contract(name, check):
    check(clone(SMALL))


class WritesToParameter(P2PClassifier):
    def fit(self, X, y, **metadata):
        self.lr = 0.5
        return super().fit(X, y, **metadata)


class WritesToNestedParameter(P2PClassifier):
    def fit(self, X, y, **metadata):
        self.set_params(objective__covariance_weight=0.5)
        return super().fit(X, y, **metadata)


class LooksAtTheBatch(P2PClassifier):
    def predict_proba(self, X, **metadata):
        proba = super().predict_proba(X, **metadata)
        return 0.5 * proba + 0.5 * proba.mean(axis=0)


class Unfaithful(P2PClassifier):
    def predict_proba(self, X, **metadata):
        proba = super().predict_proba(X, **metadata)
        return (proba + 1) / (1 + proba.shape[1])


class MovesTheGlobalGenerator(P2PClassifier):
    def fit(self, X, y, **metadata):
        np.random.rand()  # noqa: NPY002
        return super().fit(X, y, **metadata)


class CutsRegions(P2PClassifier):
    def transform(self, X, **metadata):
        masks = super().transform(X, **metadata)
        masks[:, 0, 0] = ~masks[:, 0, 0]
        return masks


class OneLabelOnly(P2PClassifier):
    def predict_proba(self, X, **metadata):
        proba = super().predict_proba(X, **metadata)
        return proba / proba.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("faulty", "check"),
    [
        (WritesToParameter, "check_parameters_untouched"),
        (WritesToNestedParameter, "check_parameters_untouched"),
        (LooksAtTheBatch, "check_order_and_batch_invariance"),
        (Unfaithful, "check_faithful_by_construction"),
        (MovesTheGlobalGenerator, "check_global_random_state_untouched"),
        (CutsRegions, "check_masks"),
        (OneLabelOnly, "check_several_labels"),
    ],
)
def test_checks_find_what_they_are_for(faulty, check):
    estimator = faulty(**clone(TINY).get_params(deep=False))
    with pytest.raises(AssertionError):
        dict(image_classifier_checks(estimator))[check](estimator)


def test_all_failures_are_listed_by_name():
    every = [name for name, _ in image_classifier_checks(TINY)]
    few = {"check_parameters_untouched", "check_masks", "check_not_fitted_errors"}
    skip = tuple(set(every) - few)
    check_image_classifier(TINY, skip=skip)
    estimator = WritesToParameter(**clone(TINY).get_params(deep=False))
    with pytest.raises(AssertionError, match=r"1 checks failed .*\ncheck_parameters_untouched"):
        check_image_classifier(estimator, skip=skip)


def test_check_images_have_three_classes():
    X, y = make_check_images(9, 16)
    assert X.shape == (9, 16, 16, 3)
    assert np.bincount(y).tolist() == [3, 3, 3]
