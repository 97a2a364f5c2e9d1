"""What localization has to be read beside: a random mask, and a disc in the centre."""

from __future__ import annotations

import numpy as np

from p2pselect.metrics._arrays import as_masks
from p2pselect.metrics._averaging import mean_or_per_image, ratio
from p2pselect.metrics._localization import flatten
from p2pselect.metrics._object_masks import check_object_masks, count_masks


def random_localization(
    object_masks: np.ndarray, *, valid: np.ndarray | None = None, per_image: bool = False
) -> float | np.ndarray:
    """What a random mask scores on :func:`localization_score`: the object's share ``|g|/hw``.

    Parameters
    ----------
    object_masks : array-like of shape (n, h, w), bool
        True where the object is.
    valid : array-like of shape (n, h, w), bool, optional
        False where the ground truth says nothing.
    per_image : bool, default=False
        Return one score per image instead of the mean.

    Returns
    -------
    float, or ndarray of shape (n,)
        In [0, 1]; NaN for images without object pixels, as in the score.

    Examples
    --------
    >>> import numpy as np
    >>> random_localization(np.array([[[1, 0], [0, 0]]], dtype=bool))
    0.25
    """
    n_images = count_masks(object_masks, "object_masks")
    given = check_object_masks(object_masks, n_images, name="object_masks")
    kept, objects, _ = flatten(np.ones(given.shape, dtype=bool), given, valid)
    scores = ratio(objects.sum(axis=1), kept.sum(axis=1))
    scores[~objects.any(axis=1)] = np.nan
    return mean_or_per_image(scores, per_image, "random_localization (no object pixel)")


def center_localization(
    pixel_masks: np.ndarray,
    object_masks: np.ndarray,
    *,
    valid: np.ndarray | None = None,
    per_image: bool = False,
) -> float | np.ndarray:
    """What a centred disc of each mask's own area scores on :func:`localization_score`.

    Photographers centre their objects, which makes this a strong thing to beat.  Pixels at
    the rim that are equally far from the centre count in equal parts.

    Parameters
    ----------
    pixel_masks, object_masks : array-like of shape (n, h, w), bool
        True where a pixel is kept (only the areas are used); where the object is.
    valid : array-like of shape (n, h, w), bool, optional
        False where the ground truth says nothing.
    per_image : bool, default=False
        Return one score per image instead of the mean.

    Returns
    -------
    float, or ndarray of shape (n,)
        In [0, 1]; NaN where no pixel is kept or the image has no object pixels.

    Examples
    --------
    >>> import numpy as np
    >>> objects = np.zeros((1, 3, 3), dtype=bool)
    >>> objects[0, 1, 1] = True
    >>> center_localization(objects, objects)
    1.0
    """
    given = as_masks(pixel_masks, "pixel_masks")
    kept, objects, allowed = flatten(given, object_masks, valid)
    h, w = given.shape[1:]
    rows, columns = np.ogrid[:h, :w]
    distance = (2 * rows - h + 1) ** 2 + (2 * columns - w + 1) ** 2
    _, ring, size = np.unique(distance, return_inverse=True, return_counts=True)
    ring = ring.ravel()
    inside = np.cumsum(size) - size
    area = given.reshape(len(kept), -1).sum(axis=1)
    scores = np.full(len(kept), np.nan)
    for i in np.flatnonzero(objects.any(axis=1) & (area > 0)):
        disc = np.clip((area[i] - inside) / size, 0, 1)[ring]
        scores[i] = ratio(disc @ objects[i], disc @ allowed[i])
    return mean_or_per_image(
        scores, per_image, "center_localization (no kept or no object pixel)"
    )
