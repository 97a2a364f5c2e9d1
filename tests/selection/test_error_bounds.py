"""A bound on the error of every class: it holds for all at once, or a class is silent."""

import warnings

import numpy as np
import pytest
from scipy.stats import binom

from p2pselect._answering import stops
from p2pselect.exceptions import InputError, P2PSelectWarning
from p2pselect.selection._calibrating import Asked, Paths, calibrated
from p2pselect.selection._error_bounds import (
    best_for_classes,
    largest_error,
    proven,
    unanswered_classes,
    worth_testing,
)
from tests.oracles import stop_calibration as oracle

CLASSES = np.array(["a", "b", "c", "d"])
ASKED = Asked(max_error=0.15, alpha=0.1, per_class=True)


@pytest.fixture(scope="module")
def record():
    """Many paths; what looks like class 1 is class 0 in a third of the cases."""
    proba, truth = oracle.simulated_classes(6000, np.random.default_rng(0))
    return Paths(proba, np.ones(proba.shape[:2]), np.zeros(len(truth)), truth)


def bounded(paths, asked=ASKED):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", P2PSelectWarning)
        return calibrated(paths, CLASSES, asked, "most_certain")


def answers(paths, calibration):
    """Answers by the class that they name, and those of them that are wrong, (n_classes,)."""
    level, certain = stops(paths.certainty, calibration.bound)
    named = paths.predicted[np.arange(len(level)), level]
    if calibration.answered_classes is not None:
        certain &= calibration.answered_classes[named]
    wrong = certain & (named != paths.truth)
    return np.bincount(named[certain], minlength=4), np.bincount(named[wrong], minlength=4)


def test_what_is_proven_is_what_a_walk_proves():
    rng = np.random.default_rng(2)
    for _ in range(20):
        answered = np.sort(rng.integers(0, 120, 12))
        right = answered - rng.binomial(answered, 0.06)
        slow, failed = [], False
        for n, k in zip(answered.tolist(), right.tolist(), strict=True):
            enough = n >= 22  # 0.9 ** 22 <= 0.1 < 0.9 ** 21
            failed |= enough and oracle.largest_error(n, n - k, 0.1) > 0.1
            slow.append(enough and not failed)
        assert proven(answered, right, 0.1, 0.1).tolist() == slow


