"""scikit-learn's own estimator checks, on rows dressed as images."""

import pytest
import sklearn
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from sklearn.utils.fixes import parse_version
from testing.flat_rows import FLAT_SETTINGS, FlatRows, n_columns, squash_rows

from p2pselect import P2PClassifier, SuperpixelTransformer
from p2pselect.images import as_images


class FlatP2P(FlatRows, P2PClassifier):
    """Takes tables; everything behind is P2PClassifier."""

    def __str__(self):
        # In the names of the tests, where the addresses of its functions would change.
        return type(self).__name__


class FlatRegions(SuperpixelTransformer):
    """Every row is a gray image one pixel high; its labels are the features that come out."""

    def fit(self, X, y=None):
        width = n_columns(X)
        super().fit(as_images(squash_rows(self, X, width), image_shape=(1, width)), y)
        self.n_features_in_ = width
        return self

    def transform(self, X):
        width = getattr(self, "n_features_in_", n_columns(X))
        rows = squash_rows(self, X, width)
        labels = super().transform(as_images(rows, image_shape=(1, width)))
        return labels.reshape(len(labels), -1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.three_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags


FLAT = [FlatP2P(**FLAT_SETTINGS), FlatRegions(n_segments=4)]
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "weights scale an image's gradient, repetition also changes which images share a "
        "minibatch: equal in expectation only"
    ),
}
if parse_version(sklearn.__version__) < parse_version("1.7"):
    # Run there for estimators that refuse sparse matrices too.
    EXPECTED_FAILURES["check_sample_weight_equivalence_on_sparse_data"] = "images are dense"


def expected_failures(estimator):
    return EXPECTED_FAILURES if isinstance(estimator, FlatP2P) else {}


@parametrize_with_checks(FLAT, expected_failed_checks=expected_failures)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(("estimator", "least"), [(FLAT[0], 50), (FLAT[1], 40)])
def test_enough_checks_are_run(estimator, least):
    names = [
        getattr(check, "func", check).__name__
        for _, check in estimator_checks_generator(estimator)
    ]
    assert len(names) >= least
    assert set(expected_failures(estimator)) <= set(names)
    assert len(expected_failures(estimator)) <= 3
