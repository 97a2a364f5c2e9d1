"""Sums over the regions of label maps."""

from __future__ import annotations

import numpy as np


def region_sums(
    labels: np.ndarray, values: np.ndarray | None = None, n_columns: int | None = None
) -> np.ndarray:
    """Sums of values (n, h, w) over every region, (n, d); its pixels where there are none.

    Without ``n_columns``, d is the largest number of regions of an image.
    """
    n, h, w = labels.shape
    d = (int(labels.max()) + 1 if labels.size else 0) if n_columns is None else n_columns
    # Labels of different images become different numbers, so that all are counted at once.  The
    # first of d + 1 columns is that of the pixels without a region.
    flat = labels.reshape(n, h * w) + 1 + (d + 1) * np.arange(n)[:, None]
    weights = None if values is None else values.ravel()
    return np.bincount(flat.ravel(), weights, n * (d + 1)).reshape(n, d + 1)[:, 1:]
