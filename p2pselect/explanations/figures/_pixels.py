"""Arrays of an explanation turned into pictures: plain numpy, no matplotlib."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_dilation
from skimage.segmentation import find_boundaries

from p2pselect.images._meaning import TINTS, DisplayChannels, tinted

# Okabe and Ito's palette: told apart under every common form of color blindness.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
SKY, AMBER, GRAY = "#56B4E9", "#E69F00", "#7F7F7F"
#: Of the same palette: the lines around what is kept.
YELLOW = (240, 228, 66)
CROP_SIDE = 96
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY, GRAY)


def to_rgb(images: np.ndarray, channels: DisplayChannels | None = None) -> np.ndarray:
    """Images (..., h, w, c) of a model as 8-bit color.

    ``channels`` are those shown as red, green and blue, or the one shown as gray: by default
    the first three, or the first of fewer.  Or they come with a color each, and are added up.
    """
    if channels is not None and (pairs := tinted(channels)) is not None:
        white = 255 if images.dtype == np.uint8 else 1
        tints = np.array([TINTS[color] for _, color in pairs], np.float32)
        numbers = np.array([number for number, _ in pairs])
        images = images[..., numbers].astype(np.float32) @ tints / white
    elif channels is not None:
        images = images[..., np.array(channels)]
    if images.dtype != np.uint8:
        images = (np.clip(images, 0, 1) * 255).round().astype(np.uint8)
    if images.shape[-1] < 3:
        return np.repeat(images[..., :1], 3, axis=-1)
    return images[..., :3]


def enlarge(array: np.ndarray) -> np.ndarray:
    """Repeat pixels until the shorter side has 320 of them, so that lines stay thin."""
    times = max(1, -(-320 // min(array.shape[:2])))
    return array.repeat(times, axis=0).repeat(times, axis=1)


def draw_borders(
    image: np.ndarray, labels: np.ndarray, color: tuple[int, int, int], width: int = 1
) -> np.ndarray:
    """An enlarged copy of an 8-bit image with lines where neighboring labels differ.

    `width` counts pixels of the enlarged picture.
    """
    picture, large = enlarge(image).copy(), enlarge(labels)
    # A line of two pixels needs both sides of the border; wider ones grow from there.
    lines = find_boundaries(large, mode="inner" if width == 1 else "thick")
    if width > 2:
        lines = binary_dilation(lines, iterations=(width - 1) // 2)
    picture[lines] = color
    return picture


def embedding_colors(embedding: np.ndarray) -> np.ndarray:
    """A color, uint8 (d, 3), for every region of one image from its embedding (k, d).

    Regions of similar color are kept or removed together.  Up to three dimensions of the
    embedding are used as red, green and blue as they are, so that colors can be compared
    between images; if there are more, the three leading directions of this image are used.
    """
    embedding = embedding.astype(float)
    if len(embedding) > 3:
        _, scale, directions = np.linalg.svd(embedding, full_matrices=False)
        embedding = scale[:3, None] * directions[:3]
    rgb = np.zeros((embedding.shape[1], 3))
    rgb[:, : len(embedding)] = embedding.T
    if len(embedding) == 1:
        rgb[:] = embedding.T
    # If nothing correlates, all is gray.
    largest = np.abs(rgb).max(initial=0) or 1.0
    return ((0.5 + 0.5 * rgb / largest) * 255).astype(np.uint8)
