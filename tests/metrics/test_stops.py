"""Curves over thresholds are what separate explanations with these thresholds give."""

from dataclasses import replace

import numpy as np
import pytest

from p2pselect._answering import FALLBACKS
from p2pselect.exceptions import InputError
from p2pselect.explanations import example_explanation
from p2pselect.metrics import threshold_curve
from tests.oracles.stop_calibration import stop


@pytest.fixture(scope="module")
def whole():
    """An explanation whose paths go on to the end, and true labels, some of them wrong."""
    made = example_explanation(n_images=24, random_state=1)
    exp = made.explanation
    rng = np.random.default_rng(0)
    n, t, m = exp.path_proba.shape
    proba = rng.dirichlet(np.ones(m) * 0.3, (n, t)).astype(np.float32)
    return replace(exp, path_proba=proba, certainty_threshold=1.0), made.y


@pytest.mark.parametrize("fallback", FALLBACKS)
def test_every_point_is_that_of_a_loop(whole, fallback):
    exp, y = whole
    thresholds = [0.4, 0.7, 0.95, 1.0]
    curve = threshold_curve(exp, y, thresholds, fallback=fallback)
    areas = exp.region_areas
    for k, threshold in enumerate(thresholds):
        answered, right, kept = [], [], []
        for i, path in enumerate(exp.path_proba):
            level, certain = stop(path.max(axis=1), threshold)
            if not certain and fallback == "everything":
                level = len(path) - 1
            said = path.argmax(axis=1)
            while (
                not certain
                and fallback == "settled"
                and level
                and said[level - 1] == said[level]
            ):
                level -= 1
            shown = exp.ranking[i, : exp.path_counts[i, level]]
            answered.append(certain)
            right.append(exp.classes[path[level].argmax()] == y[i])
            kept.append(areas[i, shown].sum() / areas[i].sum())
        answered, right, kept = map(np.array, (answered, right, kept))
        assert curve.certainty_threshold[k] == threshold
        assert curve.coverage[k] == pytest.approx(answered.mean())
        assert curve.accuracy[k] == pytest.approx(right.mean())
        assert curve.kept_fraction[k] == pytest.approx(kept.mean())
        if answered.any():
            assert curve.selective_accuracy[k] == pytest.approx(right[answered].mean())
            assert curve.answered_kept_fraction[k] == pytest.approx(kept[answered].mean())
        else:
            assert np.isnan(curve.selective_accuracy[k])
            assert np.isnan(curve.answered_kept_fraction[k])


def test_paths_that_end_at_their_stop_serve_lower_thresholds():
    made = example_explanation(n_images=12)
    exp = made.explanation  # its paths are NaN after the stop at .95
    curve = threshold_curve(exp, made.y, [exp.certainty_threshold], fallback="everything")
    assert curve.coverage[0] == pytest.approx(exp.answered.mean())
    assert curve.kept_fraction[0] == pytest.approx(exp.kept_fraction.mean())
    assert curve.accuracy[0] == pytest.approx((exp.predicted == made.y).mean())
    with pytest.raises(InputError, match="end at a certainty of 0.95"):
        threshold_curve(exp, made.y, [0.99])


def test_what_cannot_be_drawn_is_refused(whole):
    exp, y = whole
    with pytest.raises(InputError, match=r"in \(0, 1\]"):
        threshold_curve(exp, y, [0.0, 0.5])
    with pytest.raises(InputError, match="24 images"):
        threshold_curve(exp, y[:3], [0.5])
    with pytest.raises(InputError, match="tau='dynamic'"):
        threshold_curve(replace(exp, path_proba=None), y)
    with pytest.raises(InputError, match="fixed"):
        _ = replace(exp, path_counts=None).path_kept_fraction


def test_nothing_kept_is_nothing(whole):
    exp, _ = whole
    counts = exp.path_counts.copy()
    counts[:, 0] = 0
    kept = replace(exp, path_counts=counts).path_kept_fraction
    assert (kept[:, 0] == 0).all() and kept[:, -1] == pytest.approx(1)


def test_the_default_thresholds_rise_to_almost_1():
    made = example_explanation(n_images=3)
    exp = replace(made.explanation, certainty_threshold=1.0)
    curve = threshold_curve(exp, made.y)
    assert (np.diff(curve.certainty_threshold) > 0).all()
    assert curve.certainty_threshold[-1] == pytest.approx(0.9999)
    assert (np.diff(curve.coverage) <= 0).all()
