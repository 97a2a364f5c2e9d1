"""Label maps: numbering, counting, checking, and geometry that keeps them exact.

A label map gives every pixel the number of its region, and -1 where there is none: beside an
image that keeps its aspect, for example.  In canonical form the regions of an image are
4-connected and numbered ``0 .. d - 1`` in raster order of first appearance, so equal partitions
are equal arrays.
"""

from typing import Any

import numpy as np

from p2pselect._region_sums import region_sums
from p2pselect.exceptions import InputError, brief
from p2pselect.images._geometry import NO_REGION
from p2pselect.regions._connectivity import connect

_LIMIT = np.iinfo(np.int32).max


def relabel(
    labels: np.ndarray, min_size: int = 1, max_regions: int | None = None
) -> np.ndarray:
    """Bring label maps to canonical form; a label in several pieces becomes several regions.

    Parameters
    ----------
    labels : ndarray of shape (h, w) or (n, h, w), int
        Any numbers.
    min_size : int, default=1
        Fewest pixels of a region; smaller ones join the neighbor with the longest common
        border.
    max_regions : int, default=None
        Most regions; while there are more, the smallest are merged.

    Returns
    -------
    ndarray of the same shape, int32
        Labels ``0 .. d - 1`` in raster order of first appearance, each 4-connected.

    Examples
    --------
    >>> import numpy as np
    >>> relabel(np.array([[7, 7, 2], [2, 7, 2]]))
    array([[0, 0, 1],
           [2, 0, 1]], dtype=int32)
    """
    if labels.ndim == 3:
        return np.stack([relabel(one, min_size, max_regions) for one in labels])
    if not np.can_cast(labels.dtype, np.int32) and np.abs(labels).max() > _LIMIT:
        labels = np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
    # One type of array: the kernel would be compiled again for any other.
    labels = np.require(labels, np.int32, ["C", "W"])
    no_colors = np.empty((0, 0, 3), np.uint8)
    return connect(labels, no_colors, min_size, max_regions or _LIMIT)


def n_regions(labels: np.ndarray) -> np.ndarray:
    """Count the regions of every image.

    Parameters
    ----------
    labels : ndarray of shape (n, h, w), int
        Labels ``0 .. d_i - 1`` per image, and -1 where there is no region.

    Returns
    -------
    ndarray of shape (n,), int
        The numbers ``d_i``.

    Examples
    --------
    >>> n_regions(np.array([[[0, 1, 1]], [[0, 1, 2]]])).tolist()
    [2, 3]
    """
    return labels.max(axis=(1, 2)).astype(np.intp) + 1


def region_areas(labels: np.ndarray, n_columns: int | None = None) -> np.ndarray:
    """Count the pixels of every region.

    Parameters
    ----------
    labels : ndarray of shape (n, h, w), int
        Labels ``0 .. d_i - 1`` per image, and -1 where there is no region.
    n_columns : int, default=None
        Columns of the result; None takes the largest number of regions.

    Returns
    -------
    ndarray of shape (n, n_columns), int
        0 where an image has fewer regions.

    Examples
    --------
    >>> import numpy as np
    >>> region_areas(np.array([[[0, 0, 1]], [[0, 1, 2]]]))
    array([[2, 1, 0],
           [1, 1, 1]])
    """
    return region_sums(labels, n_columns=n_columns)


