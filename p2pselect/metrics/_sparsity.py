"""How much is shown?  The share of kept pixels, kept regions, and masks that keep nothing."""

from __future__ import annotations

import numpy as np

from p2pselect._docstrings import shared_docs
from p2pselect.exceptions import InputError
from p2pselect.metrics._arrays import as_masks


@shared_docs
def kept_fraction(pixel_masks: np.ndarray, *, per_image: bool = False) -> float | np.ndarray:
    r"""Share of the pixels that are kept: ``|m| / hw``; less is sparser.

    This is the hard coverage.  The paper's table 4 reports the soft
    :math:`\bar p` instead: ``Explanation.expected_kept_fraction``.

    Parameters
    ----------
    %(pixel_masks)s
    %(per_image)s

    Returns
    -------
    float, or ndarray of shape (n,)
        In [0, 1].

    Examples
    --------
    >>> kept_fraction([[[1, 0], [0, 0]]])
    0.25
    """
    masks = as_masks(pixel_masks, "pixel_masks")
    if masks.ndim != 3 or not masks.size:
        raise InputError(f"pixel_masks must have shape (n, h, w), n >= 1, got {masks.shape}")
    shares = masks.mean(axis=(1, 2))
    return shares if per_image else float(shares.mean())


@shared_docs
def n_selected_regions(
    region_masks: np.ndarray, *, per_image: bool = False
) -> float | np.ndarray:
    """Number of kept regions per image.

    Parameters
    ----------
    region_masks : array-like of shape (n, d), bool
        True where a region is kept.
    %(per_image)s

    Returns
    -------
    float, or ndarray of shape (n,), int
        The mean over images, or one number per image.

    Examples
    --------
    >>> n_selected_regions([[1, 0, 1], [0, 0, 1]])
    1.5
    """
    masks = as_masks(region_masks, "region_masks")
    if masks.ndim != 2 or not len(masks):
        raise InputError(f"region_masks must have shape (n, d), n >= 1, got {masks.shape}")
    counts = masks.sum(axis=1)
    return counts if per_image else float(counts.mean())


@shared_docs
def n_empty_masks(pixel_masks: np.ndarray) -> int:
    """Number of images without any kept pixel; less is better.

    Such images have no localization score and are left out of its mean, so read that mean
    beside this number.

    Parameters
    ----------
    %(pixel_masks)s

    Returns
    -------
    int
        At least 0.

    Examples
    --------
    >>> n_empty_masks([[[1, 0]], [[0, 0]]])
    1
    """
    shares = np.asarray(kept_fraction(pixel_masks, per_image=True))
    return int((shares == 0).sum())
