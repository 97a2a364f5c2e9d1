"""Can the certainty be trusted?  Calibration, and risk if only certain images are answered."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from p2pselect._docstrings import shared_docs
from p2pselect.exceptions import InputError
from p2pselect.metrics._arrays import as_array, as_masks

#: Variance of a number of successes from which on it is as good as normally distributed.
_NORMAL = 100.0
_IMPOSSIBLE = 1e-18


class RiskCoverageCurve(NamedTuple):
    """Error rate among the most certain images, made by :func:`risk_coverage_curve`.

    Parameters
    ----------
    coverage : ndarray of shape (n,)
        Share of the images that is answered, most certain first: 1/n, 2/n ... 1.
    risk : ndarray of shape (n,)
        Error rate among them.

    Examples
    --------
    >>> curve = risk_coverage_curve([True, False], [0.9, 0.6])
    >>> curve.coverage.tolist(), curve.risk.tolist()
    ([0.5, 1.0], [0.0, 0.5])
    """

    coverage: np.ndarray
    risk: np.ndarray


class ReliabilityCurve(NamedTuple):
    """Certainty beside the share of right answers, made by :func:`reliability_curve`.

    Parameters
    ----------
    certainty : ndarray of shape (m,)
        Mean certainty of the images of each bin that has any, increasing.
    accuracy : ndarray of shape (m,)
        Share of right predictions among them.
    n_images : ndarray of shape (m,), int
        Number of them.

    Examples
    --------
    >>> curve = reliability_curve([True, False, True], [0.75, 0.75, 0.25])
    >>> curve.certainty.tolist(), curve.accuracy.tolist()
    ([0.25, 0.75], [1.0, 0.5])
    """

    certainty: np.ndarray
    accuracy: np.ndarray
    n_images: np.ndarray


def coverage_score(answered: np.ndarray) -> float:
    """Share of the images that are answered; greater is better.

    Parameters
    ----------
    answered : array-like of shape (n,), bool
        Whether the classifier became as certain as was asked; ``explanation.answered``.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    InputError
        If ``answered`` is empty, or not a row of truth values.

    Examples
    --------
    >>> coverage_score([True, True, True, False])
    0.75
    """
    return float(_as_truth(answered, "answered").mean())


def selective_accuracy_score(correct: np.ndarray, answered: np.ndarray) -> float:
    """Share of right answers among the images that are answered; greater is better.

    Parameters
    ----------
    correct : array-like of shape (n,), bool
        Whether the prediction for every image is right.
    answered : array-like of shape (n,), bool
        Whether the image is answered; ``explanation.answered``.

    Returns
    -------
    float
        In [0, 1]; NaN where no image is answered.

    Raises
    ------
    InputError
        If the arrays are empty, not rows of truth values, or of different lengths.

    References
    ----------
    Geifman and El-Yaniv, "Selective classification for deep neural networks", NeurIPS 2017,
    equation 2 (one minus the selective risk under the 0/1 loss).

    Examples
    --------
    >>> selective_accuracy_score([True, False, False], [True, True, False])
    0.5
    """
    correct, answered = _as_truth(correct, "correct"), _as_truth(answered, "answered")
    if len(correct) != len(answered):
        raise InputError(
            f"correct and answered must have the same length, got {len(correct)} and "
            f"{len(answered)}"
        )
    return float(correct[answered].mean()) if answered.any() else float("nan")


@shared_docs
def expected_calibration_error(
    correct: np.ndarray, certainty: np.ndarray, *, n_bins: int = 10
) -> float:
    """Mean distance between certainty and accuracy over bins of certainty; less is better.

    The bins have equal width and are closed on the right; each one is weighted by the number
    of its images.

    %(correct_and_certainty)s
    n_bins : int, default=10
        Number of bins, at least 1.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    InputError
        If the arrays do not fit each other, or a certainty is outside [0, 1].

    References
    ----------
    Guo et al., "On calibration of modern neural networks", ICML 2017, equation 3.

    Examples
    --------
    >>> expected_calibration_error([True, False], [0.75, 0.75])
    0.25
    """
    curve = reliability_curve(correct, certainty, n_bins=n_bins)
    return float(np.average(np.abs(curve.accuracy - curve.certainty), weights=curve.n_images))


@shared_docs
def reliability_curve(
    correct: np.ndarray, certainty: np.ndarray, *, n_bins: int = 10
) -> ReliabilityCurve:
    """Share of right predictions in bins of certainty.

    The bins have equal width and are closed on the right; those without images are left out.

    %(correct_and_certainty)s
    n_bins : int, default=10
        Number of bins, at least 1.

    Returns
    -------
    ReliabilityCurve
        ``(certainty, accuracy, n_images)``, one entry for each bin with images.

    Raises
    ------
    InputError
        If the arrays do not fit each other, or a certainty is outside [0, 1].

    References
    ----------
    Guo et al., "On calibration of modern neural networks", ICML 2017, equations 1 and 2.

    Examples
    --------
    >>> reliability_curve([True, False], [0.75, 0.75]).accuracy
    array([0.5])
    """
    correct, certainty = _check(correct, certainty)
    index = _bins(certainty, n_bins)
    n_images = np.bincount(index)
    some = n_images > 0

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(index, weights=values)[some] / n_images[some]

    return ReliabilityCurve(mean(certainty), mean(correct), n_images[some])


def calibration_error_floor(certainty: np.ndarray, *, n_bins: int = 10) -> float:
    """Calibration error that a perfectly calibrated model shows on average on as many images.

    A model may be right exactly as often as it says, and still the shares of right predictions
    of finite numbers of images differ from its certainties.  Whatever
    :func:`expected_calibration_error` finds means something only beside this value.

    Parameters
    ----------
    certainty : array-like of shape (n,)
        Certainty of every prediction, in [0, 1].
    n_bins : int, default=10
        Number of bins, at least 1; that of the error.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    InputError
        If there is no certainty, or one is outside [0, 1].

    Notes
    -----
    The exact mean of the error where every prediction is right with a probability of its
    certainty, independently of the others: the number of right predictions of a bin has a
    Poisson binomial distribution.  For bins with enough uncertain predictions, the normal
    distribution takes its place, which is within a thousandth of that mean there.

    Examples
    --------
    >>> calibration_error_floor([0.5])
    0.5
    >>> calibration_error_floor([0.5] * 100) < 0.05
    True
    """
    certainty = np.asarray(certainty)
    _, certainty = _check(np.zeros(certainty.shape, bool), certainty)
    index = _bins(certainty, n_bins)
    found = sum(_mean_deviation(certainty[index == b]) for b in np.unique(index))
    return float(found / len(certainty))


def _bins(certainty: np.ndarray, n_bins: int) -> np.ndarray:
    """The number of the bin of every certainty."""
    if n_bins < 1:
        raise InputError(f"n_bins must be at least 1, got {n_bins}")
    # Clipped, because the first bin holds 0, and rounding may put a certainty above 1.
    return np.clip(np.ceil(certainty * n_bins).astype(int) - 1, 0, n_bins - 1)


def _mean_deviation(chances: np.ndarray) -> float:
    """Mean distance of a number of successes from its own mean, for independent trials (m,)."""
    chances = np.minimum(chances, 1)
    variance = float((chances * (1 - chances)).sum())
    if variance > _NORMAL:
        return float(np.sqrt(2 / np.pi * variance))
    of_count, least = np.ones(1), 0
    for chance in chances:
        of_count = np.convolve(of_count, [1 - chance, chance])
        # What cannot be told from impossible is dropped at both ends, so that time and memory
        # grow with the number of trials, not with its square.
        while of_count[0] < _IMPOSSIBLE:
            of_count, least = of_count[1:], least + 1
        while of_count[-1] < _IMPOSSIBLE:
            of_count = of_count[:-1]
    return float(of_count @ np.abs(least + np.arange(len(of_count)) - chances.sum()))


@shared_docs
def risk_coverage_curve(correct: np.ndarray, certainty: np.ndarray) -> RiskCoverageCurve:
    """Error rate when only the most certain share of the images is answered.

    %(correct_and_certainty)s

    Returns
    -------
    RiskCoverageCurve
        ``(coverage, risk)``, arrays of shape (n,).

    References
    ----------
    Geifman & El-Yaniv, "Selective classification for deep neural networks", NeurIPS 2017.

    Examples
    --------
    >>> risk_coverage_curve([True, False], [0.9, 0.6]).risk
    array([0. , 0.5])
    """
    correct, certainty = _check(correct, certainty)
    # Images that are equally certain have no order: each enters with their mean error, so
    # that the curve does not depend on the order of the images.
    _, group, size = np.unique(-certainty, return_inverse=True, return_counts=True)
    mean_error = np.bincount(group, weights=~correct) / size
    answered = np.arange(1, len(correct) + 1)
    return RiskCoverageCurve(
        answered / len(correct), np.cumsum(np.repeat(mean_error, size)) / answered
    )


@shared_docs
def aurc(correct: np.ndarray, certainty: np.ndarray) -> float:
    """Area under the risk-coverage curve; less is better.

    %(correct_and_certainty)s

    Returns
    -------
    float
        Mean of the risk over all coverages, in [0, 1].

    Examples
    --------
    >>> aurc([True, False], [0.9, 0.6])
    0.25
    """
    return float(risk_coverage_curve(correct, certainty).risk.mean())


def _as_truth(value: np.ndarray, name: str) -> np.ndarray:
    truth = as_masks(value, name)
    if truth.ndim != 1 or not len(truth):
        raise InputError(f"{name} must have shape (n,), n >= 1, got {truth.shape}")
    return truth


def _check(correct: np.ndarray, certainty: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    correct = as_masks(correct, "correct")
    certainty = as_array(certainty, "certainty").astype(float)
    if correct.ndim != 1 or correct.shape != certainty.shape or not len(correct):
        raise InputError(
            "correct and certainty must have one shape (n,), n >= 1, got "
            f"{correct.shape} and {certainty.shape}"
        )
    # Written with all(), so that NaN is refused, too; 1e-6 allows for rounding in float32.
    if not (certainty >= 0).all() or not (certainty <= 1 + 1e-6).all():
        raise InputError(
            f"certainty must be in [0, 1], got {certainty.min()} to {certainty.max()}"
        )
    return correct, certainty
