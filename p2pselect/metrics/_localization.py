"""Does what is shown lie on the object?  Scores of masks and heat maps against object masks.

A mask is True where a pixel is kept (visible to the classifier), an object mask where the
object is.  Every score is better when greater; an image without a defined score (no kept
pixel, no object pixel) is left out of the mean, with a warning that counts them.  Object
masks are whatever :func:`check_object_masks` takes, of the photographs' own sizes too.
"""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np
from sklearn.metrics import average_precision_score

from p2pselect.exceptions import InputError, P2PSelectWarning, brief
from p2pselect.metrics._arrays import as_array, as_masks
from p2pselect.metrics._averaging import mean_or_per_image, ratio
from p2pselect.metrics._object_masks import check_object_masks


def localization_score(
    pixel_masks: np.ndarray,
    object_masks: np.ndarray,
    *,
    valid: np.ndarray | None = None,
    empty: Literal["nan", "zero", "raise"] = "nan",
    per_image: bool = False,
) -> float | np.ndarray:
    """Share of the kept pixels that lie on the object: ``|m & g| / |m|``.

    Also known as relevance mass accuracy of a binary map, or mask precision.  A few pixels
    well inside the object score 1: read it beside the kept fraction, and beside what a
    random mask (:func:`random_localization`) and a centred disc
    (:func:`center_localization`) would have scored.

    Parameters
    ----------
    pixel_masks : array-like of shape (n, h, w), bool
        True where a pixel is kept.
    object_masks : array-like of shape (n, h, w), bool
        True where the object is.
    valid : array-like of shape (n, h, w), bool, optional
        False where the ground truth says nothing; such pixels do not count.
    empty : {"nan", "zero", "raise"}, default="nan"
        What an image without kept pixels scores: nothing, 0, or an error.  The released
        code of the paper counts 0.  :func:`n_empty_masks` is their number.
    per_image : bool, default=False
        Return one score per image instead of the mean.

    Returns
    -------
    float, or ndarray of shape (n,)
        In [0, 1]; NaN for images without object pixels.

    Raises
    ------
    InputError
        If the arrays do not fit each other, or for an empty mask with ``empty="raise"``.

    References
    ----------
    Vandenhirtz & Vogt, "From Pixels to Perception", ICML 2025, section 4 (2).

    Examples
    --------
    >>> import numpy as np
    >>> kept = np.array([[[1, 1], [0, 0]]], dtype=bool)
    >>> localization_score(kept, np.array([[[1, 0], [1, 0]]], dtype=bool))
    0.5
    """
    if empty not in ("nan", "zero", "raise"):
        raise InputError(f"empty must be 'nan', 'zero' or 'raise', got {brief(empty)}")
    kept, objects, _ = flatten(pixel_masks, object_masks, valid)
    area = kept.sum(axis=1)
    if empty == "raise" and not area.all():
        raise InputError(f"pixel_masks keeps no pixel of image {np.flatnonzero(area == 0)[0]}")
    scores = ratio((kept & objects).sum(axis=1), area)
    if empty == "zero":
        scores[area == 0] = 0.0
    scores[~objects.any(axis=1)] = np.nan
    why = f"{(area == 0).sum()} keep no pixel, {(~objects.any(axis=1)).sum()} have no object"
    return mean_or_per_image(scores, per_image, f"localization ({why})")


def mask_iou_score(
    pixel_masks: np.ndarray,
    object_masks: np.ndarray,
    *,
    valid: np.ndarray | None = None,
    per_image: bool = False,
) -> float | np.ndarray:
    """Intersection over union of kept pixels and object: ``|m & g| / |m | g|``.

    Highest when exactly the whole object is kept, so it punishes a model that needs less.

    Parameters
    ----------
    pixel_masks, object_masks : array-like of shape (n, h, w), bool
        True where a pixel is kept; where the object is.
    valid : array-like of shape (n, h, w), bool, optional
        False where the ground truth says nothing.
    per_image : bool, default=False
        Return one score per image instead of the mean.

    Returns
    -------
    float, or ndarray of shape (n,)
        In [0, 1]; NaN for images with neither kept nor object pixels.

    Examples
    --------
    >>> import numpy as np
    >>> kept = np.array([[[1, 1], [0, 0]]], dtype=bool)
    >>> round(mask_iou_score(kept, np.array([[[1, 0], [1, 0]]], dtype=bool)), 3)
    0.333
    """
    kept, objects, _ = flatten(pixel_masks, object_masks, valid)
    scores = ratio((kept & objects).sum(axis=1), (kept | objects).sum(axis=1))
    return mean_or_per_image(scores, per_image, "mask_iou (no kept and no object pixel)")


def mask_recall_score(
    pixel_masks: np.ndarray,
    object_masks: np.ndarray,
    *,
    valid: np.ndarray | None = None,
    per_image: bool = False,
) -> float | np.ndarray:
    """Share of the object that is kept: ``|m & g| / |g|``.

    Parameters
    ----------
    pixel_masks, object_masks : array-like of shape (n, h, w), bool
        True where a pixel is kept; where the object is.
    valid : array-like of shape (n, h, w), bool, optional
        False where the ground truth says nothing.
    per_image : bool, default=False
        Return one score per image instead of the mean.

    Returns
    -------
    float, or ndarray of shape (n,)
        In [0, 1]; NaN for images without object pixels.

    Examples
    --------
    >>> import numpy as np
    >>> kept = np.array([[[1, 1], [0, 0]]], dtype=bool)
    >>> mask_recall_score(kept, np.array([[[1, 0], [1, 0]]], dtype=bool))
    0.5
    """
    kept, objects, _ = flatten(pixel_masks, object_masks, valid)
    scores = ratio((kept & objects).sum(axis=1), objects.sum(axis=1))
    return mean_or_per_image(scores, per_image, "mask_recall (no object pixel)")


