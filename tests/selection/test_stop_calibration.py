"""Certainty means what it says at the stop; on simulated paths, whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from p2pselect._answering import FALLBACKS, stops
from p2pselect.exceptions import InputError
from p2pselect.metrics import expected_calibration_error
from p2pselect.selection._stop_calibration import StopCalibration
from tests.oracles.stop_calibration import largest_error, share_right, simulated_paths, stop

N_ALL = 4000


def calibration_of(certainty, correct):
    """A calibration of paths that keep a twentieth more at every step."""
    kept = np.linspace(0.05, 1, certainty.shape[1])[None].repeat(len(certainty), axis=0)
    return StopCalibration(certainty, correct, kept)


@pytest.fixture(scope="module")
def record():
    """Certainty and correctness of many paths: the truth that drawn images come from."""
    return simulated_paths(N_ALL, np.random.default_rng(0))


def drawn(record, n, rng):
    rows = rng.choice(len(record[0]), n, replace=False)
    return calibration_of(record[0][rows], record[1][rows])


def test_stops_are_those_of_a_loop(record):
    certainty = record[0][:60]
    for threshold in (0.3, 0.9, 0.99, 2.0):
        level, answered = stops(certainty, threshold)
        slow = [stop(path, threshold) for path in certainty]
        assert list(zip(level.tolist(), answered.tolist(), strict=True)) == slow


def test_counts_are_those_of_a_loop(record):
    calibration = calibration_of(record[0][:80], record[1][:80])
    thresholds = np.array([0.6, 0.9, 0.97])
    answered, right = calibration._counts(thresholds)
    for threshold, n, k in zip(thresholds, answered, right, strict=True):
        share, coverage = share_right(record[0][:80], record[1][:80], threshold)
        assert n == round(coverage * 80) and k == round(share * n)


@pytest.mark.parametrize("n", [150, 470])
@pytest.mark.parametrize("asked", [0.7, 0.8, 0.9])
def test_as_many_are_right_as_was_asked_for(record, asked, n):
    rng = np.random.default_rng(1)
    thresholds = np.array([drawn(record, n, rng).threshold(asked) for _ in range(60)])
    answered, right = calibration_of(*record)._counts(thresholds[np.isfinite(thresholds)])
    assert len(answered) >= 55
    assert abs((right / answered).mean() - asked) <= 0.012


def test_the_classifiers_own_word_is_not_kept(record):
    # What calibration is for: without it, more would be wrong than was asked for.
    assert share_right(*record, 0.9)[0] <= 0.85


def test_all_thresholds_come_from_one_calibration_and_rise(record):
    calibration = drawn(record, 300, np.random.default_rng(2))
    found = [calibration.threshold(asked) for asked in (0.5, 0.7, 0.8, 0.85, 0.9)]
    assert found == sorted(found)


def test_what_no_image_shows_is_out_of_reach():
    wrong = calibration_of(np.full((40, 3), 0.9), np.zeros((40, 3), bool))
    assert wrong.threshold(0.5) == np.inf


@pytest.mark.parametrize("n", [1, 3])
def test_a_few_images_are_enough_to_run(n):
    few = calibration_of(np.full((n, 2), 0.9), np.ones((n, 2), bool))
    assert few.threshold(1.0) == pytest.approx(0.9)
    assert 0 < few.reported(0.9)(np.array([0.95]))[0] < 1


@pytest.mark.parametrize("asked", [0.7, 0.8, 0.9])
def test_the_reported_probability_is_a_frequency(record, asked):
    rng = np.random.default_rng(3)
    found, floor, raw = [], [], []
    for _ in range(25):
        rows = rng.choice(N_ALL, 800, replace=False)
        own, new = rows[:400], rows[400:]
        calibration = calibration_of(record[0][own], record[1][own])
        threshold = calibration.threshold(asked)
        level, _ = stops(record[0][new], threshold)
        certainty = record[0][new, level]
        reported = calibration.reported(threshold)(certainty)
        found.append(expected_calibration_error(record[1][new, level], reported))
        raw.append(expected_calibration_error(record[1][new, level], certainty))
        # What a perfect model of this size shows: its answers are right as often as it says.
        perfect = rng.random(len(new)) < reported
        floor.append(expected_calibration_error(perfect, reported))
    assert np.mean(found) <= np.mean(floor) + 0.02
    assert np.mean(raw) >= np.mean(floor) + 0.05


def test_reported_probabilities_rise_with_certainty(record):
    report = drawn(record, 200, np.random.default_rng(4)).reported(0.9)
    for part in (np.linspace(0.4, 0.89, 30), np.linspace(0.9, 1.0, 30)):
        values = report(part)
        assert (np.diff(values) >= 0).all() and ((values > 0) & (values < 1)).all()


def test_nobody_is_certain_after_a_few_right_answers():
    few = calibration_of(np.full((18, 1), 0.99), np.ones((18, 1), bool))
    assert few.reported(0.9)(np.array([0.999]))[0] == pytest.approx(19 / 20)


@pytest.mark.parametrize(("n", "max_error"), [(300, 0.1), (300, 0.2), (150, 0.2)])
def test_the_bound_on_the_error_holds(record, n, max_error):
    rng, alpha = np.random.default_rng(5), 0.1
    violated, coverage = [], []
    for _ in range(150):
        try:
            threshold = drawn(record, n, rng).bounded_threshold(max_error, alpha)
        except InputError:
            continue
        level, answered = stops(record[0], threshold)
        right = record[1][np.arange(N_ALL), level][answered]
        violated.append(1 - right.mean() > max_error)
        coverage.append(answered.mean())
    assert len(violated) >= 75
    assert np.mean(violated) <= alpha
    assert np.mean(coverage) >= 0.2  # a bound that answers nothing is no use


def test_the_bound_is_that_of_clopper_and_pearson():
    # 100 equal answers, 3 wrong: the bound decides, and nothing else.
    certainty, correct = np.full((100, 1), 0.9), np.ones((100, 1), bool)
    correct[:3] = False
    calibration = calibration_of(certainty, correct)
    bound = largest_error(100, 3, 0.1)
    assert calibration.bounded_threshold(bound + 1e-3, 0.1) == pytest.approx(0.9)
    with pytest.raises(InputError, match="3 are answered wrongly"):
        calibration.bounded_threshold(bound - 1e-3, 0.1)


def test_it_says_how_many_images_a_bound_needs():
    certain = calibration_of(np.full((44, 1), 0.9), np.ones((44, 1), bool))
    with pytest.raises(InputError, match="needs at least 45 held-out images.*got 44"):
        certain.bounded_threshold(0.05, 0.1)
    one_more = calibration_of(np.full((45, 1), 0.9), np.ones((45, 1), bool))
    assert one_more.bounded_threshold(0.05, 0.1) == pytest.approx(0.9)


@pytest.mark.parametrize("fallback", FALLBACKS)
def test_the_highest_certainty_that_does_not_show_too_much(record, fallback):
    calibration = calibration_of(record[0][:200], record[1][:200])
    if fallback == "everything":
        last = np.full(200, calibration.certainty.shape[1] - 1)
        calibration = replace(calibration, unanswered_level=last)
    elif fallback == "settled":
        # It shows less than the most certain mask, which must not make up for anything.
        calibration = replace(calibration, unanswered_level=np.zeros(200, int))

    def mean_kept(threshold):
        rows = []
        for path, kept in zip(calibration.certainty, calibration.kept, strict=True):
            level, answered = stop(path, threshold)
            rows.append(kept[-1 if fallback == "everything" and not answered else level])
        return np.mean(rows)

    for wanted in (0.2, 0.35, 0.5):
        found = calibration.threshold_keeping(wanted)
        higher = calibration._thresholds[calibration._thresholds > found]
        assert mean_kept(found) <= wanted + 1e-6
        assert mean_kept(higher[0]) > wanted
    # A share that even the first step exceeds is as small as it can be.
    least = calibration.threshold_keeping(0.01)
    assert mean_kept(least) == pytest.approx(0.05, abs=0.02)


def test_what_is_asked_is_a_share_of_right_answers():
    certainty, correct = np.full((8, 1), 0.9), np.ones((8, 1), bool)
    correct[0] = False
    calibration = calibration_of(certainty, correct)
    assert calibration.asked(0.8) == 0.8
    assert replace(calibration, bound=0.9, max_error=0.3).asked(0.8) == pytest.approx(0.7)
    assert replace(calibration, bound=0.9, mean_kept=0.3).asked(0.8) == pytest.approx(8 / 10)
