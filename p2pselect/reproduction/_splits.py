"""The images of a cell: the same ones for every method of a data set and seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from p2pselect.images import ImageSequence, as_images


@dataclass(frozen=True)
class Split:
    """Images of one split in random order.

    Parameters
    ----------
    images : ImageSequence
    target : ndarray of shape (n,)
    masks : sequence of n object masks, or None
    rows : ndarray of shape (n,)
        Where they stand in the data set.
    """

    images: ImageSequence
    target: np.ndarray
    masks: Any
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def object_masks(self, rows: slice) -> list[np.ndarray] | None:
        """Object masks of some of the images, None where there are none."""
        if self.masks is None:
            return None
        return [np.asarray(self.masks[int(row)]) for row in self.rows[rows]]


# A worker runs the cells of one data set and seed one after the other.
@lru_cache(maxsize=4)
def load_split(
    dataset: Any, root: Path | None, split: str, n_images: int | None, seed: int
) -> Split:
    """Load a random part of a split.

    Parameters
    ----------
    dataset : Dataset
        With ``load(root, split, random_state)``.
    root : Path or None
    split : {"train", "test"}
    n_images : int or None
        All images where None, or where there are fewer.
    seed : int

    Returns
    -------
    Split
    """
    loaded = dataset.load(root, split, seed)
    target = np.asarray(loaded.target)
    rows = np.random.default_rng([seed, split == "test"]).permutation(len(target))[:n_images]
    images = as_images(loaded.images)[rows]
    return Split(images, target[rows], getattr(loaded, "masks", None), rows)
