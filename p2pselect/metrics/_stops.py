"""What other thresholds would have given: where the paths of a search stop, and with what."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from p2pselect._answering import stops, unanswered_levels
from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.exceptions import InputError
from p2pselect.metrics._explained import check_true_labels

#: Thresholds that a curve has by default: the closer to 1, the closer to each other.
DEFAULT_THRESHOLDS = np.array(
    [*np.arange(30, 90, 5) / 100, *np.arange(90, 100) / 100, 0.995, 0.999, 0.9999]
)


class ThresholdCurve(NamedTuple):
    """What each certainty threshold gives, made by :func:`threshold_curve`.

    Parameters
    ----------
    certainty_threshold : ndarray of shape (m,)
        The thresholds, in (0, 1].
    coverage : ndarray of shape (m,)
        Share of the images that are answered: the classifier reached the threshold.
    selective_accuracy : ndarray of shape (m,)
        Share of right answers among those; NaN where nothing is answered.
    accuracy : ndarray of shape (m,)
        Share of right predictions among all images.
    answered_kept_fraction : ndarray of shape (m,)
        Mean share of the pixels kept of the images that are answered; NaN without any.
    kept_fraction : ndarray of shape (m,)
        The same of all images.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> example = example_explanation(n_images=6)
    >>> threshold_curve(example.explanation, example.y, [0.95]).coverage.shape
    (1,)
    """

    certainty_threshold: np.ndarray
    coverage: np.ndarray
    selective_accuracy: np.ndarray
    accuracy: np.ndarray
    answered_kept_fraction: np.ndarray
    kept_fraction: np.ndarray


def answer_figures(
    answered: np.ndarray, kept: np.ndarray, right: np.ndarray | None = None
) -> dict[str, float]:
    """The columns of a curve for one threshold, from what happened to every image (n,).

    Accuracies are NaN where it is not known what is right, and those of answers without any.
    """
    if right is None:
        right = np.full(len(answered), np.nan)
    some = answered.any()
    return {
        "coverage": float(answered.mean()),
        "selective_accuracy": float(right[answered].mean()) if some else np.nan,
        "accuracy": float(right.mean()),
        "answered_kept_fraction": float(kept[answered].mean()) if some else np.nan,
        "kept_fraction": float(kept.mean()),
    }


def threshold_curve(
    explanation: ExplanationArrays,
    y: Any,
    thresholds: Any = DEFAULT_THRESHOLDS,
    *,
    fallback: str = "most_certain",
) -> ThresholdCurve:
    """Accuracy, coverage and kept area at other thresholds, from one pass of explanations.

    Parameters
    ----------
    explanation : Explanation
        Its paths have to go on to the largest of the thresholds: explain with
        ``whole_path=True``.
    y : array-like of shape (n,) or (n, n_labels)
        True labels.
    thresholds : array-like of shape (m,)
        Certainty thresholds in (0, 1], by default from .3 to .9999.
    fallback : {"everything", "most_certain", "settled"}, default="most_certain"
        What an image shows that never reaches a threshold; the setting ``search__fallback`` of
        the estimator.

    Returns
    -------
    ThresholdCurve
        One entry per threshold.

    Raises
    ------
    InputError
        If there is no path, it ends too early, or a threshold is out of range.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> example = example_explanation(n_images=6)
    >>> curve = threshold_curve(example.explanation, example.y, [0.5, 0.95])
    >>> bool(curve.kept_fraction[0] <= curve.kept_fraction[1])
    True
    """
    thresholds = np.atleast_1d(np.asarray(thresholds, float))
    if not len(thresholds) or not ((thresholds > 0) & (thresholds <= 1)).all():
        raise InputError("thresholds must be numbers in (0, 1], at least one")
    if explanation.path_proba is None or not len(explanation):
        raise InputError("a curve over thresholds needs images with a path: tau='dynamic'")
    stop = explanation.enough
    if np.isnan(explanation.path_proba).any() and thresholds.max() > stop:
        raise InputError(
            f"the paths end at a certainty of {stop:g}: explain with whole_path=True to learn "
            "what comes after"
        )
    kind = explanation._kind
    truth = check_true_labels(explanation, y)
    proba = explanation.path_proba
    # What was not visited lies behind a stop that every one of the thresholds makes.
    certainty = np.nan_to_num(kind.certainty(proba), nan=-1.0)
    said = kind.labels(kind.answers(np.nan_to_num(proba, nan=-1.0)), explanation.classes)
    right_at = kind.right(said, truth[:, None])
    kept_at = explanation.path_kept_fraction
    rest = unanswered_levels(proba, fallback, kind)
    rows = np.arange(len(explanation))
    points = []
    for threshold in thresholds:
        level, answered = stops(certainty, threshold, rest)
        points.append(answer_figures(answered, kept_at[rows, level], right_at[rows, level]))
    columns = {name: np.array([point[name] for point in points]) for name in points[0]}
    return ThresholdCurve(thresholds, **columns)
