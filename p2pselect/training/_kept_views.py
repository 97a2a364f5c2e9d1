"""Views of images that come again, kept while training goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

#: Bytes of views that a training holds in memory.
VIEW_MEMORY = 2**28
Seen = tuple[np.ndarray, np.ndarray]


class KeptViews:
    """Images and label maps by place; those beyond ``limit`` bytes are made each time."""

    def __init__(self, limit: int = VIEW_MEMORY):
        self.limit = limit
        self.n_bytes = 0
        self._views: dict[tuple[int, int], Seen] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        # Worker processes make their own.
        return type(self), (self.limit,)

    def batch(
        self, places: Sequence[tuple[int, int]], make: Callable[[list[int]], Seen]
    ) -> Seen:
        """Images (b, h, w, c) and label maps (b, h, w) of a batch.

        ``make`` gives those at some positions of the batch.
        """
        missing = [i for i, place in enumerate(places) if place not in self._views]
        made: dict[int, Seen] = {}
        if missing:
            pairs = zip(*make(missing), strict=True)
            made = {i: (seen, labels) for i, (seen, labels) in zip(missing, pairs, strict=True)}
        views = [made.get(i) or self._views[place] for i, place in enumerate(places)]
        for i, (image, labels) in made.items():
            view = image, _small(labels)
            size = sum(array.nbytes for array in view)
            if self.n_bytes + size <= self.limit:
                self._views[places[i]] = view
                self.n_bytes += size
        images, maps = zip(*views, strict=True)
        return np.stack(in_one_range(images)), np.stack(maps)


def in_one_range(images: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    """The same images, all in [0, 1] if some of them are."""
    if len({image.dtype for image in images}) == 1:
        return images
    return [i / np.float32(255) if i.dtype == np.uint8 else i for i in images]


def _small(labels: np.ndarray) -> np.ndarray:
    low, high = int(labels.min()), int(labels.max())
    return labels.astype(np.promote_types(np.min_scalar_type(low), np.min_scalar_type(high)))
