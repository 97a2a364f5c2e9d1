"""Training images as a torch data set that hands out whole batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from p2pselect.images import ImageSequence
from p2pselect.processes import Processes
from p2pselect.training.augmentation import (
    PAPER_VIEWS,
    Augmentation,
    paper_view,
    resolve_augmentation,
)
from p2pselect.training.whole_batch import WholeBatchDraws

Batch = tuple[dict[str, Tensor], Tensor]
#: Label maps that fit into this many bytes are computed once, before training.
REGION_MEMORY = 2**26
#: Images that stand for a set of them, and their side in pixels.
_N_LOOKED_AT, _SMALL = 8, 16


class TrainingData(Dataset):
    """Images, regions and targets; augmentation is seeded by epoch and row.

    Parameters
    ----------
    images : ImageSequence
    target : ndarray of shape (n,), int64
    propose : callable
        Maps images (b, h, w, 3) to label maps (b, h, w).
    image_size : int
        Side of the model's grid in pixels.
    regions : ndarray of shape (n, h, w), optional
        Label maps that were given or computed before; otherwise proposed batch by batch.
    augment : str, callable or None
    weight : ndarray of shape (n,), float32
        Weight of every image in the loss.
    seed : int
    """

    def __init__(
        self,
        images: ImageSequence,
        target: np.ndarray,
        propose: Callable[[np.ndarray], np.ndarray],
        image_size: int,
        regions: np.ndarray | None,
        augment: str | Augmentation | None,
        weight: np.ndarray,
        seed: int,
    ):
        self.images = images
        self.target = target
        self.propose = propose
        self.image_size = image_size
        self.regions = regions
        self.augmentation = augment
        self.augment = resolve_augmentation(augment)
        self.weight = weight
        self.seed = seed
        self.epoch = 0
        self.processes = Processes()

    def __len__(self) -> int:
        return len(self.images)

    def subset(self, rows: np.ndarray, augment: str | Augmentation | None) -> TrainingData:
        """The data of some rows, under another augmentation."""
        return TrainingData(
            self.images[rows],
            self.target[rows],
            self.propose,
            self.image_size,
            None if self.regions is None else self.regions[rows],
            augment,
            self.weight[rows],
            self.seed,
        )

    def __getitem__(self, row: int) -> Batch:
        return self.__getitems__([row])

    def __getitems__(self, rows: list[int]) -> Batch:
        """This process's part of a batch; the first row where there are too few for all."""
        own = self.processes.part(len(rows))
        return self.batch(rows, own if own.stop > own.start else slice(0, 1))

    def batch(self, rows: list[int], own: slice | None = None) -> Batch:
        """Images, regions and targets of a batch, or of its part ``own``."""
        index = np.asarray(rows)
        rng: Any = np.random.default_rng([self.seed, self.epoch, len(index), int(index[0])])
        n = len(index)
        if own is not None and own != slice(0, n):
            rng, index = WholeBatchDraws(rng, n, own), index[own]
        given = None if self.regions is None else self.regions[index]
        if isinstance(self.augmentation, str) and self.augmentation in PAPER_VIEWS:
            images, regions = self._paper_views(self.augmentation, index, given, rng)
        else:
            images = self.images.batch(index, self.image_size)
            regions = self.propose(images) if given is None else given
            if self.augment is not None:
                images, regions = self.augment(images, regions, rng)
        inputs = {
            "images": torch.from_numpy(np.ascontiguousarray(images)),
            "regions": torch.from_numpy(regions.astype(np.int64)),
            "weight": torch.from_numpy(self.weight[index]),
            "index": torch.from_numpy(index),
            "batch_size": torch.full((len(index),), n),
        }
        return inputs, torch.from_numpy(self.target[index])

    def _paper_views(
        self,
        name: str,
        index: np.ndarray,
        given: np.ndarray | None,
        rng: Any,
    ) -> tuple[np.ndarray, np.ndarray]:
        views: list[np.ndarray] = []
        regions: list[Any] = []
        # The number of draws differs: every image has a generator of its own.
        generators = rng.spawn(len(index))
        for position, row in enumerate(index):
            image = self.images.batch(np.array([row]))[0]
            if image.dtype != np.uint8:  # colour jitter works on 8 bits
                image = np.round(image * 255).astype(np.uint8)
            own = None if given is None else given[position]
            view, labels = paper_view(name, image, own, self.image_size, generators[position])
            views.append(view)
            regions.append(labels)
        stacked = np.stack(views)
        return stacked, self.propose(stacked) if given is None else np.stack(regions)


def as_float_images(images: Tensor, device: torch.device) -> Tensor:
    """Images (n, h, w, 3), uint8 or float, -> (n, 3, h, w) float32 in [0, 1] on ``device``."""
    moved = images.to(device, non_blocking=True).permute(0, 3, 1, 2)
    return moved.float().div_(255) if moved.dtype == torch.uint8 else moved.float()


def identity(batch: Any) -> Any:
    """Collate function for data that come as batches already."""
    return batch


def fingerprint(images: ImageSequence, regions: np.ndarray | None) -> tuple[Any, ...]:
    """What tells one set of images from another: its size, and some of its images."""
    rows = np.unique(np.linspace(0, len(images) - 1, _N_LOOKED_AT).astype(int))
    some = images[rows]
    seen = some.batch(slice(None), _SMALL) if some.files is None else some.files.tolist()
    return len(images), seen, None if regions is None else regions[rows]
