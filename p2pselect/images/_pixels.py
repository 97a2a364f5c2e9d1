"""Images as networks read them: three color channels, one size."""

from __future__ import annotations

import numpy as np
from PIL import Image

from p2pselect.exceptions import InputError, brief


def to_rgb(images: np.ndarray) -> np.ndarray:
    """Turn images (..., h, w, c) of 1, 3 or 4 channels into RGB, of the same dtype.

    One channel is repeated.  Four channels are color and opacity, laid over black: black is
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
    """Stretch an image (h, w, 3), uint8 or float32, to a size with antialiased bilinear filter.

    An image that has that size is returned as it is.
    """
    if image.shape[:2] == size:
        return image
    height, width = size
    if image.dtype == np.uint8:
        small = Image.fromarray(np.ascontiguousarray(image))
        return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR))
    out = np.empty((height, width, 3), dtype=np.float32)
    for channel in range(3):
        plane = Image.fromarray(np.ascontiguousarray(image[..., channel]))
        small = plane.resize((width, height), Image.Resampling.BILINEAR)
        out[..., channel] = np.asarray(small)
    return np.clip(out, 0, 1, out=out)


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
    return image[rows[:, None], columns]


def height_width(size: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width in pixels of a size given as one int (a square) or as a pair."""
    pair = np.atleast_1d(np.asarray(size))
    if pair.dtype.kind not in "iu" or pair.shape not in {(1,), (2,)} or pair.min() < 1:
        raise InputError(
            f"size must be a positive int or a pair (height, width), got {brief(size)}"
        )
    return int(pair[0]), int(pair[-1])
