"""Ground-truth masks as scores need them: checked, boolean, on the model's grid."""

from __future__ import annotations

from typing import Any

import numpy as np

from p2pselect.exceptions import InputError
from p2pselect.images.pixels import resize_nearest


def check_object_masks(
    masks: Any, n_images: int, shape: tuple[int, int] | None = None, *, name: str = "masks"
) -> np.ndarray:
    """Bring ground-truth masks into one boolean array.

    Parameters
    ----------
    masks : array-like of shape (n, h, w) or (n, h, w, 1), or sequence of n 2-D arrays
        One mask per image: bool, or integers that are 0 and 1, or 0 and 255.  Masks of
        unequal size come as a sequence and need `shape`.
    n_images : int
        Number of images that the masks belong to.
    shape : tuple (h, w), optional
        Size of the result; other sizes are resized by nearest neighbour.
    name : str, default="masks"
        What error messages call the argument.

    Returns
    -------
    ndarray of shape (n, h, w), bool

    Raises
    ------
    InputError
        If number, shape, type or values are not as above.

    Examples
    --------
    >>> check_object_masks([[[0, 255], [0, 0]]], 1).astype(int)
    array([[[0, 1],
            [0, 0]]])
    """
    if not hasattr(masks, "__len__"):
        raise InputError(f"{name} must be an array of shape (n, h, w), got {masks!r}")
    if len(masks) != n_images:
        raise InputError(
            f"{name} must have one mask per image: got {len(masks)} masks for {n_images} images"
        )
    parts = [_check_one(mask, f"{name}[{i}]") for i, mask in enumerate(masks)]
    if shape is None:
        sizes = {part.shape for part in parts}
        if len(sizes) > 1:
            raise InputError(f"{name} must be of one size, got sizes {sorted(sizes)[:3]}")
        shape = sizes.pop() if sizes else (0, 0)
    out = np.empty((n_images, *shape), dtype=bool)
    for i, part in enumerate(parts):
        out[i] = resize_nearest(part, shape)
    return out


def _check_one(mask: Any, name: str) -> np.ndarray:
    mask = np.asarray(mask)
    if mask.ndim == 3 and mask.shape[-1] == 1:
        mask = mask[..., 0]
    if mask.ndim != 2 or 0 in mask.shape:
        raise InputError(f"{name} must have shape (h, w), got {mask.shape}")
    if mask.dtype == bool:
        return mask
    if mask.dtype.kind not in "iu":
        raise InputError(
            f"{name} must be bool, or integers that are 0 and 1 or 0 and 255, "
            f"got dtype {mask.dtype}"
        )
    top = 255 if mask.max() == 255 else 1
    if not np.isin(mask, (0, top)).all():
        raise InputError(
            f"{name} must be bool, or integers that are 0 and 1 or 0 and 255, "
            f"got values {np.unique(mask)[:5].tolist()}"
        )
    return mask == top
