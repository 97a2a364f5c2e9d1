"""The images of a trial: the same for every method on a data set with a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from p2pselect.images import ImageSequence, as_images


@dataclass(frozen=True)
class Split:
    """Images of one split in random order, and the rows of the data set they come from."""

    images: ImageSequence
    target: np.ndarray
    masks: Any  # sequence of all object masks of the data set, or None
    rows: np.ndarray
    #: Masks of other things in the same images, by their names.
    other_masks: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    def object_masks(self, rows: slice) -> list[np.ndarray] | None:
        """The object masks of some of the images, or None if the data set has none."""
        return None if self.masks is None else self._read(self.masks, rows)

    def other_object_masks(self, rows: slice) -> dict[str, list[np.ndarray]]:
        """The masks of other things in some of the images."""
        return {name: self._read(masks, rows) for name, masks in self.other_masks.items()}

    def _read(self, masks: Any, rows: slice) -> list[np.ndarray]:
        return [np.asarray(masks[int(row)]) for row in self.rows[rows]]


# A worker runs the trials of one data set and seed one after the other.
@lru_cache(maxsize=4)
def load_split(
    dataset: Any, root: Path | None, split: str, n_images: int | None, seed: int
) -> Split:
    """Load at most ``n_images`` random images of the "train" or "test" split of a Dataset."""
    loaded = dataset.load(root, split, seed)
    target = np.asarray(loaded.target)
    rows = np.random.default_rng([seed, split == "test"]).permutation(len(target))[:n_images]
    images = as_images(loaded.images)[rows]
    masks, others = getattr(loaded, "masks", None), getattr(loaded, "other_masks", {})
    return Split(images, target[rows], masks, rows, others)
