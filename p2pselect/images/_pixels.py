"""Images as networks read them: three colour channels, one size."""

from __future__ import annotations

import numpy as np
from PIL import Image

from p2pselect.exceptions import InputError, brief


def to_rgb(images: np.ndarray) -> np.ndarray:
    """Turn 1, 3 or 4 channels into red, green and blue.

    One channel is repeated.  Four channels are colour and opacity, laid over black:
    black is what removed pixels look like, so what is transparent counts as removed.

    Parameters
    ----------
    images : ndarray of shape (..., h, w, c), uint8 or float32 in [0, 1], c in {1, 3, 4}
        One image or many.

    Returns
    -------
    ndarray of shape (..., h, w, 3), same dtype
        The input itself where it has three channels.

    Examples
    --------
    >>> import numpy as np
    >>> from p2pselect.images._pixels import to_rgb
    >>> to_rgb(np.uint8([[[200, 100, 0, 128]]]))
    array([[[100,  50,   0]]], dtype=uint8)
    """
    n_channels = images.shape[-1]
    if n_channels == 3:
        return images
    if n_channels == 1:
        return np.repeat(images, 3, axis=-1)
    colour, alpha = images[..., :3], images[..., 3:]
    if images.dtype != np.uint8:
        return colour * alpha
    product = colour.astype(np.uint16) * alpha
    return ((product + 127) // 255).astype(np.uint8)


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize one image with antialiased bilinear interpolation.

    The whole image is stretched to ``size``: nothing is cut off, the aspect ratio is not
    kept.

    Parameters
    ----------
    image : ndarray of shape (h, w, 3), uint8 or float32 in [0, 1]
        One image.
    size : tuple of int
        Height and width wanted, in pixels.

    Returns
    -------
    ndarray of shape (size[0], size[1], 3), same dtype
        The input itself where it has that size.
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
    """Resize masks, label maps or other values that must not be mixed, by nearest neighbor.

    Pixel centers are aligned, as in :func:`resize`.

    Parameters
    ----------
    image : ndarray of shape (h, w, ...), any dtype
        One image.
    size : tuple of int
        Height and width wanted, in pixels.

    Returns
    -------
    ndarray of shape (size[0], size[1], ...), same dtype
        The input itself where it has that size.

    Examples
    --------
    >>> import numpy as np
    >>> from p2pselect.images._pixels import resize_nearest
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
    """Height and width in pixels of a size given as one int (a square) or as a pair.

    Raises
    ------
    InputError
        When it is neither, or not positive.
    """
    pair = np.atleast_1d(np.asarray(size))
    if pair.dtype.kind not in "iu" or pair.shape not in {(1,), (2,)} or pair.min() < 1:
        raise InputError(
            f"size must be a positive int or a pair (height, width), got {brief(size)}"
        )
    return int(pair[0]), int(pair[-1])
