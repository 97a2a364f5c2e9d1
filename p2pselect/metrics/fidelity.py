"""Is the order of the regions the order in which the classifier needs them?

Insertion and deletion fidelity measure agreement with the model's own prediction on its own
masked image, never with the label (section 4 (3) of the paper).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from p2pselect.exceptions import InputError
from p2pselect.explanation import Explanation
from p2pselect.metrics.reveal import (
    PredictProba,
    RememberingClassifier,
    blocks,
    predict_counts,
    remembering,
)

PAPER_GRID = (
    0.0, 0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8,
    0.9, 0.99, 1.0,
)  # fmt: skip
"""Shares of the image's pixels at which the paper evaluates its fidelity curves."""

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
    exp: Explanation,
    predict_proba: PredictProba,
    *,
    grid: np.ndarray | tuple[float, ...] = PAPER_GRID,
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
    """
    return _fidelity_curve(exp, predict_proba, grid, protocol, random_state, insert=True)


def deletion_fidelity_curve(
    exp: Explanation,
    predict_proba: PredictProba,
    *,
    grid: np.ndarray | tuple[float, ...] = PAPER_GRID,
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
    """
    return _fidelity_curve(exp, predict_proba, grid, protocol, random_state, insert=False)


def insertion_auc(
    exp: Explanation,
    predict_proba: PredictProba,
    *,
    grid: np.ndarray | tuple[float, ...] = PAPER_GRID,
    random_state: int = 0,
) -> FidelityCurve:
    """Mean probability of the predicted class while regions of the FULL image are added.

    The insertion of RISE: unlike :func:`insertion_fidelity_curve` it ends at the whole
    image, and its classifier meets images that it was never trained on.

    Parameters
    ----------
    exp : Explanation
        What the model showed its classifier; the class is its prediction.
    predict_proba : callable
        Masked images (b, h, w, c) -> class probabilities (b, n_classes).
    grid : array-like of shape (t,), default=PAPER_GRID
        Increasing fractions of the image's pixels, in [0, 1].
    random_state : int, default=0
        Breaks ties between pixels where every pixel is its own region.

    Returns
    -------
    FidelityCurve
        Better when greater.

    References
    ----------
    Petsiuk, Das & Saenko, "RISE", BMVC 2018.
    """
    return _auc_curve(exp, predict_proba, grid, random_state, insert=True)


def deletion_auc(
    exp: Explanation,
    predict_proba: PredictProba,
    *,
    grid: np.ndarray | tuple[float, ...] = PAPER_GRID,
    random_state: int = 0,
) -> FidelityCurve:
    """Mean probability of the predicted class while regions of the FULL image are removed.

    Parameters
    ----------
    exp : Explanation
        What the model showed its classifier; the class is its prediction.
    predict_proba : callable
        Masked images (b, h, w, c) -> class probabilities (b, n_classes).
    grid : array-like of shape (t,), default=PAPER_GRID
        Increasing fractions of the image's pixels, in [0, 1].
    random_state : int, default=0
        Breaks ties between pixels where every pixel is its own region.

    Returns
    -------
    FidelityCurve
        Better when less.

    References
    ----------
    Petsiuk, Das & Saenko, "RISE", BMVC 2018.
    """
    return _auc_curve(exp, predict_proba, grid, random_state, insert=False)


def sufficiency(exp: Explanation, predict_proba: PredictProba) -> float:
    """Share of images with one prediction for what is kept and for the full image.

    Parameters
    ----------
    exp : Explanation
        What the model showed its classifier.
    predict_proba : callable
        Masked images (b, h, w, c) -> class probabilities (b, n_classes).

    Returns
    -------
    float
        In [0, 1], better when greater.
    """
    classifier = remembering(predict_proba)
    same = [
        _predict(classifier, part.masked_images) == _predict(classifier, _as_shown(part))
        for part in blocks(exp)
    ]
    return float(np.concatenate(same).mean())


def comprehensiveness(exp: Explanation, predict_proba: PredictProba) -> float:
    """Share of images whose prediction changes when the kept pixels are all that is removed.

    Parameters
    ----------
    exp : Explanation
        What the model showed its classifier.
    predict_proba : callable
        Masked images (b, h, w, c) -> class probabilities (b, n_classes).

    Returns
    -------
    float
        In [0, 1], better when greater: what was kept is all that there was to see.
    """
    classifier = remembering(predict_proba)
    changed = [
        _predict(classifier, part.masked_images)
        != _predict(classifier, _as_shown(part) - part.masked_images)
        for part in blocks(exp)
    ]
    return float(np.concatenate(changed).mean())


