"""What scores are given, as arrays, and how scores of images become one score."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from p2pselect.exceptions import InputError, P2PSelectWarning
from p2pselect.metrics._object_masks import check_object_masks


def as_array(value: Any, name: str) -> np.ndarray:
    """An array of numbers or booleans; `name` is what error messages call it."""
    try:
        array = np.asarray(value)
    except InputError:  # a ValueError, too: a sequence of masks has said what is wrong
        raise
    except ValueError as error:
        raise InputError(f"{name} cannot be made into one array: {error}") from error
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} must hold numbers or booleans, got dtype {array.dtype}")
    return array


def as_masks(value: Any, name: str) -> np.ndarray:
    """An array of booleans, from booleans or from 0 and 1."""
    array = as_array(value, name)
    if array.dtype != bool and not np.isin(array, (0, 1)).all():
        raise InputError(f"{name} must be bool, or 0 and 1, got dtype {array.dtype}")
    return array.astype(bool, copy=False)


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
        # NaN has no place in an order.  Infinity has, and only the order of heat counts.
        if np.isnan(first).any():
            raise InputError("heat_maps contains NaN")
        return first, objects, allowed
    return first & allowed, objects, allowed


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient per image, NaN where the denominator is 0."""
    out = np.full(np.shape(numerator), np.nan)
    return np.divide(numerator, denominator, out=out, where=denominator > 0)


def mean_or_per_image(scores: np.ndarray, per_image: bool, what: str) -> float | np.ndarray:
    """All scores, or the mean over the images that have one, with a warning about the others.

    `what` is the name of the score and the reason why an image may have none.
    """
    if per_image:
        return scores
    defined = ~np.isnan(scores)
    if not defined.all():
        warnings.warn(
            f"{what}: {np.sum(~defined)} of {len(scores)} images have no score "
            "and are left out of the mean",
            P2PSelectWarning,
            stacklevel=3,
        )
    # NumPy would add a warning of its own about the mean of nothing.
    return float(scores[defined].mean()) if defined.any() else float("nan")