def pointing_game_score(
    heat_maps: np.ndarray,
    object_masks: np.ndarray,
    *,
    valid: np.ndarray | None = None,
    per_image: bool = False,
) -> float | np.ndarray:
    """Share of the images whose hottest pixel lies on the object.

    Where several pixels are equally hot (a whole region, say) an image scores the share of
    them that lies on the object: the expected hit of a random choice.

    Parameters
    ----------
    heat_maps : array-like of shape (n, h, w)
        Importance of every pixel, greater is more important.
    object_masks : array-like of shape (n, h, w), bool
        True where the object is.
    valid : array-like of shape (n, h, w), bool, optional
        False where the ground truth says nothing; such pixels cannot be the hottest.
    per_image : bool, default=False
        Return one score per image instead of the mean.

    Returns
    -------
    float, or ndarray of shape (n,)
        In [0, 1]; NaN, never a hit, for images without object pixels.

    References
    ----------
    Zhang et al., "Top-down neural attention by excitation backprop", ECCV 2016.

    Examples
    --------
    >>> import numpy as np
    >>> heat = np.array([[[0.9, 0.9], [0.1, 0.3]]])
    >>> pointing_game_score(heat, np.array([[[1, 0], [0, 0]]], dtype=bool))
    0.5
    """
    heat, objects, allowed = flatten(heat_maps, object_masks, valid, "heat_maps")
    heat = np.where(allowed, heat, -np.inf)
    top = allowed & (heat == heat.max(axis=1, keepdims=True, initial=-np.inf))
    scores = ratio((top & objects).sum(axis=1), top.sum(axis=1))
    scores[~objects.any(axis=1)] = np.nan
    return mean_or_per_image(scores, per_image, "pointing_game (no object pixel)")


def pixel_average_precision_score(
    heat_maps: np.ndarray, object_masks: np.ndarray, *, valid: np.ndarray | None = None
) -> float:
    """Average precision of the heat maps over all pixels of all images together (PxAP).

    Pooled: one threshold for all images, so heat has to mean the same in each.

    Parameters
    ----------
    heat_maps : array-like of shape (n, h, w)
        Importance of every pixel, greater is more important.
    object_masks : array-like of shape (n, h, w), bool
        True where the object is.
    valid : array-like of shape (n, h, w), bool, optional
        False where the ground truth says nothing.

    Returns
    -------
    float
        In [0, 1]; NaN without any object pixel.

    References
    ----------
    Choe et al., "Evaluating weakly supervised object localization methods right",
    CVPR 2020.

    Examples
    --------
    >>> import numpy as np
    >>> heat = np.array([[[0.9, 0.2], [0.1, 0.3]]])
    >>> pixel_average_precision_score(heat, np.array([[[1, 0], [0, 1]]], dtype=bool))
    1.0
    """
    heat, objects, allowed = flatten(heat_maps, object_masks, valid, "heat_maps")
    if not objects.any():
        warnings.warn(
            "pixel_average_precision: no image has an object pixel, there is no score",
            P2PSelectWarning,
            stacklevel=2,
        )
        return float("nan")
    # A heat map has few distinct values (one per region), so count pixels per value
    # instead of sorting every pixel of the set.
    values, on_object, off_object = [], [], []
    for row, on, use in zip(heat, objects, allowed, strict=True):
        distinct, index = np.unique(row[use], return_inverse=True)
        positives = np.bincount(index, weights=on[use], minlength=len(distinct))
        values.append(distinct)
        on_object.append(positives)
        off_object.append(np.bincount(index, minlength=len(distinct)) - positives)
    # The order is what counts, and infinite values have one.
    _, score = np.unique(np.concatenate(values), return_inverse=True)
    weight = np.concatenate([*on_object, *off_object])
    truth = np.repeat([1, 0], len(score))
    return float(average_precision_score(truth, np.tile(score, 2), sample_weight=weight))


def flatten(
    first: np.ndarray,
    object_masks: np.ndarray,
    valid: np.ndarray | None,
    name: str = "pixel_masks",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check and flatten to (n, h*w): first (restricted to valid if a mask), objects, valid."""
    first = (as_array if name == "heat_maps" else as_masks)(first, name)
    if first.ndim != 3:
        raise InputError(f"{name} must have shape (n, h, w), got {first.shape}")
    if not first.size:
        raise InputError(f"{name} has no pixel: its shape is {first.shape}")
    n, h, w = first.shape
    objects = check_object_masks(object_masks, n, (h, w), name="object_masks").reshape(n, -1)
    allowed = np.ones((n, h * w), dtype=bool)
    if valid is not None:
        allowed = check_object_masks(valid, n, (h, w), name="valid").reshape(n, -1)
    first, objects = first.reshape(n, -1), objects & allowed
    if name == "heat_maps":
        if np.isnan(first).any():
            raise InputError("heat_maps contains NaN")
        return first, objects, allowed
    return first & allowed, objects, allowed
