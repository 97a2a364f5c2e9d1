"""Faithfulness to the FULL image: the insertion and deletion of RISE, and what is left over."""

from __future__ import annotations

import numpy as np

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.metrics._fidelity import FidelityCurve
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


def insertion_auc(
    exp: ExplanationArrays,
    predict_proba: PredictProba,
    *,
    grid: Grid = PAPER_GRID,
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

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> exp = example_explanation(n_images=4).explanation
    >>> def predict_proba(images):  # is the upper half brighter than the lower?
    ...     light = images.reshape(len(images), 2, -1).mean(axis=2)
    ...     return (light + 1) / (light + 1).sum(axis=1, keepdims=True)
    >>> round(insertion_auc(exp, predict_proba).area, 2)
    0.6
    """
    return _auc_curve(exp, predict_proba, grid, random_state, insert=True)


def deletion_auc(
    exp: ExplanationArrays,
    predict_proba: PredictProba,
    *,
    grid: Grid = PAPER_GRID,
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

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> exp = example_explanation(n_images=4).explanation
    >>> def predict_proba(images):  # is the upper half brighter than the lower?
    ...     light = images.reshape(len(images), 2, -1).mean(axis=2)
    ...     return (light + 1) / (light + 1).sum(axis=1, keepdims=True)
    >>> round(deletion_auc(exp, predict_proba).area, 2)
    0.39
    """
    return _auc_curve(exp, predict_proba, grid, random_state, insert=False)


def sufficiency(exp: ExplanationArrays, predict_proba: PredictProba) -> float:
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

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> exp = example_explanation(n_images=4).explanation
    >>> def predict_proba(images):  # is the upper half brighter than the lower?
    ...     light = images.reshape(len(images), 2, -1).mean(axis=2)
    ...     return (light + 1) / (light + 1).sum(axis=1, keepdims=True)
    >>> sufficiency(exp, predict_proba)  # three of four images
    0.75
    """
    classifier = remembering(predict_proba)
    same = [
        predict_labels(classifier, part.masked_images)
        == predict_labels(classifier, _as_shown(part))
        for part in blocks(exp)
    ]
    return float(np.concatenate(same).mean())


def comprehensiveness(exp: ExplanationArrays, predict_proba: PredictProba) -> float:
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

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> exp = example_explanation(n_images=4).explanation
    >>> def predict_proba(images):  # is the upper half brighter than the lower?
    ...     light = images.reshape(len(images), 2, -1).mean(axis=2)
    ...     return (light + 1) / (light + 1).sum(axis=1, keepdims=True)
    >>> comprehensiveness(exp, predict_proba)  # three of four images
    0.75
    """
    classifier = remembering(predict_proba)
    changed = [
        predict_labels(classifier, part.masked_images)
        != predict_labels(classifier, _as_shown(part) - part.masked_images)
        for part in blocks(exp)
    ]
    return float(np.concatenate(changed).mean())


def _auc_curve(
    exp: ExplanationArrays,
    predict_proba: PredictProba,
    grid: Grid,
    random_state: int,
    insert: bool,
) -> FidelityCurve:
    fractions = check_grid(grid)
    classifier = remembering(predict_proba)
    before, n_calls, probability = classifier.n_images, 0, []
    for sub in blocks(exp):
        order = region_order(sub, random_state)
        count = count_regions(sub, order, fractions, "exact", insert)
        place = np.empty_like(order)
        np.put_along_axis(place, order, np.arange(order.shape[1])[None], axis=1)
        own = predict_labels(classifier, sub.masked_images)
        proba = predict_counts(_as_shown(sub), sub.to_pixels(place), count, insert, classifier)
        probability.append(np.take_along_axis(proba, own[:, None, None], axis=2)[..., 0])
        n_calls += sum(len(np.unique(row)) for row in count)
    per_image = np.concatenate(probability)
    return FidelityCurve(
        fractions, per_image.mean(axis=0), per_image, n_calls, classifier.n_images - before
    )


def _as_shown(exp: ExplanationArrays) -> np.ndarray:
    """The full images in the range and type of ``masked_images``."""
    if exp.soft_region_masks is None:
        return exp.images
    return exp.images / np.float32(255 if exp.images.dtype == np.uint8 else 1)
