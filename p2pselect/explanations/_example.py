"""A made-up explanation, to try figures and reports without training anything."""

from __future__ import annotations

import numpy as np
from skimage.measure import label, regionprops
from skimage.segmentation import slic
from sklearn.utils import Bunch

from p2pselect.datasets import make_digit_scenes
from p2pselect.explanations._explanation import Explanation


def example_explanation(
    n_images: int = 6, image_size: int = 64, n_segments: int = 40, random_state: int = 0
) -> Bunch:
    """Make explanations of digit scenes as a good model might give them, without a model.

    Scores come from the known object masks plus noise, probabilities from how much of
    the object is visible; about one image in eight is made to be wrong.

    Parameters
    ----------
    n_images : int, default=6
        Number of images.
    image_size : int, default=64
        Side of the square images, in pixels.
    n_segments : int, default=40
        Approximate number of regions per image.
    random_state : int, default=0
        Seed of images and scores.

    Returns
    -------
    Bunch
        ``explanation`` : Explanation; ``y`` : ndarray of shape (n,), the true labels;
        ``object_masks`` : ndarray of shape (n, h, w), bool.

    Examples
    --------
    >>> example = example_explanation(n_images=2)
    >>> example.explanation.regions.shape
    (2, 64, 64)
    """
    rng = np.random.default_rng(random_state)
    scenes = make_digit_scenes(n_images, image_size, random_state=random_state)
    classes = scenes.target_names
    maps = np.stack([_regions(image, n_segments) for image in scenes.images])
    d = int(maps.max()) + 1
    path = np.round(np.arange(0.05, 1.001, 0.05), 2)
    threshold = 0.95
    rows = [
        _one(labels, mask, true, len(classes), d, path, rng)
        for labels, mask, true in zip(maps, scenes.masks, scenes.target, strict=True)
    ]
    logits, embeddings, counts, proba = (np.stack(column) for column in zip(*rows, strict=True))
    answered = proba.max(axis=2) >= threshold
    stop = np.where(answered.any(axis=1), answered.argmax(axis=1), len(path) - 1)
    # A real search knows nothing about what comes after its stop.
    proba[np.arange(len(path)) > stop[:, None]] = np.nan
    each = np.arange(n_images)
    kept = counts[each, stop]
    rank = np.argsort(np.argsort(-logits, axis=1, kind="stable"), axis=1)
    # Shift the scores so that exactly the kept regions have a probability above one half.
    ordered = np.take_along_axis(logits, np.argsort(-logits, axis=1, kind="stable"), axis=1)
    below = ordered[each, np.minimum(kept, d - 1)]
    last = ordered[each, kept - 1]
    # Where all regions are kept there is no score below, and any lower cut will do.
    cut = np.where(np.isfinite(below), (last + below) / 2, last - 1)
    exp = Explanation(
        images=scenes.images,
        regions=maps,
        region_masks=rank < kept[:, None],
        selection_logits=logits.astype(np.float32),
        selection_probs=(1 / (1 + np.exp(cut[:, None] - logits))).astype(np.float32),
        tau=path[stop],
        proba=proba[each, stop],
        classes=classes,
        answered=answered.any(axis=1),
        certainty_threshold=threshold,
        region_embeddings=embeddings.astype(np.float32),
        path_tau=path,
        path_counts=counts.astype(np.int32),
        path_proba=proba.astype(np.float32),
    )
    return Bunch(explanation=exp, y=classes[scenes.target], object_masks=scenes.masks)


def _regions(image: np.ndarray, n_segments: int) -> np.ndarray:
    """Connected superpixels with labels 0 .. d - 1."""
    found = slic(image, n_segments=n_segments, compactness=12, start_label=0)
    # -1 occurs nowhere: label 0 is a region like any other, not the background.
    return (label(found, background=-1, connectivity=1) - 1).astype(np.int32)


def _one(
    labels: np.ndarray,
    mask: np.ndarray,
    true: int,
    n_classes: int,
    d: int,
    path: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scores, embeddings, kept counts and class probabilities of one image."""
    own = labels.max() + 1
    area = np.bincount(labels.ravel(), minlength=own)
    overlap = np.bincount(labels.ravel(), weights=mask.ravel(), minlength=own) / area
    where = np.array([region.centroid for region in regionprops(labels + 1)]) / len(labels)
    # Like all padding: never ranked before a region that exists.
    logits = np.full(d, -np.inf)
    logits[:own] = 6 * overlap - 3 + rng.normal(0, 0.8, own)
    embedding = np.zeros((3, d))
    embedding[:, :own] = np.vstack([overlap - 0.3, *(0.8 * (where.T - 0.5))])
    order = np.argsort(-logits, kind="stable")[:own]
    covered = np.cumsum(area[order]) / area.sum()
    # The first region is kept even if it is larger than tau allows.
    counts = np.maximum(1, np.searchsorted(covered, path, side="right"))
    visible = np.cumsum((overlap * area)[order])[counts - 1] / max(1, mask.sum())
    wrong = rng.random() < 0.125
    rival = (true + 1 + rng.integers(n_classes - 1)) % n_classes
    scores = rng.normal(0, 0.4, n_classes) + np.zeros((len(path), n_classes))
    evidence = (11 + rng.normal()) * visible
    scores[:, true] += evidence * (0.5 if wrong else 1)
    scores[:, rival] += evidence * (0.8 if wrong else 0.4)
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return logits, embedding, counts, odds / odds.sum(axis=1, keepdims=True)