def _fidelity_curve(
    exp: Explanation,
    predict_proba: PredictProba,
    grid: np.ndarray | tuple[float, ...],
    protocol: Protocol,
    random_state: int,
    insert: bool,
) -> FidelityCurve:
    if protocol not in ("exact", "official"):
        raise InputError(f"protocol must be 'exact' or 'official', got {protocol!r}")
    fractions = _check_grid(grid)
    classifier = remembering(predict_proba)
    before, n_calls, agreement = classifier.n_images, 0, []
    for sub in blocks(exp):
        order = region_order(sub, random_state)
        count = _count_regions(sub, order, fractions, protocol, insert)
        # Removed regions are black in the masked image already: only kept ones change it.
        visible = (
            sub.region_masks if sub.soft_region_masks is None else sub.soft_region_masks > 0
        )
        ordered = np.take_along_axis(visible, order, axis=1)
        n_before = np.pad(np.cumsum(ordered, axis=1), ((0, 0), (1, 0)))
        place = np.empty_like(order)
        np.put_along_axis(place, order, n_before[:, :-1], axis=1)
        shown = np.take_along_axis(n_before, count, axis=1)
        images = sub.masked_images
        own = _predict(classifier, images)
        proba = predict_counts(images, sub.to_pixels(place), shown, insert, classifier)
        agreement.append(proba.argmax(axis=2) == own[:, None])
        n_calls += sum(len(np.unique(row)) for row in shown)
    per_image = np.concatenate(agreement)
    return FidelityCurve(
        fractions, per_image.mean(axis=0), per_image, n_calls, classifier.n_images - before
    )


def _auc_curve(
    exp: Explanation,
    predict_proba: PredictProba,
    grid: np.ndarray | tuple[float, ...],
    random_state: int,
    insert: bool,
) -> FidelityCurve:
    fractions = _check_grid(grid)
    classifier = remembering(predict_proba)
    before, n_calls, probability = classifier.n_images, 0, []
    for sub in blocks(exp):
        order = region_order(sub, random_state)
        count = _count_regions(sub, order, fractions, "exact", insert)
        place = np.empty_like(order)
        np.put_along_axis(place, order, np.arange(order.shape[1])[None], axis=1)
        own = _predict(classifier, sub.masked_images)
        proba = predict_counts(_as_shown(sub), sub.to_pixels(place), count, insert, classifier)
        probability.append(np.take_along_axis(proba, own[:, None, None], axis=2)[..., 0])
        n_calls += sum(len(np.unique(row)) for row in count)
    per_image = np.concatenate(probability)
    return FidelityCurve(
        fractions, per_image.mean(axis=0), per_image, n_calls, classifier.n_images - before
    )


def region_order(exp: Explanation, random_state: int = 0) -> np.ndarray:
    """Regions by falling importance, int array of shape (n, d).

    The model's own ``ranking``; where every pixel is its own region, ties are common
    (saturated or clamped maps) and are broken by a random permutation instead of by label,
    which would be by position.
    """
    n, d = exp.region_masks.shape
    if d != exp.regions[0].size:
        return exp.ranking
    permutation = np.random.default_rng(random_state).permutation(d)
    by_score = np.argsort(-exp.selection_logits[:, permutation], axis=1, kind="stable")
    return permutation[by_score]


def _count_regions(
    exp: Explanation, order: np.ndarray, fractions: np.ndarray, protocol: str, insert: bool
) -> np.ndarray:
    """How many of the first regions of `order` to add or remove, int (n, t)."""
    areas = np.take_along_axis(exp.region_areas, order, axis=1)
    n_pixels = exp.regions[0].size
    if protocol == "exact":
        # Rounded, so that a fraction that is a whole number of pixels is just that.
        allowed = np.floor(np.round(fractions * n_pixels, 6))
        if order.shape[1] == n_pixels:
            allowed = np.round(fractions * n_pixels)
        covered = np.cumsum(areas, axis=1)
        return np.stack([np.searchsorted(row, allowed, side="right") for row in covered])
    shares = (areas / n_pixels).astype(np.float32)
    covered = np.cumsum(shares, axis=1, dtype=np.float32)
    below = np.stack([(row[:, None] < fractions.astype(np.float32)).sum(0) for row in covered])
    d = order.shape[1]
    if insert:
        return np.where(fractions == 1, d, below)
    return np.where(fractions == 0, 0, np.minimum(below + 1, d))


def _check_grid(grid: np.ndarray | tuple[float, ...]) -> np.ndarray:
    fractions = np.asarray(grid, dtype=float)
    increasing = fractions.ndim == 1 and len(fractions) > 1 and (np.diff(fractions) > 0).all()
    if not increasing or fractions[0] < 0 or fractions[-1] > 1:
        raise InputError(
            f"grid must be at least two increasing fractions in [0, 1], got {grid!r}"
        )
    return fractions


def _as_shown(exp: Explanation) -> np.ndarray:
    """The full images in the range and type of ``masked_images``."""
    if exp.soft_region_masks is None:
        return exp.images
    return exp.images / np.float32(255 if exp.images.dtype == np.uint8 else 1)


def _predict(classifier: RememberingClassifier, images: np.ndarray) -> np.ndarray:
    return classifier(images).argmax(axis=1)
