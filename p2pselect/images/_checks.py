"""Pixel values that images may have; what is wrong is said with index, range and remedy."""

from __future__ import annotations

import numpy as np

from p2pselect.exceptions import InputError

CHANNELS = (1, 3, 4)
_CHUNK_BYTES = 16 << 20
# Interpolation and float32 arithmetic leave values this far outside [0, 1].
_ROUNDING = 1e-6


def check_dtype(values: np.ndarray, what: str) -> None:
    """Refuse pixel values that are neither uint8 nor floating point."""
    if values.dtype == np.uint8 or values.dtype.kind == "f":
        return
    remedy = {
        "b": "for black and white images pass X.astype('uint8') * 255",
        "c": "Complex data not supported",
        "i": "pass X.astype('uint8') if the values are 0..255",
        "u": "divide by the value that is white: X / 4095 for 12 bits, X / 65535 for 16",
        "O": "all images need the same number of channels, and numbers as pixels",
    }.get(values.dtype.kind, "pixels must be numbers")
    raise InputError(
        f"{what} has dtype {values.dtype}; expected uint8, or floats in [0, 1]: {remedy}"
    )


def check_channels(shape: tuple[int, ...], channels: str, what: str) -> None:
    """Refuse images (..., h, w, c) or (..., c, h, w) with other than 1, 3 or 4 channels."""
    layout, number, other, swapped = {
        "last": ("(height, width, channels)", shape[-1], shape[-3], "first"),
        "first": ("(channels, height, width)", shape[-3], shape[-1], "last"),
    }[channels]
    if number in CHANNELS:
        return
    hint = ""
    if other in CHANNELS:
        hint = f'; if it is the other way round, pass channels="{swapped}"'
    raise InputError(
        f"{what} has shape {shape}, so with channels={channels!r}, {layout}, it has {number} "
        f"channels; expected 1 (gray), 3 (RGB) or 4 (RGBA){hint}"
    )


def check_values(images: np.ndarray, what: str, first_index: int = 0) -> None:
    """Refuse images (n, ...) without pixels, and floats that are not finite or not in [0, 1].

    The array is walked through in chunks, so that neither a copy of it is made nor a
    memory-mapped file loaded as a whole.  ``first_index`` is that of the first image.
    """
    if 0 in images.shape[1:]:
        raise InputError(f"{what} has images of shape {images.shape[1:]}: without a pixel")
    if images.dtype == np.uint8:
        return
    step = max(1, _CHUNK_BYTES // max(1, images[:1].nbytes))
    low, high = np.inf, -np.inf
    for start in range(0, len(images), step):
        chunk = images[start : start + step]
        darkest, brightest = chunk.min(), chunk.max()
        if not (np.isfinite(darkest) and np.isfinite(brightest)):
            bad = ~np.isfinite(chunk).reshape(len(chunk), -1).all(axis=1)
            raise InputError(
                f"{what} contains NaN or infinity, first in image "
                f"{first_index + start + int(np.flatnonzero(bad)[0])}"
            )
        low, high = min(low, darkest), max(high, brightest)
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        remedy = " (divide by the value that is white: X / 16 where values end at 16, say)"
        if low < 0:
            remedy = ""
        elif 128 < high <= 255:
            remedy = " (pass X / 255 or uint8)"
        raise InputError(
            f"{what} has floats from {low:.6g} to {high:.6g}, expected [0, 1]{remedy}; "
            "normalization by mean and standard deviation is done inside the model"
        )