@pytest.mark.parametrize(("max_error", "alpha"), [(0.05, 0.1), (0.1, 0.1), (0.2, 0.05)])
@pytest.mark.parametrize("n", [30, 100, 185, 473, 2000])
def test_a_threshold_is_tested_where_one_more_answer_may_be_wrong(n, max_error, alpha):
    def forgives(count, wrong):
        return binom.cdf(wrong, count, max_error) <= alpha

    most, of_counts, slow = -1, [-1], []
    for count in range(1, n + 1):
        slow.append(forgives(count, most + 1))
        most += slow[-1]
        of_counts.append(most)
    slow[-1] = True
    first = max(0, min(1, of_counts[n // 4]), of_counts[n // 16])
    slow = [tested and most >= first for tested, most in zip(slow, of_counts[1:], strict=True)]
    assert worth_testing(np.arange(1, n + 1), max_error, alpha).tolist() == slow


def test_nothing_is_tested_where_nothing_is_answered():
    assert worth_testing(np.array([], int), 0.05, 0.1).tolist() == []
    assert worth_testing(np.array([0, 0]), 0.05, 0.1).tolist() == [False, False]


@pytest.mark.parametrize(("n", "more"), [(185, 0.8), (473, 1.3), (2000, 2)])
def test_what_is_tested_proves_more_and_is_as_true(n, more):
    """Some of the most certain answers are wrong, too: more often the less certain they are."""
    rng, error, alpha = np.random.default_rng(0), 0.05, 0.1
    place = np.sort(rng.random((600, n)), axis=1)
    wrong = (rng.random((600, n)) < 0.02 + 0.55 * place**2).cumsum(axis=1)
    given = np.arange(1, n + 1)
    risk = 0.02 + 0.55 * place**2 / 3  # of all images that are at least as certain
    tested, shares, violated = worth_testing(given, error, alpha), {}, {}
    for name, rows in (("all", given > 0), ("tested", tested)):
        keeps = np.array([proven(given[rows], (given - k)[rows], error, alpha) for k in wrong])
        last = keeps.shape[1] - 1 - keeps[:, ::-1].argmax(axis=1)
        where = np.arange(600), np.flatnonzero(rows)[last]
        some = keeps.any(axis=1)
        shares[name] = (place[where] * some).mean()
        violated[name] = (some & (risk[where] > error)).mean()
    assert shares["tested"] >= more * shares["all"]
    assert violated["tested"] <= alpha


def test_nothing_right_is_all_wrong():
    assert largest_error(np.array([5, 0]), np.array([0, 0]), 0.1).tolist() == [1, 1]


def test_the_threshold_is_the_one_that_answers_most():
    answered = np.array([[60, 0], [70, 60], [200, 70]])
    right = np.array([[60, 0], [70, 60], [100, 70]])
    row, keeps = best_for_classes(answered, right, 0.1, 0.1)
    assert row == 1 and keeps.tolist() == [True, True]
    # A class that fails is silent where the other gains more by going on.
    row, keeps = best_for_classes(answered * [1, 3], right * [1, 3], 0.1, 0.1)
    assert row == 1 and keeps.tolist() == [True, True]
    row, keeps = best_for_classes(answered * [1, 9], right * [1, 9], 0.1, 0.1)
    assert row == 2 and keeps.tolist() == [False, True]


def test_every_class_has_its_part_of_alpha():
    # 0.9 ** 25 is below 0.1, but not below 0.1 / 2.
    answered = np.array([[25, 60]])
    assert best_for_classes(answered, answered, 0.1, 0.1)[1].tolist() == [False, True]


def test_every_class_keeps_its_bound(record):
    rng, violated, silent, coverage = np.random.default_rng(3), [], [], []
    for _ in range(100):
        calibration = bounded(record[rng.choice(6000, 600, replace=False)])
        given, wrong = answers(record, calibration)
        violated.append((wrong > ASKED.max_error * given).any())
        silent.append(not calibration.answered_classes[1])
        coverage.append(given.sum() / 6000)
    assert np.mean(violated) <= ASKED.alpha
    assert np.mean(silent) >= 0.95  # a third of its answers is wrong
    assert np.mean(coverage) >= 0.4


def test_all_answers_together_would_let_a_class_fail(record):
    # What bounds by class are for: the other answers make up for those of class 1.
    given, wrong = answers(record, bounded(record[:600], Asked(max_error=0.25, alpha=0.1)))
    assert wrong.sum() <= 0.25 * given.sum() and wrong[1] >= 0.28 * given[1]


def test_a_silent_class_is_named_with_what_it_needs(record):
    with pytest.warns(P2PSelectWarning, match="1 of 4 classes are not answered.*'b'"):
        calibrated(record[:600], CLASSES, ASKED, "most_certain")
    keeps, given, right = (
        np.array([True, False, False, False]),
        [100, 20, 120, 0],
        [100, 20, 70, 0],
    )
    said = unanswered_classes(CLASSES, keeps, 300, np.array(given), np.array(right), 0.15, 0.1)
    # 0.85 ** 23 <= 0.1 / 4 < 0.85 ** 22, and 20 answers are what 300 images give.
    assert "3 of 4 classes are not answered" in said
    assert "'b' (20 answers, 0 wrong: about 345 images would be needed)" in said
    assert "'c' (120 answers, 50 wrong: more images would not help)" in said
    assert "'d' (named 0 times, 23 are needed)" in said


def test_where_no_class_keeps_it_nothing_is_promised(record):
    with pytest.raises(
        InputError, match="no class keeps its bound.*needs at least 72 held-out"
    ):
        bounded(record[:60], Asked(max_error=0.05, alpha=0.1, per_class=True))


def test_another_threshold_is_another_question(record):
    calibration = bounded(record[:600])
    proba = record.proba[:50, -1]
    bound = calibration.reported(calibration.bound)
    np.testing.assert_array_equal(bound.may_answer(proba, None), proba.argmax(axis=1) != 1)
    assert calibration.reported(0.5).may_answer(proba, None).all()
