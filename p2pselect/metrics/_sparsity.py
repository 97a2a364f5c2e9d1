"""How much is shown: the kept share of an image, kept regions, masks that keep nothing."""

from __future__ import annotations

import numpy as np

from p2pselect.exceptions import InputError
from p2pselect.metrics._arrays import as_masks


def kept_fraction(pixel_masks: np.ndarray, *, per_image: bool = False) -> float | np.ndarray:
    r"""Share of the pixels that is kept: ``|m| / hw``; less is sparser.

    This is the hard coverage.  The paper's table 4 reports the soft
    :math:`\bar p` instead: ``Explanation.expected_kept_fraction``.

    Parameters
    ----------
    pixel_masks : array-like of shape (n, h, w), bool
        True where a pixel is kept.
    per_image : bool, default=False
        Return one share per image instead of the mean.

    Returns
    -------
    float, or ndarray of shape (n,)
        In [0, 1].

    Raises
    ------
    InputError
        If there is no image, or the shape is not (n, h, w).

    Examples
    --------
    >>> import numpy as np
    >>> kept_fraction(np.array([[[1, 0], [0, 0]]], dtype=bool))
    0.25
    """
    masks = as_masks(pixel_masks, "pixel_masks")
    if masks.ndim != 3 or not masks.size:
        raise InputError(f"pixel_masks must have shape (n, h, w), n >= 1, got {masks.shape}")
    shares = masks.mean(axis=(1, 2))
    return shares if per_image else float(shares.mean())


def n_selected_regions(
    region_masks: np.ndarray, *, per_image: bool = False
) -> float | np.ndarray:
    """Number of kept regions.

    Parameters
    ----------
    region_masks : array-like of shape (n, d), bool
        True where a region is kept.
    per_image : bool, default=False
        Return one number per image instead of the mean.

    Returns
    -------
    float, or ndarray of shape (n,), int

    Examples
    --------
    >>> import numpy as np
    >>> n_selected_regions(np.array([[1, 0, 1], [0, 0, 1]], dtype=bool))
    1.5
    """
    masks = as_masks(region_masks, "region_masks")
    if masks.ndim != 2 or not len(masks):
        raise InputError(f"region_masks must have shape (n, d), n >= 1, got {masks.shape}")
    counts = masks.sum(axis=1)
    return counts if per_image else float(counts.mean())


def n_empty_masks(pixel_masks: np.ndarray) -> int:
    """Number of images of which no pixel is kept.

    They have no localization and are left out of its mean, so that the mean is that of the
    other images alone: read it beside this number.

    Parameters
    ----------
    pixel_masks : array-like of shape (n, h, w), bool
        True where a pixel is kept.

    Returns
    -------
    int
        At least 0, better when less.

    Raises
    ------
    InputError
        If there is no image, or the shape is not (n, h, w).

    Examples
    --------
    >>> import numpy as np
    >>> n_empty_masks(np.array([[[1, 0]], [[0, 0]]], dtype=bool))
    1
    """
    shares = np.asarray(kept_fraction(pixel_masks, per_image=True))
    return int((shares == 0).sum())
