"""Is the order of the regions the order in which the classifier needs them?

Everything is compared with the model's own prediction on its own masked image, never with the
label (section 4 (3) of the paper).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.metrics import auc

from p2pselect._docstrings import shared_docs
from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.exceptions import InputError, brief
from p2pselect.metrics._perturbed_images import (
    PAPER_GRID,
    Grid,
    PredictProba,
    blocks,
    cached,
    check_grid,
    count_regions,
    predict_counts,
    region_order,
)

Protocol = Literal["exact", "official"]


@dataclass(frozen=True, eq=False)
class FidelityCurve:
    """Agreement with the model's own prediction while regions are added or removed.

    Parameters
    ----------
    fractions : ndarray of shape (t,)
        Largest share of the image's pixels that was added or removed.
    values : ndarray of shape (t,)
        Share of the images that agree; for :func:`insertion_probability_curve` and
        :func:`deletion_probability_curve`, mean probability of the predicted class.
    per_image : ndarray of shape (n, t)
        The same for every image.
    n_masks : int
        Number of distinct masks that the curve needs, over all images.
    n_classifier_images : int
        Number of images that the classifier was given for the curve.  It is less than
        `n_masks`, since different masks can give the same masked image (above all the black
        one).

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
    n_masks: int
    n_classifier_images: int

    @property
    def area(self) -> float:
        """Area under the curve by the trapezoidal rule, divided by the range of fractions."""
        # Divided, so that areas over a part of [0, 1] are on the same scale.
        return float(auc(self.fractions, self.values) / np.ptp(self.fractions))


@shared_docs
def insertion_fidelity_curve(
    explanation: ExplanationArrays,
    predict_proba: PredictProba,
    *,
    grid: Grid = PAPER_GRID,
    random_state: int = 0,
    protocol: Protocol = "exact",
) -> FidelityCurve:
    """Agreement while the kept regions are added, most important first.

    A point of the curve is the share of images whose prediction equals the model's own
    prediction on its masked image, when at most a fraction t of the image's pixels has been
    added to one that shows nothing, and is black unless the model has another ``fill``.  A hard
    mask whose order agrees with its scores reaches 1 at its own area by construction.

    %(curve_parameters)s
    protocol : {"exact", "official"}, default="exact"
        "exact" adds at most t.  "official" does what the paper's released code does: it adds
        strictly less than t (but everything at t = 1), in single precision.

    Returns
    -------
    FidelityCurve
        Greater is better.

    References
    ----------
    Vandenhirtz & Vogt, "From Pixels to Perception", ICML 2025, section 4 (3).

    Examples
    --------
    %(brightness_classifier)s
    >>> curve = insertion_fidelity_curve(explanation, predict_proba)
    >>> float(curve.values[-1])  # everything that was kept has been added
    1.0
    """
    return _curve(
        explanation, predict_proba, grid, random_state, insert=True, protocol=protocol
    )


@shared_docs
def deletion_fidelity_curve(
    explanation: ExplanationArrays,
    predict_proba: PredictProba,
    *,
    grid: Grid = PAPER_GRID,
    random_state: int = 0,
    protocol: Protocol = "exact",
) -> FidelityCurve:
    """Agreement while the kept regions are removed as well, most important first.

    A point of the curve is the share of images that still have the model's own prediction
    on its masked image, when at most a fraction t of the image's pixels has been removed.

    %(curve_parameters)s
    protocol : {"exact", "official"}, default="exact"
        "exact" removes at most t.  "official" does what the paper's released code does: it
        removes at least t (but nothing at t = 0), in single precision.

    Returns
    -------
    FidelityCurve
        Less is better.

    References
    ----------
    Vandenhirtz & Vogt, "From Pixels to Perception", ICML 2025, section 4 (3).

    Examples
    --------
    %(brightness_classifier)s
    >>> curve = deletion_fidelity_curve(explanation, predict_proba)
    >>> float(curve.values[0])  # nothing has been removed yet
    1.0
    """
    return _curve(
        explanation, predict_proba, grid, random_state, insert=False, protocol=protocol
    )


@shared_docs
def insertion_probability_curve(
    explanation: ExplanationArrays,
    predict_proba: PredictProba,
    *,
    grid: Grid = PAPER_GRID,
    random_state: int = 0,
) -> FidelityCurve:
    """Probability of the predicted class while regions of the FULL image are added.

    Its area is the insertion metric of RISE.  Unlike :func:`insertion_fidelity_curve`, the
    curve ends at the whole image, and its classifier meets images of a kind that it was never
    trained on.

    %(curve_parameters)s

    Returns
    -------
    FidelityCurve
        Greater is better.

    References
    ----------
    Petsiuk, Das & Saenko, "RISE", BMVC 2018.

    Examples
    --------
    %(brightness_classifier)s
    >>> round(insertion_probability_curve(explanation, predict_proba).area, 2)
    0.6
    """
    return _curve(explanation, predict_proba, grid, random_state, insert=True, full_images=True)


