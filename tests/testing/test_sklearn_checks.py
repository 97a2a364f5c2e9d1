"""scikit-learn's own estimator checks, on rows dressed as images."""

from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from p2pselect import P2PClassifier
from p2pselect.testing import FLAT_SETTINGS, FlatRows


class FlatP2P(FlatRows, P2PClassifier):
    """Takes tables; everything behind is P2PClassifier."""


EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "weights scale an image's gradient, repetition also changes which images share a "
        "minibatch: equal in expectation only"
    ),
}


def expected_failures(estimator):
    return EXPECTED_FAILURES


@parametrize_with_checks([FlatP2P(**FLAT_SETTINGS)], expected_failed_checks=expected_failures)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_enough_checks_are_run():
    names = [
        getattr(check, "func", check).__name__
        for _, check in estimator_checks_generator(FlatP2P(**FLAT_SETTINGS))
    ]
    assert len(names) >= 50
    assert set(EXPECTED_FAILURES) <= set(names)
    assert len(EXPECTED_FAILURES) <= 3
