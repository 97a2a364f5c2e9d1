"""Arrays of pixels: which values they may have, and how they become RGB of one size."""

from __future__ import annotations

import numpy as np
from PIL import Image

from p2pselect.exceptions import InputError, brief

CHANNELS = (1, 3, 4)
_CHUNK_BYTES = 16 << 20
# Interpolation and float32 arithmetic leave values this far outside [0, 1].
_ROUNDING = 1e-6


def to_rgb(images: np.ndarray) -> np.ndarray:
    """Turn images (..., h, w, c) of 1, 3 or 4 channels into RGB, of the same dtype.

    One channel is repeated.  Four channels are color and opacity, blended with black: black is
    what removed pixels look like, so transparent pixels count as removed.  Images that have
    three channels are returned as they are.

    Examples
    --------
    >>> to_rgb(np.uint8([[[200, 100, 0, 128]]]))
    array([[[100,  50,   0]]], dtype=uint8)
    """
    n_channels = images.shape[-1]
    if n_channels == 3:
        return images
    if n_channels == 1:
        return np.repeat(images, 3, axis=-1)
    color, alpha = images[..., :3], images[..., 3:]
    if images.dtype != np.uint8:
        return color * alpha
    product = color.astype(np.uint16) * alpha
    return ((product + 127) // 255).astype(np.uint8)


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Stretch an image (h, w, c), uint8 or float32, to a size with antialiased bilinear filter.

    An image that has that size is returned as it is.
    """
    if image.shape[:2] == size:
        return image
    height, width = size
    if image.dtype == np.uint8 and image.shape[2] == 3:
        small = Image.fromarray(np.ascontiguousarray(image))
        return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))
    out = np.empty((height, width, image.shape[2]), image.dtype)
    # Pillow has no other images with more than one channel.
    for channel in range(image.shape[2]):
        plane = Image.fromarray(np.ascontiguousarray(image[..., channel]))
        small = plane.resize((width, height), Image.Resampling.BILINEAR)
        out[..., channel] = np.asarray(small)
    return out if image.dtype == np.uint8 else np.clip(out, 0, 1, out=out)


def resize_nearest(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize values (h, w, ...) that must not be mixed, such as masks and label maps.

    Every new pixel takes the old one whose center is nearest, with centers aligned as in
    :func:`resize`.  An array that has that size is returned as it is.

    Examples
    --------
    >>> resize_nearest(np.array([[1, 2], [3, 4]]), (2, 4))
    array([[1, 1, 2, 2],
           [3, 3, 4, 4]])
    """
    if image.shape[:2] == tuple(size):
        return image
    rows, columns = (
        # In integers, so that no rounding can pick the neighbor of the nearest pixel.
        (2 * np.arange(new) + 1) * old // (2 * new)
        for new, old in zip(size, image.shape, strict=False)
    )
    # Rows first, which are copied as they are, is several times as fast as both at once.
    return image[rows][:, columns]


def height_width(size: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width in pixels of a size given as one int (a square) or as a pair."""
    pair = np.atleast_1d(np.asarray(size))
    if pair.dtype.kind not in "iu" or pair.shape not in {(1,), (2,)} or pair.min() < 1:
        raise InputError(
            f"size must be a positive int or a pair (height, width), got {brief(size)}"
        )
    return int(pair[0]), int(pair[-1])


def check_dtype(values: np.ndarray, what: str, has_range: bool = False) -> None:
    """Refuse pixel values that are neither uint8 nor floating point.

    Where their range is known, whole numbers of any size are fine.
    """
    if values.dtype == np.uint8 or values.dtype.kind in ("uif" if has_range else "f"):
        return
    remedy = {
        "b": "for black and white images pass X.astype('uint8') * 255",
        "c": "Complex data not supported",  # words that scikit-learn's checks expect
        "i": "pass X.astype('uint8') if the values are 0..255, or say their range "
        "(value_range=; of an estimator images__value_range=)",
        "u": "say the range of the values, (0, 4095) for 12 bits, (0, 65535) for 16 "
        "(value_range=; of an estimator images__value_range=)",
        "O": "all images need the same number of channels, and numbers as pixels",
    }.get(values.dtype.kind, "pixels must be numbers")
    raise InputError(
        f"{what} has dtype {values.dtype}; expected uint8, or floats in [0, 1]: {remedy}"
    )


def check_channels(
    shape: tuple[int, ...], channels: str, what: str, wanted: int | None = None
) -> None:
    """Refuse images (..., h, w, c) or (..., c, h, w) with other than 1, 3 or 4 channels.

    Where a number is ``wanted``, they must have that one.
    """
    layout, number, other, swapped = {
        "last": ("(height, width, channels)", shape[-1], shape[-3], "first"),
        "first": ("(channels, height, width)", shape[-3], shape[-1], "last"),
    }[channels]
    expected = CHANNELS if wanted is None else (wanted,)
    if number in expected:
        return
    hint = ""
    if other in expected:
        hint = f'; if it is the other way round, pass channels="{swapped}"'
    elif wanted is None:
        hint = (
            f"; if these are {number} channels of any other kind, pass n_channels={number} "
            f"(of an estimator images__n_channels={number})"
        )
    words = "1 (gray), 3 (RGB) or 4 (RGBA)" if wanted is None else f"n_channels={wanted}"
    raise InputError(
        f"{what} has shape {shape}, so with channels={channels!r}, {layout}, it has {number} "
        f"channels; expected {words}{hint}"
    )


def check_values(
    images: np.ndarray, what: str, first_index: int = 0, has_range: bool = False
) -> None:
    """Refuse images (n, ...) without pixels, and floats that are not finite or not in [0, 1].

    Where they have a range of their own, they need only be finite.

    The array is walked through in chunks, so that neither a copy of it is made nor a
    memory-mapped file loaded as a whole.  ``first_index`` is that of the first image.
    """
    if 0 in images.shape[1:]:
        raise InputError(f"{what} has images of shape {images.shape[1:]}: without a pixel")
    if images.dtype.kind != "f":
        return
    step = max(1, _CHUNK_BYTES // max(1, images[:1].nbytes))
    low, high = np.inf, -np.inf
    for start in range(0, len(images), step):
        chunk = images[start : start + step]
        # NaN and infinity show in these two numbers, without an array of bools per chunk.
        darkest, brightest = chunk.min(), chunk.max()
        if not (np.isfinite(darkest) and np.isfinite(brightest)):
            bad = ~np.isfinite(chunk).reshape(len(chunk), -1).all(axis=1)
            raise InputError(
                f"{what} contains NaN or infinity, first in image "
                f"{first_index + start + int(np.flatnonzero(bad)[0])}"
            )
        low, high = min(low, darkest), max(high, brightest)
    if not has_range and (low < -_ROUNDING or high > 1 + _ROUNDING):
        remedy = (
            " (say the range of the values: value_range=(low, high); of an estimator "
            "images__value_range=)"
        )
        if low < 0:
            remedy = ""
        elif 128 < high <= 255:
            remedy = " (pass X / 255 or uint8)"
        raise InputError(
            f"{what} has floats from {low:.6g} to {high:.6g}, expected [0, 1]{remedy}; "
            "normalization by mean and standard deviation is done inside the model"
        )
