"""Regions at a lower resolution: a smaller image, and its labels back at full size."""

import numpy as np
from PIL import Image


def shrink_factor(h: int, w: int, resolution: int | None) -> int:
    """Side of the square blocks whose means leave at most ``resolution`` pixels a side."""
    return 1 if resolution is None else -(-max(h, w) // resolution)


def shrink(image: np.ndarray, factor: int) -> np.ndarray:
    """Means of blocks, uint8 (ceil(h / factor), ceil(w / factor), c); edge blocks are cut."""
    if image.shape[2] == 3:
        return np.array(Image.fromarray(image).reduce(factor))
    channels = np.moveaxis(image, 2, 0)
    small = [Image.fromarray(np.ascontiguousarray(one)).reduce(factor) for one in channels]
    return np.stack([np.asarray(one) for one in small], axis=2)


def enlarge(labels: np.ndarray, factor: int, h: int, w: int) -> np.ndarray:
    """Every label as a block of pixels, int32 (h, w); keeps regions connected and in order."""
    return labels.repeat(factor, axis=0)[:h].repeat(factor, axis=1)[:, :w]
