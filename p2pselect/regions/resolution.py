"""Regions at a lower resolution: a smaller image, and its labels back at full size."""

import numpy as np

from p2pselect.regions.compiled import compiled


def shrink_factor(h: int, w: int, resolution: int | None) -> int:
    """Side of the square blocks whose means leave at most ``resolution`` pixels a side."""
    return 1 if resolution is None else -(-max(h, w) // resolution)


@compiled
def shrink(image: np.ndarray, factor: int) -> np.ndarray:
    """Means of blocks, uint8 (ceil(h / factor), ceil(w / factor), c); edge blocks are cut."""
    h, w, channels = image.shape
    rows, columns = -(-h // factor), -(-w // factor)
    out = np.empty((rows, columns, channels), np.uint8)
    for row in range(rows):
        y0, y1 = row * factor, min(row * factor + factor, h)
        for column in range(columns):
            x0, x1 = column * factor, min(column * factor + factor, w)
            area = (y1 - y0) * (x1 - x0)
            for c in range(channels):
                total = area // 2
                for y in range(y0, y1):
                    for x in range(x0, x1):
                        total += image[y, x, c]
                out[row, column, c] = total // area
    return out


def enlarge(labels: np.ndarray, factor: int, h: int, w: int) -> np.ndarray:
    """Every label as a block of pixels, int32 (h, w); keeps regions connected and in order."""
    return labels.repeat(factor, axis=0)[:h].repeat(factor, axis=1)[:, :w]
