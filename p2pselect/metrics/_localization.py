"""Does what is shown lie on the object?  Scores of masks and heat maps against object masks.

A mask is True where a pixel is kept (visible to the classifier), an object mask where the
object is.  For every score, greater is better; images without a defined score (no kept pixel,
no object pixel) are left out of the mean, with a warning that counts them.  Object masks may be
anything that :func:`check_object_masks` takes, at the photographs' own sizes too.
"""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np
from sklearn.metrics import average_precision_score

from p2pselect._docstrings import shared_docs
from p2pselect.exceptions import InputError, P2PSelectWarning, brief
from p2pselect.metrics._arrays import as_masks, flatten, mean_or_per_image, ratio
from p2pselect.metrics._object_masks import check_object_masks, count_masks


@shared_docs
def localization_score(
    pixel_masks: np.ndarray,
    object_masks: np.ndarray,
    *,
    valid: np.ndarray | None = None,
    per_image: bool = False,
    empty: Literal["nan", "zero", "raise"] = "nan",
) -> float | np.ndarray:
    """Share of the kept pixels that are on the object: ``|m & g| / |m|``.

    Also known as relevance mass accuracy (of a binary map) or mask precision.  A few pixels
    well inside the object score 1, so read it beside the kept fraction, and beside what a
    random mask (:func:`random_localization`) and a centered disc
    (:func:`center_localization`) score.

    %(mask_score_parameters)s
    empty : {"nan", "zero", "raise"}, default="nan"
        What an image without kept pixels scores: no score, 0, or an error.  The paper's
        released code counts 0.  :func:`n_empty_masks` returns the number of such images.

    Returns
    -------
    %(scores_of_images)s

    Raises
    ------
    InputError
        If the arrays do not fit each other, or for an empty mask with ``empty="raise"``.

    References
    ----------
    Vandenhirtz & Vogt, "From Pixels to Perception", ICML 2025, section 4 (2).

    Examples
    --------
    >>> localization_score([[[1, 1], [0, 0]]], [[[1, 0], [1, 0]]])
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
    # Last, because without an object there is no score, whatever `empty` says.
    scores[~objects.any(axis=1)] = np.nan
    why = f"{(area == 0).sum()} keep no pixel, {(~objects.any(axis=1)).sum()} have no object"
    return mean_or_per_image(scores, per_image, f"localization ({why})")


@shared_docs
def mask_iou_score(
    pixel_masks: np.ndarray,
    object_masks: np.ndarray,
    *,
    valid: np.ndarray | None = None,
    per_image: bool = False,
) -> float | np.ndarray:
    """Intersection over union of the kept pixels and the object: ``|m & g| / |m | g|``.

    It is greatest when exactly the whole object is kept, so it punishes a model that needs
    less than that.

    %(mask_score_parameters)s

    Returns
    -------
    float, or ndarray of shape (n,)
        In [0, 1]; NaN for images with neither kept nor object pixels.

    Examples
    --------
    >>> round(mask_iou_score([[[1, 1], [0, 0]]], [[[1, 0], [1, 0]]]), 3)
    0.333
    """
    kept, objects, _ = flatten(pixel_masks, object_masks, valid)
    scores = ratio((kept & objects).sum(axis=1), (kept | objects).sum(axis=1))
    return mean_or_per_image(scores, per_image, "mask_iou (no kept and no object pixel)")


@shared_docs
def mask_recall_score(
    pixel_masks: np.ndarray,
    object_masks: np.ndarray,
    *,
    valid: np.ndarray | None = None,
    per_image: bool = False,
) -> float | np.ndarray:
    """Share of the object that is kept: ``|m & g| / |g|``.

    %(mask_score_parameters)s

    Returns
    -------
    %(scores_of_images)s

    Examples
    --------
    >>> mask_recall_score([[[1, 1], [0, 0]]], [[[1, 0], [1, 0]]])
    0.5
    """
    kept, objects, _ = flatten(pixel_masks, object_masks, valid)
    scores = ratio((kept & objects).sum(axis=1), objects.sum(axis=1))
    return mean_or_per_image(scores, per_image, "mask_recall (no object pixel)")


@shared_docs
def pointing_game_score(
    heat_maps: np.ndarray,
    object_masks: np.ndarray,
    *,
    valid: np.ndarray | None = None,
    per_image: bool = False,
) -> float | np.ndarray:
    """Share of the images whose hottest pixel is on the object.

    Where several pixels are equally hot (those of one region, say), an image scores the share
    of them that is on the object: the expected hit of a random choice among them.

    Parameters
    ----------
    %(heat_maps)s
    %(object_masks)s
    %(valid)s
    %(per_image)s

    Returns
    -------
    float, or ndarray of shape (n,)
        In [0, 1]; NaN, never a hit, for images without object pixels.

    References
    ----------
    Zhang et al., "Top-down neural attention by excitation backprop", ECCV 2016.

    Examples
    --------
    >>> pointing_game_score([[[0.9, 0.9], [0.1, 0.3]]], [[[1, 0], [0, 0]]])
    0.5
    """
    heat, objects, allowed = flatten(heat_maps, object_masks, valid, "heat_maps")
    heat = np.where(allowed, heat, -np.inf)
    # Pixels that count may be at -inf, too, so the others have to be excluded again.
    top = allowed & (heat == heat.max(axis=1, keepdims=True))
    scores = ratio((top & objects).sum(axis=1), top.sum(axis=1))
    scores[~objects.any(axis=1)] = np.nan
    return mean_or_per_image(scores, per_image, "pointing_game (no object pixel)")


@shared_docs
def pixel_average_precision_score(
    heat_maps: np.ndarray, object_masks: np.ndarray, *, valid: np.ndarray | None = None
) -> float:
    """Average precision of the heat maps over all pixels of all images together (PxAP).

    All images share one threshold, so heat has to mean the same in each of them.

    Parameters
    ----------
    %(heat_maps)s
    %(object_masks)s
    %(valid)s

    Returns
    -------
    float
        In [0, 1]; NaN if no image has an object pixel.

    References
    ----------
    Choe et al., "Evaluating weakly supervised object localization methods right",
    CVPR 2020.

    Examples
    --------
    >>> pixel_average_precision_score([[[0.9, 0.2], [0.1, 0.3]]], [[[1, 0], [0, 1]]])
    1.0
    """
    heat, objects, allowed = flatten(heat_maps, object_masks, valid, "heat_maps")
    if not objects.any():
        warnings.warn(
            "pixel_average_precision: no image has an object pixel, so there is no score",
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
    # Ranks instead of values: only the order counts, and scikit-learn refuses infinity.
    _, rank = np.unique(np.concatenate(values), return_inverse=True)
    weight = np.concatenate([*on_object, *off_object])
    # Every value stands twice: for its pixels on the object, and for those off it.
    truth = np.repeat([1, 0], len(rank))
    return float(average_precision_score(truth, np.tile(rank, 2), sample_weight=weight))


@shared_docs
def random_localization(
    object_masks: np.ndarray, *, valid: np.ndarray | None = None, per_image: bool = False
) -> float | np.ndarray:
    """:func:`localization_score` of a random mask: the object's share ``|g| / hw``.

    Parameters
    ----------
    %(object_masks)s
    %(valid)s
    %(per_image)s

    Returns
    -------
    %(scores_of_images)s

    Examples
    --------
    >>> random_localization([[[1, 0], [0, 0]]])
    0.25
    """
    n_images = count_masks(object_masks, "object_masks")
    given = check_object_masks(object_masks, n_images, name="object_masks")
    # A mask that keeps everything: what is left of it are the valid pixels.
    kept, objects, _ = flatten(np.ones(given.shape, dtype=bool), given, valid)
    scores = ratio(objects.sum(axis=1), kept.sum(axis=1))
    scores[~objects.any(axis=1)] = np.nan
    return mean_or_per_image(scores, per_image, "random_localization (no object pixel)")


@shared_docs
def center_localization(
    pixel_masks: np.ndarray,
    object_masks: np.ndarray,
    *,
    valid: np.ndarray | None = None,
    per_image: bool = False,
    inside: np.ndarray | None = None,
) -> float | np.ndarray:
    """:func:`localization_score` of a centered disc as large as each image's own mask.

    Only the areas of the masks matter.  Photographers center their objects, which makes this a
    strong reference.  Pixels on the rim that are equally far from the center count in equal
    parts.

    %(mask_score_parameters)s
    inside : array-like of shape (n, h, w), bool, optional
        Which pixels belong to the images, where they have padding
        (``explanation.regions >= 0``): the disc spreads over these alone.

    Returns
    -------
    float, or ndarray of shape (n,)
        In [0, 1]; NaN for images without kept pixels or without object pixels.

    Examples
    --------
    >>> center = [[[0, 0, 0], [0, 1, 0], [0, 0, 0]]]
    >>> center_localization(center, center)
    1.0
    """
    given = as_masks(pixel_masks, "pixel_masks")
    kept, objects, allowed = flatten(given, object_masks, valid)
    n, h, w = given.shape
    own = np.ones((n, h * w), bool)
    if inside is not None:
        own = check_object_masks(inside, n, (h, w), name="inside").reshape(n, -1)
    rows, columns = np.ogrid[:h, :w]
    # Of doubled coordinates, so that distances are whole numbers and ties are exact.
    distance = (2 * rows - h + 1) ** 2 + (2 * columns - w + 1) ** 2
    ring = np.unique(distance, return_inverse=True)[1].ravel()  # NumPy 2 keeps their shape
    # Of the whole mask: only after it has this area is the disc restricted to valid pixels.
    area = given.reshape(n, -1).sum(axis=1)
    scores = np.full(n, np.nan)
    for i in np.flatnonzero(objects.any(axis=1) & (area > 0)):
        size = np.bincount(ring, weights=own[i])
        # Rings without a pixel of the image have no share, and no pixel that could take it.
        share = np.clip((area[i] - np.cumsum(size) + size) / np.maximum(size, 1), 0, 1)
        disc = share[ring] * own[i]
        scores[i] = ratio(disc @ objects[i], disc @ allowed[i])
    what = "center_localization (no kept or no object pixel)"
    return mean_or_per_image(scores, per_image, what)
