"""Localization scores of one image by loops over pixels, as the definitions read."""

import math

import numpy as np


def pixels(mask):
    return {(r, c) for r, row in enumerate(mask) for c, value in enumerate(row) if value}


def precision(kept, objects, valid=None):
    kept, objects = _restricted(kept, objects, valid)
    if not kept or not objects:
        return math.nan
    return len(kept & objects) / len(kept)


def iou(kept, objects, valid=None):
    kept, objects = _restricted(kept, objects, valid)
    return len(kept & objects) / len(kept | objects) if kept | objects else math.nan


def recall(kept, objects, valid=None):
    kept, objects = _restricted(kept, objects, valid)
    return len(kept & objects) / len(objects) if objects else math.nan


def pointing(heat, objects, valid=None):
    allowed, objects = _restricted(np.ones_like(objects), objects, valid)
    if not objects:
        return math.nan
    top = max(heat[p] for p in allowed)
    tied = {p for p in allowed if heat[p] == top}
    return len(tied & objects) / len(tied)


def average_precision(heats, objects, valids):
    """Sum over thresholds of precision times the gain in recall, pooled over images."""
    pairs = [
        (heat[p], p in pixels(mask))
        for heat, mask, valid in zip(heats, objects, valids, strict=True)
        for p in pixels(valid)
    ]
    positives = sum(hit for _, hit in pairs)
    area, recall_before = 0.0, 0.0
    for threshold in sorted({value for value, _ in pairs}, reverse=True):
        above = [hit for value, hit in pairs if value >= threshold]
        recall_here = sum(above) / positives
        area += (recall_here - recall_before) * sum(above) / len(above)
        recall_before = recall_here
    return area


def center_disc(area, objects):
    """Precision of a centered disc: the rim, at one distance, counts by the pixel it lacks."""
    h, w = objects.shape
    if not area or not objects.any():
        return math.nan
    by_distance = {}
    for r in range(h):
        for c in range(w):
            distance = (r - (h - 1) / 2) ** 2 + (c - (w - 1) / 2) ** 2
            by_distance.setdefault(distance, []).append(objects[r, c])
    left, hits = area, 0.0
    for distance in sorted(by_distance):
        ring = by_distance[distance]
        taken = min(left, len(ring))
        hits += taken * sum(ring) / len(ring)
        left -= taken
    return hits / area


def _restricted(kept, objects, valid):
    allowed = pixels(np.ones_like(objects) if valid is None else valid)
    return pixels(kept) & allowed, pixels(objects) & allowed
