import time
from itertools import permutations, product

import numpy as np
import pytest
from scipy.special import gammaln
from scipy.stats import binom

from p2pselect.exceptions import InputError
from p2pselect.metrics import (
    aurc,
    calibration_error_floor,
    coverage_score,
    expected_calibration_error,
    kept_fraction,
    n_selected_regions,
    reliability_curve,
    risk_coverage_curve,
    selective_accuracy_score,
)


def slow_ece(correct, certainty, n_bins):
    total = 0.0
    for b in range(n_bins):
        low, high = b / n_bins, (b + 1) / n_bins
        inside = [
            (hit, p)
            for hit, p in zip(correct, certainty, strict=True)
            if low < p <= high or (b == 0 and p == 0)
        ]
        if inside:
            hits, ps = zip(*inside, strict=True)
            total += abs(np.mean(hits) - np.mean(ps)) * len(inside) / len(correct)
    return total


@pytest.mark.parametrize("n_bins", [1, 4, 8])
def test_calibration_error_equals_bins_one_by_one(n_bins):
    rng = np.random.default_rng(n_bins)
    certainty = rng.integers(0, 17, 200) / 16
    correct = rng.random(200) < certainty
    expected = slow_ece(correct, certainty, n_bins)
    assert expected_calibration_error(correct, certainty, n_bins=n_bins) == pytest.approx(
        expected
    )


@pytest.mark.parametrize("n_bins", [1, 4, 10])
@pytest.mark.parametrize("n", [1, 2, 9])
def test_the_floor_is_the_mean_error_over_all_outcomes(n, n_bins):
    certainty = np.random.default_rng(n).random(n)
    certainty[0] = (n == 9) or 0.3  # of one image it is known that it is right
    mean = 0.0
    for outcome in product([False, True], repeat=n):
        chance = np.prod(np.where(outcome, certainty, 1 - certainty))
        mean += chance * slow_ece(outcome, certainty, n_bins)
    floor = calibration_error_floor(certainty, n_bins=n_bins)
    assert floor == pytest.approx(mean, abs=1e-12)


def test_the_floor_is_what_a_perfect_model_shows():
    rng = np.random.default_rng(0)
    certainty = rng.beta(6, 1, 470)
    drawn = rng.random((300, 470)) < certainty
    errors = [expected_calibration_error(correct, certainty) for correct in drawn]
    floor = calibration_error_floor(certainty)
    assert floor == pytest.approx(np.mean(errors), abs=4 * np.std(errors) / 300**0.5)
    assert calibration_error_floor(certainty[:100]) > 1.5 * floor
    assert calibration_error_floor(np.ones(5)) == calibration_error_floor(np.zeros(1)) == 0


def test_the_floor_of_thousands_of_images_is_found_at_once():
    # The mean deviation of a binomial count of n trials is near sqrt(2 n p q / pi).
    floor = calibration_error_floor(np.full(4000, 0.95))
    assert floor == pytest.approx(np.sqrt(2 * 0.95 * 0.05 / np.pi / 4000), rel=0.01)


@pytest.mark.parametrize("chance", [0.9, 0.5, 0.02])
def test_the_floor_of_many_uncertain_images_is_that_of_the_binomial_distribution(chance):
    # On both sides of where the normal distribution takes over.
    for n in (int(95 / (chance * (1 - chance))), int(105 / (chance * (1 - chance)))):
        counts = np.arange(n + 1)
        exact = binom.pmf(counts, n, chance) @ np.abs(counts - n * chance) / n
        assert calibration_error_floor(np.full(n, chance)) == pytest.approx(exact, rel=1e-3)


def test_the_time_for_many_certain_images_does_not_grow_with_their_square():
    n = 300_000
    # 50 wrong ones are expected: a Poisson distribution, whose mean deviation is known.
    expected = 2 * np.exp(51 * np.log(50) - 50 - gammaln(51)) / n
    start = time.process_time()
    floor = calibration_error_floor(np.full(n, 1 - 50 / n))
    assert floor == pytest.approx(expected, rel=2e-3)
    assert time.process_time() - start < 8  # with the square, half a minute


