"""Any arrays: a score in its range, NaN with a warning that says so, or a clear error."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from p2pselect import metrics
from p2pselect.exceptions import P2PSelectError, P2PSelectWarning

ARRAYS = st.one_of(
    hnp.arrays(
        st.sampled_from([bool, np.uint8, np.int64, np.float32, np.float64]),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    ),
    hnp.arrays(bool, st.tuples(st.integers(0, 3), st.just(4), st.just(4))),
    hnp.arrays(float, st.tuples(st.integers(0, 3), st.just(4), st.just(4))),
    st.sampled_from([None, "masks", [], [[1]], 3, [np.ones((2, 2)), np.ones((3, 3))]]),
)
OF_TWO = (
    metrics.localization_score,
    metrics.mask_iou_score,
    metrics.mask_recall_score,
    metrics.pointing_game_score,
    metrics.pixel_average_precision_score,
    metrics.center_localization,
    metrics.aurc,
    metrics.expected_calibration_error,
    metrics.risk_coverage_curve,
)
OF_ONE = (metrics.random_localization, metrics.kept_fraction)


def check(function, *arrays):
    """Runs a score; a NaN must have been announced."""
    copies = [a.copy() if isinstance(a, np.ndarray) else a for a in arrays]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            score = function(*arrays)
        except P2PSelectError:
            return
        finally:
            for array, copy in zip(arrays, copies, strict=True):
                if isinstance(array, np.ndarray):
                    np.testing.assert_array_equal(array, copy)
    ours = [w for w in said if issubclass(w.category, P2PSelectWarning)]
    others = [w for w in said if w not in ours]
    assert not others, others[0]
    if isinstance(score, float):
        assert 0 <= score <= 1 or (np.isnan(score) and ours), score


@pytest.mark.parametrize("function", OF_TWO, ids=lambda f: f.__name__)
@given(first=ARRAYS, second=ARRAYS)
@settings(max_examples=150, deadline=None)
def test_scores_of_two_arrays(function, first, second):
    check(function, first, second)


@pytest.mark.parametrize("function", OF_ONE, ids=lambda f: f.__name__)
@given(first=ARRAYS)
@settings(max_examples=150, deadline=None)
def test_scores_of_one_array(function, first):
    check(function, first)


@pytest.mark.parametrize("function", OF_TWO[:6], ids=lambda f: f.__name__)
@given(
    st.integers(1, 3).flatmap(
        lambda n: st.tuples(
            hnp.arrays(bool, (n, 4, 5)),
            hnp.arrays(bool, (n, 4, 5)),
            hnp.arrays(bool, (n, 4, 5)),
        )
    )
)
@settings(max_examples=100, deadline=None)
def test_masks_of_every_kind(function, triple):
    kept, objects, valid = triple
    check(function, kept, objects)
    check(lambda a, b, c: function(a, b, valid=c), kept, objects, valid)
