"""What takes the place of removed pixels, in arrays of NumPy and of torch alike.

Whatever it is, it follows from what is kept and from nothing else: an image that differs in
removed pixels alone is filled in the same way, to the last bit.
"""

from __future__ import annotations

from functools import lru_cache
from numbers import Real
from typing import Any

import numpy as np

from p2pselect.exceptions import InputError, brief

#: What networks are given: one of the words of :data:`FILLS` but "mean", or a value for all
#: channels or for each.
Fill = str | tuple[float, ...]

#: The words that the setting ``networks__fill`` takes.
FILLS = ("black", "mean", "blur", "noise", "drop")
#: Those that paint removed pixels black; of ``"drop"``, the network leaves out black patches.
BLACK = ("black", "drop")
#: Standard deviation of the blur, as a share of the longer side.
_BLUR = 1 / 16
#: Weight of the mean kept color, which decides where no kept pixel is near: that of the kept
#: pixels around a place is 1 where all of them are kept.
_FAR = 1e-3
#: Multipliers of a hash of 32 bits that mixes well (Wellons, "Prospecting for hash functions").
_MULTIPLIERS = (0x7FEB352D, 0x846CA68B)
_BITS = 0xFFFFFFFF


def constant(fill: Any, n_channels: int) -> tuple[float, ...]:
    """A number or a sequence of numbers as the values of the channels."""
    values = list(fill) if isinstance(fill, (tuple, list)) else [fill]
    numbers = all(isinstance(v, Real) and 0 <= float(v) <= 1 for v in values)
    if not numbers or len(values) not in (1, n_channels):
        raise InputError(
            f"networks__fill must be one of {FILLS}, a number in [0, 1], or one for each of "
            f"the {n_channels} channels, got {brief(fill)}"
        )
    return tuple(float(v) for v in values)


def known_fill(fill: Any, n_channels: int) -> Fill:
    """What a file says that networks were given, checked."""
    words = [word for word in FILLS if word != "mean"]
    return fill if fill in words else constant(fill, n_channels)


def filled(images: Any, masks: Any, fill: Fill) -> Any:
    r"""Images behind masks, :math:`m x + (1 - m) f`, with f that the kept pixels decide.

    Images (n, c, h, w) are in [0, 1], and masks (n, 1, h, w), too; both are float.
    """
    shown = images * masks
    if fill in BLACK:
        return shown
    if fill == "noise":
        rest = _noise(shown)
    elif fill == "blur":
        rest = _blurred(shown, masks)
    else:
        rest = _like(np.reshape(fill, (-1, 1, 1)), shown)
    # Exactly the image where a mask is 1, and exactly the rest where it is 0.
    return shown + (1 - masks) * rest


def filled_arrays(images: np.ndarray, pixel_masks: np.ndarray, fill: Fill) -> np.ndarray:
    """Images (n, h, w, c) behind masks (n, h, w).

    Of the dtype of ``images`` where masks are bool and what is removed is black; float32 in
    [0, 1] otherwise.
    """
    masks = pixel_masks[..., None]
    if pixel_masks.dtype == bool and fill in BLACK:
        return images * masks.astype(images.dtype)
    # Divided by a number of Python, uint8 would become float64.
    white = np.float32(255 if images.dtype == np.uint8 else 1)
    planes = np.moveaxis(images / white, -1, 1)
    return np.moveaxis(filled(planes, pixel_masks[:, None].astype(np.float32), fill), 1, -1)


def _blurred(shown: Any, masks: Any) -> Any:
    """The mean of the kept pixels around every place, each with its Gaussian weight.

    This is a normalized convolution (Knutsson and Westin, 1993), in which removed pixels have
    no weight.  Far from all kept pixels it is their mean, and black where none are kept.
    """
    sigma = _BLUR * max(shown.shape[2:])
    rows, columns = (_like(_gaussian(side, sigma), shown) for side in shown.shape[2:])
    n_kept = masks.sum(axis=(2, 3), keepdims=True)
    mean = shown.sum(axis=(2, 3), keepdims=True) / n_kept.clip(min=1e-6)
    around = (rows @ shown @ columns + _FAR * mean) / (rows @ masks @ columns + _FAR)
    return around.clip(0, 1)


@lru_cache(maxsize=32)
def _gaussian(side: int, sigma: float) -> np.ndarray:
    """The matrix whose product with a column of pixels blurs it, float32."""
    place = np.arange(side)
    weight = np.exp(-((place[:, None] - place) ** 2) / (2 * sigma**2))
    return (weight / (sigma * np.sqrt(2 * np.pi))).astype(np.float32)


def _noise(shown: Any) -> Any:
    """Values that are uniform in [0, 1): a hash of what an image shows, and of the place.

    They are integers until the end, whose sum does not depend on its order.
    """
    # From 1, because the hash of 0 is 0.
    place = 1 + np.arange(np.prod(shown.shape[1:]), dtype=np.int64).reshape(shown.shape[1:])
    levels = _integers((shown * 65535).round())
    place = _like(place, levels)
    key = (levels * _mixed(place)).sum(axis=(1, 2, 3), keepdims=True) & _BITS
    mixed = _mixed((_mixed(key) + place) & _BITS)
    return _floats(mixed >> 8, shown) / 2**24


def _mixed(x: Any) -> Any:
    for shift, multiplier in zip((16, 15), _MULTIPLIERS, strict=True):
        x = ((x ^ (x >> shift)) * multiplier) & _BITS
    return x ^ (x >> 16)


def _integers(values: Any) -> Any:
    return values.astype(np.int64) if isinstance(values, np.ndarray) else values.long()


def _floats(values: Any, like: Any) -> Any:
    return values.astype(like.dtype) if isinstance(values, np.ndarray) else values.to(like)


def _like(values: np.ndarray, other: Any) -> Any:
    """An array of the kind, the type and the place of another one."""
    if isinstance(other, np.ndarray):
        return values.astype(other.dtype)
    return other.new_tensor(values)