def test_a_reliability_curve_has_the_bins_with_images():
    certainty = [0.05, 0.1, 0.31, 0.39, 0.4, 1.0]
    curve = reliability_curve([True, False, True, True, False, True], certainty)
    np.testing.assert_allclose(curve.certainty, [0.075, np.mean([0.31, 0.39, 0.4]), 1])
    np.testing.assert_allclose(curve.accuracy, [0.5, 2 / 3, 1])
    assert curve.n_images.tolist() == [2, 3, 1]


@pytest.mark.parametrize("wrong", [[], [1.5], [np.nan], [[0.5]]])
def test_the_floor_needs_certainties(wrong):
    with pytest.raises(InputError, match="certainty"):
        calibration_error_floor(wrong)
    with pytest.raises(InputError, match="n_bins must be at least 1, got 0"):
        calibration_error_floor([0.5], n_bins=0)


def test_certain_and_right_has_no_calibration_error():
    assert expected_calibration_error([True] * 3, [1.0] * 3) == 0


def test_risk_coverage_is_the_mean_over_all_orders_of_ties():
    correct = np.array([True, False, True, False])
    certainty = np.array([0.9, 0.7, 0.7, 0.7])
    orders = [[0, *rest] for rest in permutations([1, 2, 3])]
    risks = [np.cumsum(~correct[order]) / np.arange(1, 5) for order in orders]
    curve = risk_coverage_curve(correct, certainty)
    np.testing.assert_allclose(curve.risk, np.mean(risks, axis=0))
    np.testing.assert_allclose(curve.coverage, [0.25, 0.5, 0.75, 1])
    assert aurc(correct, certainty) == pytest.approx(np.mean(risks))


def test_good_order_has_less_area_than_bad_order():
    correct = np.array([True] * 8 + [False] * 2)
    rising = np.linspace(0.5, 1, 10)
    assert aurc(correct, rising[::-1]) < aurc(correct, rising)


def test_accuracy_counts_answered_images_only():
    correct, answered = [True, False, False, True], [True, True, False, False]
    assert coverage_score(answered) == 0.5
    assert selective_accuracy_score(correct, answered) == 0.5
    assert selective_accuracy_score([True, False, False, False], answered) == 0.5
    assert np.isnan(selective_accuracy_score(correct, [False] * 4))
    assert coverage_score([False] * 4) == 0


@pytest.mark.parametrize("score", [coverage_score, lambda x: selective_accuracy_score(x, x)])
@pytest.mark.parametrize("wrong", [[], [0.5], [[True]], ["yes"]])
def test_answers_are_a_row_of_truth_values(score, wrong):
    with pytest.raises(InputError):
        score(wrong)


def test_as_many_answers_as_predictions():
    with pytest.raises(InputError, match="got 2 and 1"):
        selective_accuracy_score([True, False], [True])


@pytest.mark.parametrize(
    ("correct", "certainty", "message"),
    [
        ([True], [0.5, 0.6], r"\(1,\) and \(2,\)"),
        ([], [], "n >= 1"),
        ([True], [1.5], r"in \[0, 1\], got 1.5"),
        ([True], [np.nan], r"in \[0, 1\]"),
    ],
)
def test_bad_input_is_named(correct, certainty, message):
    with pytest.raises(InputError, match=message):
        expected_calibration_error(correct, certainty)


def test_kept_fraction_and_region_counts():
    masks = np.zeros((2, 2, 2), dtype=bool)
    masks[1] = True
    assert kept_fraction(masks) == 0.5
    assert kept_fraction(masks, per_image=True).tolist() == [0, 1]
    assert n_selected_regions(masks[:, 0], per_image=True).tolist() == [0, 2]
    with pytest.raises(InputError, match="pixel_masks must have shape"):
        kept_fraction(masks[0])
    with pytest.raises(InputError, match="region_masks must have shape"):
        n_selected_regions(masks)
