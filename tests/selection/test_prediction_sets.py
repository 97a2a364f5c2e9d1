"""Prediction sets hold the true class as often as was asked for, wherever an image stops."""

from dataclasses import replace

import numpy as np
import pytest

from p2pselect._answering import stops
from p2pselect.selection._calibrating import Asked, Paths, calibrated
from p2pselect.selection._prediction_sets import SetCalibration, sets_from
from tests.oracles.stop_calibration import conformal_set, simulated_classes

CLASSES = np.arange(4)


@pytest.fixture(scope="module")
def record():
    """Many paths, which calibrations and new images are drawn from."""
    proba, truth = simulated_classes(6000, np.random.default_rng(0))
    return Paths(proba, np.ones(proba.shape[:2]), np.zeros(len(truth)), truth)


def with_sets(paths, set_error):
    return calibrated(paths, CLASSES, Asked(set_error=set_error), "most_certain")


@pytest.mark.parametrize("set_error", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("n", [7, 19, 60])
def test_sets_are_those_of_ranks_among_known_images(record, n, set_error):
    known = record.true_proba[:n, 3]
    # All stop at once, so that there is one group.
    calibration = SetCalibration(np.ones((n, 1)), known[:, None], set_error)
    lowest, elsewhere = calibration.lowest(0.5)
    assert elsewhere == 0  # nothing is known there, and nothing is ruled out
    proba = record.proba[n : n + 200, 3]
    slow = [conformal_set(known, row, set_error) for row in proba]
    assert sets_from(proba, np.full(200, lowest)).tolist() == slow


@pytest.mark.parametrize("n", [60, 200])
def test_the_true_class_is_seldom_missing(record, n):
    rng, set_error = np.random.default_rng(1), 0.1
    has, where, sizes = [], [], []
    for _ in range(150):
        rows = rng.permutation(len(record.truth))
        calibration = with_sets(record[rows[:n]], set_error)
        threshold = calibration.threshold(0.85)
        new = record[rows[n : n + 300]]
        level, answered = stops(new.certainty, threshold)
        proba = new.proba[np.arange(300), level]
        sets = calibration.reported(threshold).prediction_sets(proba)
        has.append(sets[np.arange(300), new.truth])
        where.append(answered)
        sizes.append(sets.sum(axis=1).mean())
    has, where = np.array(has), np.array(where)
    assert has[where].mean() >= 1 - set_error - 0.005
    assert has[~where].mean() >= 1 - set_error - 0.01
    assert has.mean() <= 1 - set_error + 0.06
    assert np.mean(sizes) <= 2.5  # all four classes would always hold the true one


def test_the_images_of_sets_have_no_say_in_the_stop(record):
    calibration = with_sets(record[:101], 0.1)
    assert len(calibration) == 51 and len(calibration.sets.certainty) == 50
    np.testing.assert_array_equal(calibration.sets.true_proba, record.true_proba[1:101:2])
    np.testing.assert_array_equal(calibration.certainty, record.certainty[0:101:2])


def test_labels_of_no_class_can_be_in_no_set(record):
    strange = replace(record[:40], truth=np.full(40, -1))
    assert (strange.true_proba == 0).all()
    report = with_sets(strange, 0.1).reported(0.5)
    assert report.prediction_sets(record.proba[:5, 0]).all()


def test_a_set_is_never_empty():
    proba = np.array([[0.4, 0.3, 0.3]], np.float32)
    assert sets_from(proba, np.array([0.9])).tolist() == [[True, False, False]]


def test_without_a_wish_there_are_none(record):
    plain = calibrated(record[:30], CLASSES, Asked(), "most_certain")
    assert len(plain) == 30 and plain.sets is None
    assert plain.reported(0.8).prediction_sets(record.proba[:5, 0]) is None
