"""Masks that an audit shows to a judge, what outlines tell, and intervals by the bootstrap."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect._region_sums import region_sums
from p2pselect.metrics._perturbed_images import region_order

#: Side of the small pictures that outlines are learned from.
_OUTLINE = 16
#: Entries of the weights that are in memory at a time.
_BLOCK = 2**22


def region_orders(
    exp: ExplanationArrays, objects: np.ndarray | None, random_state: int
) -> dict[str, np.ndarray]:
    """Orders (n, d) in which regions can be shown: the model's, and four that are not learned.

    `objects` are object masks (n, h, w): regions come by the share of them that is inside.
    """
    rng = np.random.default_rng(random_state)
    areas = exp.region_areas
    n, h, w = exp.regions.shape
    chance = rng.random(areas.shape)
    centers = np.stack(
        [
            _means(exp, np.broadcast_to(np.arange(h)[:, None], (n, h, w))),
            _means(exp, np.broadcast_to(np.arange(w), (n, h, w))),
        ]
    )
    start = np.where(areas > 0, chance, np.inf).argmin(axis=1)[None, :, None]
    middle = np.array([(h - 1) / 2, (w - 1) / 2])[:, None, None]
    distances = {
        "scattered": chance,
        # Where distances are equal, as between the squares of a grid, chance decides.
        "contiguous": _length(centers - np.take_along_axis(centers, start, 2)) + chance,
        "central": _length(centers - middle) + chance,
    }
    if objects is not None:
        distances["objects"] = -_means(exp, objects) + 1e-6 * chance
    orders = {
        name: np.where(areas > 0, distance, np.inf).argsort(axis=1)
        for name, distance in distances.items()
    }
    return {"selected": region_order(exp, random_state), **orders}


def _means(exp: ExplanationArrays, values: np.ndarray) -> np.ndarray:
    """Mean of values (n, h, w) over every region, (n, d); 0 for regions an image lacks."""
    sums = region_sums(exp.regions, values, exp.region_masks.shape[1])
    return sums / np.maximum(exp.region_areas, 1)


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt((vectors**2).sum(axis=0))


def first_within(
    exp: ExplanationArrays, order: np.ndarray, share: float | np.ndarray
) -> np.ndarray:
    """Masks (n, h, w) of the first regions that fit within a share of the area, at least one.

    `share` is one number or one per image (n,); masks of one order are nested.
    """
    areas = np.take_along_axis(exp.region_areas, order, axis=1)
    allowed = np.broadcast_to(share, len(exp)) * exp.n_pixels
    # Rounded, so that a share that is a whole number of pixels is just that.
    fits = areas.cumsum(axis=1) <= np.floor(np.round(allowed, 6))[:, None]
    fits[:, 0] = True
    region_masks = np.zeros(order.shape, dtype=bool)
    np.put_along_axis(region_masks, order, fits & (areas > 0), axis=1)
    masks: np.ndarray = exp.to_pixels(region_masks)
    return masks


def predict_from_outlines(
    masks: np.ndarray, y: np.ndarray, new_masks: np.ndarray
) -> np.ndarray:
    """Labels that the outlines of masks (n, h, w) tell to a logistic regression.

    Those of ``y`` (n, n_labels) are told one by one.
    """
    if y.ndim == 2:
        each = [predict_from_outlines(masks, column, new_masks) for column in y.T]
        return np.stack(each, axis=1)
    small, new = _shrunk(masks), _shrunk(new_masks)
    if len(np.unique(y)) < 2:
        return np.full(len(new), y[0])
    return LogisticRegression(max_iter=1000).fit(small, y).predict(new)


def _shrunk(masks: np.ndarray) -> np.ndarray:
    """Masks as pictures of 16 x 16 pixels, flat: (n, 256)."""
    rows, columns = (_mixing(side) for side in masks.shape[1:])
    return np.stack([(rows @ mask @ columns.T).ravel() for mask in masks])


def _mixing(side: int) -> np.ndarray:
    """The share of every pixel of a line in each of 16 parts of it, (16, side)."""
    edges = np.linspace(0, side, _OUTLINE + 1)
    pixels = np.arange(side)
    low = np.maximum(edges[:-1, None], pixels)
    high = np.minimum(edges[1:, None], pixels + 1)
    return np.clip(high - low, 0, None) * (_OUTLINE / side)


def bootstrap_means(
    values: np.ndarray, groups: Any, n_draws: int, random_state: int
) -> np.ndarray:
    """Means of columns (n, k) over images, and their 95 % intervals: (3, k).

    All columns see the same draws of images, so that the interval of a difference is paired.
    `groups` (n,) are drawn as wholes.  NaN does not count.
    """
    names = np.arange(len(values)) if groups is None else groups
    own = np.unique(names, return_inverse=True)[1]
    n_groups, present = int(own.max()) + 1, ~np.isnan(values)
    sums, counts = np.zeros((2, n_groups, values.shape[1]))
    np.add.at(sums, own, np.where(present, values, 0))
    np.add.at(counts, own, present)
    rng = np.random.default_rng(random_state)
    step = max(1, _BLOCK // n_groups)
    parts = []
    for start in range(0, n_draws, step):
        size = min(step, n_draws - start)
        weights = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size)
        with np.errstate(invalid="ignore"):
            parts.append(weights @ sums / (weights @ counts))
    found = np.full((3, values.shape[1]), np.nan)
    some = present.any(axis=0)
    found[0, some] = sums[:, some].sum(axis=0) / counts[:, some].sum(axis=0)
    found[1:, some] = np.nanpercentile(np.concatenate(parts)[:, some], (2.5, 97.5), axis=0)
    return found
