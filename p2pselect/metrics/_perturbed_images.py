"""What a classifier says when the most important part of an image is added or removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b

import numpy as np

from p2pselect._docstrings import shared_docs
from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect._fill import filled_arrays
from p2pselect.exceptions import InputError, brief

PredictProba = Callable[[np.ndarray], np.ndarray]
Grid = np.ndarray | tuple[float, ...]

PAPER_GRID = (
    0.0, 0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8,
    0.9, 0.99, 1.0,
)  # fmt: skip
"""Shares of the image's pixels at which the paper evaluates its fidelity curves."""

_BLOCK_BYTES = 2**25


@shared_docs
class CachedPredictProba:
    """Class probabilities of masked images, computed once per distinct image.

    Curves have most of their masked images in common: the black one with every image, the
    complete selection with each other.  Pass one such object to several of them.

    Parameters
    ----------
    %(predict_proba)s
    batch_size : int, default=256
        Largest number of images per call.

    Attributes
    ----------
    n_images : int
        Number of images that `predict_proba` has been given so far.

    Examples
    --------
    >>> import numpy as np
    >>> classifier = CachedPredictProba(lambda x: x.reshape(len(x), -1)[:, :2] / 255)
    >>> black = np.zeros((3, 2, 2, 1), dtype=np.uint8)
    >>> classifier(black).shape, classifier.n_images
    ((3, 2), 1)
    """

    def __init__(self, predict_proba: PredictProba, batch_size: int = 256) -> None:
        self.predict_proba = predict_proba
        self.batch_size = batch_size
        self.n_images = 0
        self._cache: dict[bytes, np.ndarray] = {}

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities (b, n_classes) of images (b, h, w, c)."""
        # Digests stand for the images, which would take too much memory.
        keys = [blake2b(np.ascontiguousarray(x).data, digest_size=16).digest() for x in images]
        # A dictionary, so that equal images of one call are predicted once as well.
        new = list({k: i for i, k in enumerate(keys) if k not in self._cache}.values())
        for start in range(0, len(new), self.batch_size):
            chosen = new[start : start + self.batch_size]
            proba = np.asarray(self.predict_proba(images[chosen]))
            if proba.ndim != 2 or len(proba) != len(chosen):
                raise InputError(
                    "predict_proba must return one row of class probabilities per image, "
                    f"({len(chosen)}, n_classes), got {proba.shape}"
                )
            self._cache.update(zip((keys[i] for i in chosen), proba, strict=True))
        self.n_images += len(new)
        return np.stack([self._cache[key] for key in keys])


def cached(predict_proba: PredictProba) -> CachedPredictProba:
    """A classifier with a cache: itself, if it has one already."""
    if isinstance(predict_proba, CachedPredictProba):
        return predict_proba
    return CachedPredictProba(predict_proba)


def blocks(explanation: ExplanationArrays) -> Iterator[ExplanationArrays]:
    """Parts of an explanation whose masked images take about 32 MB each."""
    if not len(explanation):
        raise InputError("the explanation has no images")
    # 4 bytes a value: behind a continuous mask, even uint8 images become float32.
    per_image = explanation.images[0].size * 4
    step = max(1, _BLOCK_BYTES // per_image)
    for start in range(0, len(explanation), step):
        yield explanation[start : start + step]


def check_grid(grid: Grid) -> np.ndarray:
    fractions = np.asarray(grid, dtype=float)
    increasing = fractions.ndim == 1 and len(fractions) > 1 and (np.diff(fractions) > 0).all()
    if not increasing or fractions[0] < 0 or fractions[-1] > 1:
        raise InputError(
            f"grid must be at least two increasing fractions in [0, 1], got {brief(grid)}"
        )
    return fractions


def region_order(explanation: ExplanationArrays, random_state: int = 0) -> np.ndarray:
    """Regions from most to least important, int array of shape (n, d).

    This is the model's own ``ranking``.  Where every pixel is its own region, ties are common
    (saturated or clipped maps), and the ranking would break them by position: there a random
    permutation does.
    """
    if explanation.region_areas.max() > 1:
        return explanation.ranking
    d = explanation.region_masks.shape[1]
    permutation = np.random.default_rng(random_state).permutation(d)
    scores = explanation.selection_logits[:, permutation]
    return permutation[np.argsort(-scores, axis=1, kind="stable")]


def count_regions(
    explanation: ExplanationArrays,
    order: np.ndarray,
    fractions: np.ndarray,
    protocol: str,
    insert: bool,
) -> np.ndarray:
    """How many of the first regions of `order` to add or remove, int array (n, t)."""
    areas = np.take_along_axis(explanation.region_areas, order, axis=1)
    n_pixels = explanation.n_pixels[:, None]
    if protocol == "exact":
        # Rounded, so that a fraction that is a whole number of pixels is just that.
        allowed = np.floor(np.round(fractions * n_pixels, 6))
        if areas.max() <= 1:
            # Single pixels can meet any count, so theirs is the nearest one.
            allowed = np.round(fractions * n_pixels)
        covered = np.cumsum(areas, axis=1)
        pairs = zip(covered, allowed, strict=True)
        return np.stack([np.searchsorted(row, most, side="right") for row, most in pairs])
    # The released code adds strictly less than t, but removes at least t, in single precision.
    shares = (areas / n_pixels).astype(np.float32)
    covered = np.cumsum(shares, axis=1, dtype=np.float32)
    below = np.stack([(row[:, None] < fractions.astype(np.float32)).sum(0) for row in covered])
    d = order.shape[1]
    if insert:
        return np.where(fractions == 1, d, below)
    return np.where(fractions == 0, 0, np.minimum(below + 1, d))


def predict_counts(
    part: ExplanationArrays,
    masks: np.ndarray,
    position: np.ndarray,
    counts: np.ndarray,
    keep_first: bool,
    classifier: CachedPredictProba,
) -> np.ndarray:
    """Class probabilities (b, t, n_classes) with the first pixels of masks shown, or removed.

    `masks` (b, h, w) say what there is to show, as ``part.shown`` does.  `position` is the
    place of every pixel in the order of importance, int (b, h, w), which the pixels of a region
    share; `counts` is how many places to show or remove, int (b, t).
    """
    # Neighboring points of a curve often show equally many regions: predict those once.
    distinct = [np.unique(row, return_inverse=True) for row in counts]
    owner = np.repeat(np.arange(len(masks)), [len(values) for values, _ in distinct])
    count = np.concatenate([values for values, _ in distinct])
    parts = []
    step = max(1, _BLOCK_BYTES // max(1, part.images[0].nbytes))
    for start in range(0, len(owner), step):
        i, k = owner[start : start + step], count[start : start + step, None, None]
        shown = position[i] < k if keep_first else position[i] >= k
        parts.append(classifier(filled_arrays(part.images[i], masks[i] * shown, part.fill)))
    proba = np.concatenate(parts)
    first = np.cumsum([0, *(len(values) for values, _ in distinct[:-1])])
    return np.stack([proba[f + index] for f, (_, index) in zip(first, distinct, strict=True)])
