"""The images that the checks of this room train and predict on."""

from __future__ import annotations

import numpy as np


def make_check_images(n: int = 24, size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Make images of three classes, which differ in the color of a square on noise.

    Parameters
    ----------
    n : int, default=24
        Number of images.
    size : int, default=32
        Height and width in pixels.

    Returns
    -------
    X : ndarray of shape (n, size, size, 3), uint8
        The images.
    y : ndarray of shape (n,), int
        Their classes: 0, 1 or 2.

    Examples
    --------
    >>> X, y = make_check_images(6)
    >>> X.shape, X.dtype, y
    ((6, 32, 32, 3), dtype('uint8'), array([0, 1, 2, 0, 1, 2]))
    """
    rng = np.random.default_rng(0)
    X = rng.integers(0, 80, (n, size, size, 3), dtype=np.uint8)
    y = np.arange(n) % 3
    half = size // 2
    for image, label in zip(X, y, strict=True):
        row, column = rng.integers(0, half, 2)
        # At most 79 + 150, so uint8 does not wrap around.
        image[row : row + half, column : column + half, label] += 150
    return X, y
