"""Is the order of the regions the order in which the classifier needs them?

Insertion and deletion fidelity measure agreement with the model's own prediction on its own
masked image, never with the label (section 4 (3) of the paper).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.exceptions import InputError, brief
from p2pselect.metrics._ordering import (
    PAPER_GRID,
    Grid,
    check_grid,
    count_regions,
    region_order,
)
from p2pselect.metrics._reveal import (
    PredictProba,
    blocks,
    predict_counts,
    predict_labels,
    remembering,
)

Protocol = Literal["exact", "official"]


@dataclass(frozen=True, eq=False)
class FidelityCurve:
    """Agreement with the model's own prediction while regions are added or removed.

    Attributes
    ----------
    fractions : ndarray of shape (t,)
        Largest share of the image's pixels that was added or removed.
    values : ndarray of shape (t,)
        Share of the images that agree (or, for :func:`insertion_auc` and
        :func:`deletion_auc`, the mean probability of the predicted class).
    per_image : ndarray of shape (n, t)
        The same before the mean over images.
    n_calls : int
        Number of distinct masks that the curve needs, over all images.
    n_classifier_images : int
        Number of images that the classifier was given for it: less than `n_calls`, since
        different masks can give one masked image (the black one, above all).

    Examples
    --------
    >>> import numpy as np
    >>> values = np.array([0.0, 0.5, 1.0])
    >>> FidelityCurve(np.array([0.0, 0.5, 1.0]), values, values[None], 3, 3).area
    0.5
    """

    fractions: np.ndarray
    values: np.ndarray
    per_image: np.ndarray
    n_calls: int
    n_classifier_images: int

    @property
    def area(self) -> float:
        """Area under the curve by the trapezoidal rule, divided by the range of fractions."""
        span = self.fractions[-1] - self.fractions[0]
        means = (self.values[1:] + self.values[:-1]) / 2
        return float(means @ np.diff(self.fractions) / span)


def insertion_fidelity_curve(
    exp: ExplanationArrays,
    predict_proba: PredictProba,
    *,
    grid: Grid = PAPER_GRID,
    protocol: Protocol = "exact",
    random_state: int = 0,
) -> FidelityCurve:
    """Agreement while the kept regions are added to a black image, most important first.

    A point of the curve is the share of images whose prediction equals the model's own
    prediction on its masked image, when at most a fraction t of the image's pixels has been
    added.  A hard mask whose order agrees with its scores reaches 1 at its own area by
    construction.

    Parameters
    ----------
    exp : Explanation
        What the model showed its classifier.
    predict_proba : callable
        Masked images (b, h, w, c) -> class probabilities (b, n_classes), past the
        selection: ``estimator.predict_proba_masked``.
    grid : array-like of shape (t,), default=PAPER_GRID
        Increasing fractions of the image's pixels, in [0, 1].
    protocol : {"exact", "official"}, default="exact"
        "exact": at most t.  "official": the released code of the paper, which here shows
        strictly less than t (except everything at t = 1) in single precision.
    random_state : int, default=0
        Breaks ties between pixels where every pixel is its own region; never by position.

    Returns
    -------
    FidelityCurve
        Better when greater.

    Raises
    ------
    InputError
        If `grid` or `protocol` is not as above, or there are no images.

    References
    ----------
    Vandenhirtz & Vogt, "From Pixels to Perception", ICML 2025, section 4 (3).

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> exp = example_explanation(n_images=4).explanation
    >>> def predict_proba(images):  # is the upper half brighter than the lower?
    ...     light = images.reshape(len(images), 2, -1).mean(axis=2)
    ...     return (light + 1) / (light + 1).sum(axis=1, keepdims=True)
    >>> curve = insertion_fidelity_curve(exp, predict_proba)
    >>> float(curve.values[-1])  # all that was kept is there again
    1.0
    """
    return _fidelity_curve(exp, predict_proba, grid, protocol, random_state, insert=True)


def deletion_fidelity_curve(
    exp: ExplanationArrays,
    predict_proba: PredictProba,
    *,
    grid: Grid = PAPER_GRID,
    protocol: Protocol = "exact",
    random_state: int = 0,
) -> FidelityCurve:
    """Agreement while the kept regions are blackened, most important first.

    A point of the curve is the share of images that still have the model's own prediction
    on its masked image, when at most a fraction t of the image's pixels has been removed.

    Parameters
    ----------
    exp : Explanation
        What the model showed its classifier.
    predict_proba : callable
        Masked images (b, h, w, c) -> class probabilities (b, n_classes), past the
        selection: ``estimator.predict_proba_masked``.
    grid : array-like of shape (t,), default=PAPER_GRID
        Increasing fractions of the image's pixels, in [0, 1].
    protocol : {"exact", "official"}, default="exact"
        "exact": at most t.  "official": the released code of the paper, which here removes
        at least t (except nothing at t = 0) in single precision.
    random_state : int, default=0
        Breaks ties between pixels where every pixel is its own region; never by position.

    Returns
    -------
    FidelityCurve
        Better when less.

    Raises
    ------
    InputError
        If `grid` or `protocol` is not as above, or there are no images.

    References
    ----------
    Vandenhirtz & Vogt, "From Pixels to Perception", ICML 2025, section 4 (3).

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> exp = example_explanation(n_images=4).explanation
    >>> def predict_proba(images):  # is the upper half brighter than the lower?
    ...     light = images.reshape(len(images), 2, -1).mean(axis=2)
    ...     return (light + 1) / (light + 1).sum(axis=1, keepdims=True)
    >>> curve = deletion_fidelity_curve(exp, predict_proba)
    >>> float(curve.values[0])  # nothing is removed yet
    1.0
    """
    return _fidelity_curve(exp, predict_proba, grid, protocol, random_state, insert=False)


def _fidelity_curve(
    exp: ExplanationArrays,
    predict_proba: PredictProba,
    grid: Grid,
    protocol: Protocol,
    random_state: int,
    insert: bool,
) -> FidelityCurve:
    if protocol not in ("exact", "official"):
        raise InputError(f"protocol must be 'exact' or 'official', got {brief(protocol)}")
    fractions = check_grid(grid)
    classifier = remembering(predict_proba)
    before, n_calls, agreement = classifier.n_images, 0, []
    for sub in blocks(exp):
        order = region_order(sub, random_state)
        count = count_regions(sub, order, fractions, protocol, insert)
        # Removed regions are black in the masked image already: only kept ones change it.
        ordered = np.take_along_axis(sub.visible_region_masks, order, axis=1)
        n_before = np.pad(np.cumsum(ordered, axis=1), ((0, 0), (1, 0)))
        place = np.empty_like(order)
        np.put_along_axis(place, order, n_before[:, :-1], axis=1)
        shown = np.take_along_axis(n_before, count, axis=1)
        images = sub.masked_images
        own = predict_labels(classifier, images)
        proba = predict_counts(images, sub.to_pixels(place), shown, insert, classifier)
        agreement.append(proba.argmax(axis=2) == own[:, None])
        n_calls += sum(len(np.unique(row)) for row in shown)
    per_image = np.concatenate(agreement)
    return FidelityCurve(
        fractions, per_image.mean(axis=0), per_image, n_calls, classifier.n_images - before
    )