@shared_docs
def deletion_probability_curve(
    explanation: ExplanationArrays,
    predict_proba: PredictProba,
    *,
    grid: Grid = PAPER_GRID,
    random_state: int = 0,
) -> FidelityCurve:
    """Probability of the predicted class while regions of the FULL image are removed.

    Its area is the deletion metric of RISE.

    %(curve_parameters)s

    Returns
    -------
    FidelityCurve
        Less is better.

    References
    ----------
    Petsiuk, Das & Saenko, "RISE", BMVC 2018.

    Examples
    --------
    %(brightness_classifier)s
    >>> round(deletion_probability_curve(explanation, predict_proba).area, 2)
    0.39
    """
    return _curve(
        explanation, predict_proba, grid, random_state, insert=False, full_images=True
    )


@shared_docs
def full_image_agreement(explanation: ExplanationArrays, predict_proba: PredictProba) -> float:
    """Share of images with the same prediction for what is kept and for the full image.

    Parameters
    ----------
    %(explanation)s
    %(predict_proba)s

    Returns
    -------
    float
        In [0, 1]; greater is better.

    Examples
    --------
    %(brightness_classifier)s
    >>> full_image_agreement(explanation, predict_proba)  # three of four images
    0.75
    """
    return float(_same_labels(explanation, predict_proba, _full_images).mean())


@shared_docs
def complement_disagreement(
    explanation: ExplanationArrays, predict_proba: PredictProba
) -> float:
    """Share of images with another prediction when everything but the kept pixels is shown.

    Parameters
    ----------
    %(explanation)s
    %(predict_proba)s

    Returns
    -------
    float
        In [0, 1]; greater is better: what was removed does not lead to the same prediction.

    Examples
    --------
    %(brightness_classifier)s
    >>> complement_disagreement(explanation, predict_proba)  # three of four images
    0.75
    """
    return float((~_same_labels(explanation, predict_proba, _complements)).mean())


def _same_labels(
    explanation: ExplanationArrays,
    predict_proba: PredictProba,
    others: Callable[[ExplanationArrays], np.ndarray],
) -> np.ndarray:
    """Where the masked image and another one get the same prediction, bool array (n,)."""
    classifier, kind = cached(predict_proba), explanation._kind
    same = [
        kind.right(
            kind.answers(classifier(part.masked_images)), kind.answers(classifier(others(part)))
        )
        for part in blocks(explanation)
    ]
    return np.concatenate(same)


def _complements(part: ExplanationArrays) -> np.ndarray:
    """What the masks take away from the full images."""
    hidden = ~part.shown if part.soft_region_masks is None else 1 - part.shown
    return part.masked_by(hidden * _everything(part))


def _curve(
    explanation: ExplanationArrays,
    predict_proba: PredictProba,
    grid: Grid,
    random_state: int,
    *,
    insert: bool,
    protocol: Protocol = "exact",
    full_images: bool = False,
) -> FidelityCurve:
    """Perturb the masked images and compare labels; or full ones, and take probabilities."""
    if protocol not in ("exact", "official"):
        raise InputError(f"protocol must be 'exact' or 'official', got {brief(protocol)}")
    fractions = check_grid(grid)
    classifier, kind = cached(predict_proba), explanation._kind
    # Other curves may have filled the cache: only what this one adds is counted as its own.
    before, n_masks, values = classifier.n_images, 0, []
    for part in blocks(explanation):
        order = region_order(part, random_state)
        count = count_regions(part, order, fractions, protocol, insert)
        masks, matters = part.shown, part.visible_region_masks
        # Also RISE's curves follow the class that is predicted from the masked image.
        own = kind.answers(classifier(part.masked_images))[:, None]
        if full_images:
            masks, matters = _everything(part), np.ones_like(part.region_masks)
        # Removed regions are gone from a masked image already: only visible ones change it, and
        # only they are counted, so that equal images have equal counts and are predicted once.
        ordered = np.take_along_axis(matters, order, axis=1)
        n_before = np.pad(np.cumsum(ordered, axis=1), ((0, 0), (1, 0)))
        place = np.empty_like(order)
        np.put_along_axis(place, order, n_before[:, :-1], axis=1)
        shown = np.take_along_axis(n_before, count, axis=1)
        positions = part.to_pixels(place)
        proba = predict_counts(part, masks, positions, shown, insert, classifier)
        if full_images:
            values.append(kind.proba_of(proba, np.repeat(own, proba.shape[1], axis=1)))
        else:
            values.append(kind.right(kind.answers(proba), own))
        n_masks += sum(len(np.unique(row)) for row in shown)
    per_image = np.concatenate(values)
    return FidelityCurve(
        fractions, per_image.mean(axis=0), per_image, n_masks, classifier.n_images - before
    )


def _everything(part: ExplanationArrays) -> np.ndarray:
    """Masks that keep all but the padding, of the dtype of ``shown``."""
    return (part.regions >= 0).astype(part.shown.dtype)


def _full_images(part: ExplanationArrays) -> np.ndarray:
    """The full images, in the range and dtype of ``masked_images``."""
    return part.masked_by(_everything(part))
