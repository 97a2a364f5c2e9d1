"""Slow, plain versions of what the region kernels compute."""

from math import sqrt

import numpy as np
from scipy import ndimage
from skimage.color import rgb2lab


def components(labels: np.ndarray) -> np.ndarray:
    """4-connected components in raster order of first appearance, by flooding."""
    out = np.full(labels.shape, -1)
    found = 0
    for start in np.ndindex(labels.shape):
        if out[start] >= 0:
            continue
        pieces, _ = ndimage.label(labels == labels[start])
        out[pieces == pieces[start]] = found
        found += 1
    return out


def is_canonical(labels: np.ndarray) -> bool:
    """Whether labels are 0 .. d - 1 in raster order and every one is 4-connected."""
    return np.array_equal(components(labels), labels)


def kmeans(image: np.ndarray, rows: int, columns: int, compactness: float, n_iter: int):
    """SLIC without connectivity, on all pixels: nearest of the nine centers around."""
    h, w = image.shape[:2]
    row = (np.searchsorted(np.arange(rows + 1) * h // rows, np.arange(h), "right") - 1)[:, None]
    column = np.searchsorted(np.arange(columns + 1) * w // columns, np.arange(w), "right") - 1
    weight = compactness / sqrt(h * w / (rows * columns))
    y, x = np.mgrid[:h, :w] * weight
    points = np.dstack([y, x, rgb2lab(image)])
    labels = row * columns + column
    centers = np.array([points[labels == k].mean(axis=0) for k in range(rows * columns)])
    for _ in range(n_iter):
        labels = _assign(points, centers, row, column, rows, columns)
        for k in np.unique(labels):
            centers[k] = points[labels == k].mean(axis=0)
    return _assign(points, centers, row, column, rows, columns)


def _assign(points, centers, row, column, rows, columns):
    best = np.full(points.shape[:2], np.inf)
    labels = np.zeros(points.shape[:2], int)
    for k, center in enumerate(centers):
        near = (abs(row - k // columns) <= 1) & (abs(column - k % columns) <= 1)
        distance = np.where(near, ((points - center) ** 2).sum(axis=2), np.inf)
        labels[distance < best] = k
        best = np.minimum(best, distance)
    return labels
