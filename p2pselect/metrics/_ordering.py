"""Which regions make up the most important fraction of an image."""

from __future__ import annotations

import numpy as np

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.exceptions import InputError, brief

PAPER_GRID = (
    0.0, 0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8,
    0.9, 0.99, 1.0,
)  # fmt: skip
"""Shares of the image's pixels at which the paper evaluates its fidelity curves."""

Grid = np.ndarray | tuple[float, ...]


def region_order(exp: ExplanationArrays, random_state: int = 0) -> np.ndarray:
    """Regions by falling importance, int array of shape (n, d).

    The model's own ``ranking``; where every pixel is its own region, ties are common
    (saturated or clamped maps) and are broken by a random permutation instead of by label,
    which would be by position.
    """
    n, d = exp.region_masks.shape
    if d != exp.regions[0].size:
        return exp.ranking
    permutation = np.random.default_rng(random_state).permutation(d)
    by_score = np.argsort(-exp.selection_logits[:, permutation], axis=1, kind="stable")
    return permutation[by_score]


def count_regions(
    exp: ExplanationArrays,
    order: np.ndarray,
    fractions: np.ndarray,
    protocol: str,
    insert: bool,
) -> np.ndarray:
    """How many of the first regions of `order` to add or remove, int (n, t)."""
    areas = np.take_along_axis(exp.region_areas, order, axis=1)
    n_pixels = exp.regions[0].size
    if protocol == "exact":
        # Rounded, so that a fraction that is a whole number of pixels is just that.
        allowed = np.floor(np.round(fractions * n_pixels, 6))
        if order.shape[1] == n_pixels:
            allowed = np.round(fractions * n_pixels)
        covered = np.cumsum(areas, axis=1)
        return np.stack([np.searchsorted(row, allowed, side="right") for row in covered])
    shares = (areas / n_pixels).astype(np.float32)
    covered = np.cumsum(shares, axis=1, dtype=np.float32)
    below = np.stack([(row[:, None] < fractions.astype(np.float32)).sum(0) for row in covered])
    d = order.shape[1]
    if insert:
        return np.where(fractions == 1, d, below)
    return np.where(fractions == 0, 0, np.minimum(below + 1, d))


def check_grid(grid: Grid) -> np.ndarray:
    fractions = np.asarray(grid, dtype=float)
    increasing = fractions.ndim == 1 and len(fractions) > 1 and (np.diff(fractions) > 0).all()
    if not increasing or fractions[0] < 0 or fractions[-1] > 1:
        raise InputError(
            f"grid must be at least two increasing fractions in [0, 1], got {brief(grid)}"
        )
    return fractions
