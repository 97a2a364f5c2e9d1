"""Ground-truth masks as scores need them: checked, boolean, on the model's grid."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.exceptions import InputError, brief
from p2pselect.images._geometry import Placement
from p2pselect.images._pixels import resize_nearest

_EXPECTED = "bool, or numbers that are 0 and 1, or 0 and 255"


def check_object_masks(
    masks: Any,
    n_images: int,
    shape: tuple[int, int] | None = None,
    *,
    name: str = "masks",
    placements: Sequence[Placement] | None = None,
) -> np.ndarray:
    """Bring ground-truth masks into one boolean array.

    Parameters
    ----------
    masks : array-like of shape (n, h, w), (n, h, w, 1) or (n, 1, h, w), or sequence of such
        One mask per image, as arrays or tensors: bool, or numbers that are 0 and 1, or 0 and
        255, but not 1 in some masks and 255 in others.  Masks of different sizes come as a
        sequence and need `shape`.
    n_images : int
        Number of images that the masks belong to.
    shape : tuple (h, w), optional
        Size of the result; masks of other sizes, such as the photographs' own, are stretched
        to it by nearest neighbor.
    name : str, default="masks"
        What error messages call the argument.
    placements : sequence, optional
        How the photograph of every mask lies on the grid of a model; see
        :func:`masks_on_grid`, which knows.

    Returns
    -------
    ndarray of shape (n, h, w), bool
        `masks` itself if it is such an array.

    Raises
    ------
    InputError
        If the number, shape, type or values are not as described.  Label maps and soft masks,
        for example, are refused: only the caller knows which values are the object.

    Examples
    --------
    >>> check_object_masks([[[0, 255], [0, 0]]], 1).astype(int)
    array([[[0, 1],
            [0, 0]]])
    """
    if count_masks(masks, name) != n_images:
        hint = ""
        axes: tuple[int, ...] = getattr(masks, "shape", ())
        if len(axes) == 3 and axes[2] == n_images:
            hint = f"; if the images are the last axis, pass np.moveaxis({name}, -1, 0)"
        raise InputError(
            f"{name} must have one mask per image: got {len(masks)} masks for "
            f"{n_images} images{hint}"
        )
    # The usual case, without a copy.  Masks without pixels go on, to be refused by name.
    whole = isinstance(masks, np.ndarray) and masks.dtype == bool and masks.ndim == 3
    if whole and 0 not in masks.shape[1:] and masks.shape[1:] == (shape or masks.shape[1:]):
        return masks
    parts: list[np.ndarray] = []
    white: dict[int, int] = {}
    for number, mask in enumerate(masks):
        part, top = check_one_mask(mask, f"{name}[{number}]")
        white.setdefault(top, number)
        if shape is not None:
            placement = None if placements is None else placements[number]
            part = _onto_grid(part, shape, placement, f"{name}[{number}]")
        parts.append(part)
    if 1 in white and 255 in white:
        raise InputError(
            f"{name} must be 0 and 1, or 0 and 255, in all masks alike: "
            f"{name}[{white[1]}] goes to 1 and {name}[{white[255]}] to 255"
        )
    sizes = {part.shape for part in parts}
    if len(sizes) > 1:
        raise InputError(
            f"{name} must have one size, got sizes {sorted(sizes)[:3]}; "
            "p2pselect.metrics.check_object_masks(masks, n, (h, w)) brings them to one"
        )
    return np.stack(parts) if parts else np.empty((0, *(shape or (0, 0))), dtype=bool)


def masks_on_grid(
    masks: Any, explanation: ExplanationArrays, *, name: str = "masks"
) -> np.ndarray:
    """Bring the object masks of photographs to the grid on which they were explained.

    They go the way of the photographs: with ``resize="pad"`` they lie within the same borders,
    where no object is, and with ``"crop"`` they lose the same ends, so that what the model was
    not given counts neither for it nor against it.

    Parameters
    ----------
    masks : array-like of shape (n, h, w), or sequence of n arrays of shape (h_i, w_i)
        As :func:`check_object_masks` takes them: of the sizes of the photographs or of other
        copies of them, or of the size of the grid already.
    explanation : Explanation
        Of these images, in this order.
    name : str, default="masks"
        What error messages call the argument.

    Returns
    -------
    ndarray of shape (n, h, w), bool
        True on the object; False on padding.

    Raises
    ------
    InputError
        If the number, shape, type or values of the masks are not as described.

    Examples
    --------
    >>> import numpy as np
    >>> from p2pselect.explanations import example_explanation
    >>> exp = example_explanation(n_images=2).explanation
    >>> masks_on_grid([np.ones((128, 128), bool)] * 2, exp).shape
    (2, 64, 64)
    """
    h, w = explanation.regions.shape[1:]
    placements = explanation._placements()
    found = check_object_masks(
        masks, len(explanation), (h, w), name=name, placements=placements
    )
    inside = explanation.regions >= 0
    return found if inside.all() else found & inside


def _onto_grid(
    mask: np.ndarray, shape: tuple[int, int], placement: Placement | None, name: str
) -> np.ndarray:
    if mask.shape == shape:
        return mask
    expected = shape if placement is None else placement.original
    if mask.shape == expected[::-1] != expected:
        raise InputError(
            f"{name} has height and width exchanged: got {mask.shape}, the image has {expected}"
        )
    return resize_nearest(mask, shape) if placement is None else placement.onto_grid(mask, 0)


def count_masks(masks: Any, name: str) -> int:
    """Number of masks in any sequence of them."""
    if not isinstance(masks, str | bytes | dict):
        with suppress(TypeError):  # an array without axes has the method, but no length
            return len(masks)
    raise InputError(f"{name} must be an array of shape (n, h, w), got {brief(masks)}")


def check_one_mask(mask: Any, name: str) -> tuple[np.ndarray, int]:
    """A mask (h, w), bool, and the number that stood for True; 0 if none did."""
    if isinstance(mask, dict | str | bytes):
        hint = " (pycocotools.mask.decode makes one)" if isinstance(mask, dict) else ""
        raise InputError(f"{name} must be an array (h, w){hint}, got {brief(mask)}")
    if hasattr(mask, "detach"):
        mask = mask.detach().cpu()
        mask = mask.float() if mask.is_floating_point() else mask  # numpy has no bfloat16
    try:
        values = np.asarray(mask)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be an array (h, w), got {brief(mask)}") from error
    if values.ndim == 3 and 1 in (values.shape[0], values.shape[-1]):
        values = values[..., 0] if values.shape[-1] == 1 else values[0]
    if values.ndim != 2 or 0 in values.shape:
        raise InputError(f"{name} must have shape (h, w), got {values.shape}")
    if values.dtype == bool:
        return values, 0
    if values.dtype.kind not in "iuf":
        raise InputError(f"{name} must be {_EXPECTED}, got dtype {values.dtype}")
    top = 255 if values.max() == 255 else 1
    object_ = values == top
    if not (object_ | (values == 0)).all():
        raise InputError(f"{name} must be {_EXPECTED}, got {_found(values)}")
    return object_, top if object_.any() else 0


def _found(values: np.ndarray) -> str:
    """What the values are instead, and how to make a mask of them."""
    distinct = np.unique(values)
    shown = f"values {distinct[:5].tolist()}{' ...' if len(distinct) > 5 else ''}"
    if np.isnan(values).any():
        return "NaN"
    if values.dtype.kind == "f" and (distinct != np.rint(distinct)).any():
        return f"{shown}; if they are soft masks in [0, 1], pass masks >= 0.5"
    # In the label maps of PASCAL VOC, for example, 255 marks pixels that nobody labeled.
    if 255 in distinct and values.dtype.kind != "f":
        return (
            f"{shown}; if they are labels and 255 means unknown, pass masks == k as masks, for "
            "the label k of the object, and masks != 255 as valid"
        )
    return (
        f"{shown}; if they are labels, pass masks == k, for the label k of the object, or "
        "masks > 0"
    )
