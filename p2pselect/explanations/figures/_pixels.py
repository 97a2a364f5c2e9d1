"""Arrays of an explanation turned into pictures: plain numpy, no matplotlib."""

from __future__ import annotations

import numpy as np
from skimage.segmentation import find_boundaries
from skimage.transform import resize

from p2pselect._explanation_arrays import ExplanationArrays

# Okabe and Ito's palette: told apart under every common form of colour blindness.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
SKY, AMBER, YELLOW, GREY = "#56B4E9", "#E69F00", "#F0E442", "#7F7F7F"
CROP_SIDE = 48
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY, GREY)


def to_rgb(images: np.ndarray) -> np.ndarray:
    """Show any images that a model takes as 8-bit colour.

    Parameters
    ----------
    images : ndarray of shape (..., h, w, c), uint8, or float in [0, 1]
        One channel is shown as grey; of more than three the first three are shown.

    Returns
    -------
    ndarray of shape (..., h, w, 3), uint8

    Examples
    --------
    >>> import numpy as np
    >>> to_rgb(np.full((1, 2, 2, 1), 0.5)).shape
    (1, 2, 2, 3)
    """
    if images.dtype != np.uint8:
        images = (np.clip(images, 0, 1) * 255).round().astype(np.uint8)
    if images.shape[-1] < 3:
        return np.repeat(images[..., :1], 3, axis=-1)
    return images[..., :3]


def enlarge(array: np.ndarray, least: int = 320) -> np.ndarray:
    """Repeat pixels until the shorter side has ``least`` of them, so that lines stay thin."""
    times = max(1, -(-least // min(array.shape[:2])))
    return array.repeat(times, axis=0).repeat(times, axis=1)


def draw_borders(
    image: np.ndarray, labels: np.ndarray, colour: tuple[int, int, int], width: int = 1
) -> np.ndarray:
    """Draw lines where neighbouring labels differ.

    Parameters
    ----------
    image : ndarray of shape (h, w, 3), uint8
    labels : ndarray of shape (h, w), int or bool
    colour : tuple of three ints in [0, 255]
    width : int, default=1
        Line width in pixels of the enlarged picture.

    Returns
    -------
    ndarray of shape (s * h, s * w, 3), uint8
        Enlarged by a whole factor s, see :func:`enlarge`; a copy.
    """
    picture, large = enlarge(image).copy(), enlarge(labels)
    # A line of two pixels needs both sides of the border, wider ones grow from there.
    lines = find_boundaries(large, mode="inner" if width == 1 else "thick")
    for _ in range((width - 1) // 2):
        lines = _grow(lines)
    picture[lines] = colour
    return picture


def _grow(mask: np.ndarray) -> np.ndarray:
    padded = np.pad(mask, 1)
    return mask | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]


def embedding_colours(exp: ExplanationArrays, image: int) -> np.ndarray:
    """Colour every region by its embedding: alike colours mean kept or removed together.

    Up to three dimensions are taken as red, green and blue as they are, so that colours
    can be compared between images; of more, the three leading directions of this image.

    Returns
    -------
    ndarray of shape (h, w, 3), uint8
    """
    d = exp.n_regions[image]
    assert exp.region_embeddings is not None
    embedding = exp.region_embeddings[image, :, :d].astype(float)
    if len(embedding) > 3:
        _, scale, directions = np.linalg.svd(embedding, full_matrices=False)
        embedding = scale[:3, None] * directions[:3]
    rgb = np.zeros((d, 3))
    rgb[:, : len(embedding)] = embedding.T
    if len(embedding) == 1:
        rgb[:] = embedding.T
    largest = np.abs(rgb).max(initial=0) or 1.0
    return ((0.5 + 0.5 * rgb / largest) * 255).astype(np.uint8)[exp.regions[image]]


def region_crop(exp: ExplanationArrays, image: int, region: int) -> np.ndarray:
    """One region with a little of its surroundings, which are darkened.

    Returns
    -------
    ndarray of shape (48, 48, 3), uint8
    """
    own = exp.regions[image] == region
    rows, columns = (np.flatnonzero(own.any(axis=axis)) for axis in (1, 0))
    side = int(1.3 * max(np.ptp(rows), np.ptp(columns))) + 6
    window = tuple(
        slice(max(0, int(where.mean()) - side // 2), int(where.mean()) + side // 2 + 1)
        for where in (rows, columns)
    )
    picture = to_rgb(exp.images[image])[window] / 255
    shown = np.where(own[window][..., None], picture, 0.25 * picture)
    crop = resize(shown, (CROP_SIDE, CROP_SIDE), order=1, anti_aliasing=False)
    return (crop * 255).round().astype(np.uint8)
