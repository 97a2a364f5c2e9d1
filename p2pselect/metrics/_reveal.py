"""Show images to a classifier with more or fewer of their regions visible, each only once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b

import numpy as np

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.exceptions import InputError

PredictProba = Callable[[np.ndarray], np.ndarray]

_BLOCK_BYTES = 2**25


class RememberingClassifier:
    """Class probabilities of masked images, computed once per distinct image.

    Curves share most of their masked images: the black one with every image, the complete
    selection with each other.

    Parameters
    ----------
    predict_proba : callable
        Masked images (b, h, w, c) -> class probabilities (b, n_classes), for example
        ``estimator.predict_proba_masked``.
    batch_size : int, default=256
        Largest number of images per call.

    Attributes
    ----------
    n_images : int
        Number of images that `predict_proba` was given so far.

    Examples
    --------
    >>> import numpy as np
    >>> classifier = RememberingClassifier(lambda x: x.reshape(len(x), -1)[:, :2] / 255)
    >>> black = np.zeros((3, 2, 2, 1), dtype=np.uint8)
    >>> classifier(black).shape, classifier.n_images
    ((3, 2), 1)
    """

    def __init__(self, predict_proba: PredictProba, batch_size: int = 256) -> None:
        self.predict_proba = predict_proba
        self.batch_size = batch_size
        self.n_images = 0
        self._known: dict[bytes, np.ndarray] = {}

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities of images (b, h, w, c) -> (b, n_classes)."""
        keys = [blake2b(np.ascontiguousarray(x).data, digest_size=16).digest() for x in images]
        new = list({k: i for i, k in enumerate(keys) if k not in self._known}.values())
        for start in range(0, len(new), self.batch_size):
            chosen = new[start : start + self.batch_size]
            proba = np.asarray(self.predict_proba(images[chosen]))
            if proba.ndim != 2 or len(proba) != len(chosen):
                raise InputError(
                    "predict_proba must return one row of class probabilities per image, "
                    f"({len(chosen)}, n_classes), got {proba.shape}"
                )
            self._known.update(zip((keys[i] for i in chosen), proba, strict=True))
        self.n_images += len(new)
        return np.stack([self._known[key] for key in keys])


def remembering(predict_proba: PredictProba) -> RememberingClassifier:
    """Wrap a classifier, unless it remembers already."""
    if isinstance(predict_proba, RememberingClassifier):
        return predict_proba
    return RememberingClassifier(predict_proba)


def predict_labels(classifier: RememberingClassifier, images: np.ndarray) -> np.ndarray:
    """Column of the most probable class of every image, int array of shape (b,)."""
    return classifier(images).argmax(axis=1)


def blocks(exp: ExplanationArrays) -> Iterator[ExplanationArrays]:
    """Walk through an explanation in parts whose masked images take about 32 MB."""
    if not len(exp):
        raise InputError("the explanation has no images")
    per_image = exp.images[0].size * 4
    step = max(1, _BLOCK_BYTES // per_image)
    for start in range(0, len(exp), step):
        yield exp[start : start + step]


def predict_counts(
    images: np.ndarray,
    position: np.ndarray,
    counts: np.ndarray,
    keep_first: bool,
    classifier: RememberingClassifier,
) -> np.ndarray:
    """Class probabilities with the first pixels shown, or with the first removed.

    Parameters
    ----------
    images : ndarray of shape (b, h, w, c)
    position : ndarray of shape (b, h, w), int
        Place of every pixel in the order of importance, 0 first; the pixels of one region
        share a place.
    counts : ndarray of shape (b, t), int
        How many places to show or remove; equal neighbours are evaluated once.
    keep_first : bool
        Show the first places of a black image, or blacken the first places of the image.
    classifier : RememberingClassifier

    Returns
    -------
    ndarray of shape (b, t, n_classes)
    """
    distinct = [np.unique(row, return_inverse=True) for row in counts]
    owner = np.repeat(np.arange(len(images)), [len(values) for values, _ in distinct])
    count = np.concatenate([values for values, _ in distinct])
    parts = []
    step = max(1, _BLOCK_BYTES // max(1, images[0].nbytes))
    for start in range(0, len(owner), step):
        i, k = owner[start : start + step], count[start : start + step, None, None]
        shown = position[i] < k if keep_first else position[i] >= k
        parts.append(classifier(images[i] * shown[..., None].astype(images.dtype)))
    proba = np.concatenate(parts)
    first = np.cumsum([0, *(len(values) for values, _ in distinct[:-1])])
    return np.stack(
        [proba[f + index.ravel()] for f, (_, index) in zip(first, distinct, strict=True)]
    )