def flip_labels(labels: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mirror label maps: the regions of the mirrored image, exactly.

    Parameters
    ----------
    labels : ndarray of shape (h, w) or (n, h, w), int
        Label maps.
    axis : int, default=-1
        -1 swaps left and right, -2 top and bottom.

    Returns
    -------
    ndarray of the same shape, int32
        In canonical form.

    Examples
    --------
    >>> flip_labels(np.array([[0, 1, 1]])).tolist()
    [[0, 0, 1]]
    """
    return _renumbered(np.flip(labels, axis=axis))


def crop_labels(labels: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    """Cut a window out of label maps; a region that it cuts in two becomes two regions.

    Parameters
    ----------
    labels : ndarray of shape (h, w) or (n, h, w), int
        Label maps.
    rows, columns : slice
        The window, in pixels.

    Returns
    -------
    ndarray of shape (h', w') or (n, h', w'), int32
        In canonical form.

    Examples
    --------
    >>> import numpy as np
    >>> crop_labels(np.array([[0, 0, 0], [0, 1, 0]]), slice(1, 2), slice(None))
    array([[0, 1, 2]], dtype=int32)
    """
    return _renumbered(labels[..., rows, columns])


def _renumbered(labels: np.ndarray) -> np.ndarray:
    """Label maps (h, w) or (n, h, w) in canonical form, -1 left as it is."""
    if labels.ndim == 3:
        return np.stack([_renumbered(one) for one in labels])
    return without_gaps(np.where(labels < 0, labels, relabel(labels)))


def without_gaps(labels: np.ndarray) -> np.ndarray:
    """A label map (h, w), int32, whose labels keep their order and skip no number."""
    present, numbers = np.unique(labels, return_inverse=True)
    # -1 comes first, and stays what it is.
    return numbers.reshape(labels.shape).astype(np.int32) - np.int32(present[0] < 0)


def check_label_maps(
    regions: Any, n: int | None = None, h: int | None = None, w: int | None = None
) -> np.ndarray:
    """Check label maps from another source; regions need not be connected or in raster order.

    Parameters
    ----------
    regions : array-like of shape (n, h, w), int
        Label maps, numbered from 0 without gaps; -1 for pixels that belong to no region.
    n, h, w : int, default=None
        The number of images and their size; None accepts any.

    Returns
    -------
    ndarray of shape (n, h, w), int32
        The same label maps.

    Raises
    ------
    InputError
        If the shape or the dtype is another one, a label is below -1, there is no region, or
        labels skip a number; the message names the image.

    Examples
    --------
    >>> import numpy as np
    >>> check_label_maps(np.array([[[0, 0]], [[0, 1]]])).dtype
    dtype('int32')
    """
    regions = np.asarray(regions)
    known = {"n": n, "h": h, "w": w}
    if regions.ndim != 3 or any(
        side not in (None, own) for side, own in zip(known.values(), regions.shape, strict=True)
    ):
        wanted = ", ".join(name if side is None else str(side) for name, side in known.items())
        raise InputError(f"regions must have shape ({wanted}), got {regions.shape}")
    if 0 in regions.shape[1:]:
        raise InputError(f"regions must have pixels, got shape {regions.shape}")
    if regions.dtype.kind not in "iu":
        raise InputError(f"regions must be {_kind_of_labels(regions)}")
    for i, labels in enumerate(regions):
        check_label_map(labels, f"regions of image {i}")
    return regions.astype(np.int32, copy=False)


def check_label_map(labels: Any, name: str) -> np.ndarray:
    """Check the label map of one image, as :func:`check_label_maps` does."""
    if isinstance(labels, dict | str | bytes):
        hint = " (pycocotools.mask.decode makes masks)" if isinstance(labels, dict) else ""
        raise InputError(f"{name} must be a label map (h, w){hint}, got {brief(labels)}")
    try:
        labels = np.asarray(labels)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be a label map (h, w), got {brief(labels)}") from error
    if labels.ndim == 3 and labels.shape[0] != 1 and labels.shape[-1] != 1:
        raise InputError(
            f"{name} must be a label map (h, w), got shape {labels.shape}; "
            "p2pselect.regions.masks_to_labels makes one of a stack of masks (k, h, w)"
        )
    if labels.ndim != 2 or 0 in labels.shape:
        raise InputError(f"{name} must be a label map (h, w), got shape {labels.shape}")
    if labels.dtype.kind not in "iu":
        raise InputError(f"{name} must be {_kind_of_labels(labels)}")
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < NO_REGION or highest < 0:
        raise InputError(
            f"{name}: labels must be numbers from 0, and -1 for pixels that belong to no "
            f"region, got {lowest if lowest < NO_REGION else 'nothing but -1'}"
        )
    # With more labels than pixels, one of the first is missing.
    shifted = np.minimum(labels, labels.size).astype(np.intp).ravel() + 1
    present = np.bincount(shifted)[1:] > 0
    if not present.all():
        raise InputError(
            f"{name}: labels must be 0 .. {present.sum() - 1} without gaps, but "
            f"{present.argmin()} is missing (largest label {highest}); "
            "p2pselect.regions.relabel renumbers them, and splits regions in several pieces"
        )
    return labels.astype(np.int32, copy=False)


def _kind_of_labels(labels: np.ndarray) -> str:
    """What label maps must be, what these are, and how to convert them."""
    whole = labels.dtype.kind == "b" or (
        labels.dtype.kind == "f" and bool((labels == np.rint(labels)).all())
    )
    hint = "; pass regions.astype(int)" if whole else ""
    return f"integer label maps, got dtype {labels.dtype}{hint}"
