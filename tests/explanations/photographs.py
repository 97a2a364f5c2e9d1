"""Explanations of photographs whose four quarters have colors of their own."""

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from p2pselect.explanations import Explanation
from p2pselect.images import as_images

RED, GREEN, BLUE, WHITE = range(4)
COLORS = np.array([[220, 30, 30], [30, 220, 30], [30, 30, 220], [230, 230, 230]], np.uint8)
#: Portrait, landscape, square, odd sides, longer than the figures are.
SHAPES = [(300, 200), (192, 384), (256, 256), (181, 333), (700, 1100)]
GRIDS = [(64, 64), (48, 64)]


def quarters(h: int, w: int) -> np.ndarray:
    """The quarter of every pixel of a photograph, int (h, w)."""
    rows, columns = np.arange(h) >= h / 2, np.arange(w) >= w / 2
    return 2 * rows[:, None] + columns


def explained(
    photographs, resize: str = "pad", grid: tuple[int, int] = (64, 64), kept: int = RED
) -> Explanation:
    """Explanations of photographs in which one quarter is kept.

    What lies where on the grid is read off the colors of the model's copies, so it does not
    depend on how an explanation finds its way back.
    """
    images = as_images(photographs)
    copies = images.batch(slice(None), grid, resize)
    distance = np.abs(copies[..., None, :].astype(int) - COLORS).sum(axis=-1)
    nearest = distance.argmin(axis=-1)
    regions = np.where(copies.max(axis=-1) == 0, -1, nearest).astype(np.int32)
    n = len(images)
    logits = np.tile(np.float32([1, 0.5, 0, -1]), (n, 1))
    logits[:, [RED, kept]] = logits[:, [kept, RED]]
    return Explanation(
        images=copies,
        regions=regions,
        region_masks=np.tile(np.arange(4) == kept, (n, 1)),
        selection_logits=logits,
        selection_probs=1 / (1 + np.exp(-logits)),
        tau=np.full(n, 0.3),
        proba=np.tile(np.float32([0.9, 0.1]), (n, 1)),
        classes=np.array(["leaf", "fruit"]),
        answered=np.ones(n, bool),
        certainty_threshold=0.8,
        region_embeddings=np.tile(np.eye(3, 4, dtype=np.float32), (n, 1, 1)),
        original_sizes=images.sizes(),
        resize=resize,
        originals=images,
    )


def given(h: int, w: int, resize: str, grid: tuple[int, int] = (64, 64)) -> np.ndarray:
    """Which pixels of a photograph came onto the grid, bool (h, w)."""
    inside = np.ones((h, w), bool)
    if resize == "crop":
        tall, wide = min(h, w * grid[0] / grid[1]), min(w, h * grid[1] / grid[0])
        inside &= (abs(np.arange(h) + 0.5 - h / 2) < tall / 2)[:, None]
        inside &= abs(np.arange(w) + 0.5 - w / 2) < wide / 2
    return inside


def away_from_edges(mask: np.ndarray, width: int) -> np.ndarray:
    """Pixels that are not close to where a mask changes, bool (h, w)."""
    size = 2 * width + 1
    return minimum_filter(mask, size, mode="nearest") == maximum_filter(
        mask, size, mode="nearest"
    )
