"""Sums over the regions of label maps."""

from __future__ import annotations

import numpy as np


def region_sums(
    labels: np.ndarray, values: np.ndarray | None = None, n_columns: int | None = None
) -> np.ndarray:
    """Sums of values (n, h, w) over every region, (n, d); its pixels where there are none.

    Without ``n_columns``, d is the largest number of regions of an image.
    """
    n = len(labels)
    d = (int(labels.max()) + 1 if labels.size else 0) if n_columns is None else n_columns
    sums = np.empty((n, d), np.intp if values is None else np.float64)
    # Image by image, since labels of all images as 64-bit integers would fill the memory.
    for image in range(n):
        weights = None if values is None else values[image].ravel()
        # The first of d + 1 columns is that of the pixels without a region.
        sums[image] = np.bincount(labels[image].ravel() + 1, weights, d + 1)[1:]
    return sums
