"""Training images in memory or files, and their random views."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from p2pselect.distributed import Group
from p2pselect.exceptions import InputError, brief
from p2pselect.images import ImageSequence
from p2pselect.images._geometry import NO_REGION, Grid, without_padding
from p2pselect.training._augmentation import (
    PAPER_VIEWS,
    Augmentation,
    paper_view,
    resolve_augmentation,
)
from p2pselect.training._evidence import EvidenceMaps, joined, separated
from p2pselect.training._kept_views import KeptViews, in_one_range
from p2pselect.training._shares import Batch, own_rows

#: Label maps that fit into this many bytes are computed once, before training.
REGION_MEMORY = 2**26
#: Views of an image where what frozen networks say of them is kept.
N_VIEWS = 4
#: Images that stand for a set of them, their side in pixels; and the rows looked at.
_N_LOOKED_AT, _SMALL, _N_ROWS = 8, 16, 64


class Views:
    """What training sees of images: their regions, at the model's size, in random views.

    ``propose`` maps images (b, h, w, c) and their contents to label maps (b, h, w).  With
    ``n_views`` every image has that many views, which take turns; without it, it is seen in a
    new one each time.
    """

    def __init__(
        self,
        propose: Callable[[np.ndarray, np.ndarray | None], np.ndarray],
        grid: Grid,
        augment: str | Augmentation | None,
        n_views: int | None = None,
    ):
        self.propose = propose
        self.grid = grid
        self.augment = augment
        self.n_views = n_views
        self._resolved = resolve_augmentation(augment)

    @property
    def need_originals(self) -> bool:
        """Whether views are cut from the original images, so that regions differ each time."""
        # A callable need not be hashable.
        return isinstance(self.augment, str) and self.augment in PAPER_VIEWS

    @property
    def come_again(self) -> bool:
        """Whether later epochs see the views of earlier ones."""
        return self.n_views is not None or self.augment is None

    def unchanged(self) -> Views:
        """The same without augmentation."""
        return Views(self.propose, self.grid, None, self.n_views and 1)

    def __call__(
        self,
        images: ImageSequence,
        regions: np.ndarray | None,
        seed: int,
        epoch: int,
        rows: np.ndarray,
        masks: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Images (b, h, w, c) and label maps (b, h, w), proposed where none are given.

        With ``masks`` (b, h, w), which say what is known about the evidence, the label maps are
        joined with them.

        The view of an image depends on the seed, the epoch and its row, and not on the images
        beside it; one of ``n_views`` on its number and the image alone, so that it is the same
        in every fold and in other trainings.
        """
        places = [(seed, epoch, int(row)) for row in rows]
        if self.need_originals:
            return self._paper_views(str(self.augment), images, regions, places, masks)
        pixels, sizes = images._on_grid(slice(None), self.grid)
        labels = regions
        if labels is None:
            labels = self.propose(pixels, self.grid.contents(sizes))
        if masks is not None:
            labels = joined(labels, masks)
        if self._resolved is None:
            return without_padding(pixels, labels), labels
        views = [
            self._resolved(pixels[i : i + 1], labels[i : i + 1], self._random(pixels[i], place))
            for i, place in enumerate(places)
        ]
        seen, moved = zip(*views, strict=True)
        if masks is not None and callable(self.augment):
            self._check_moved(labels, moved)
        # Whatever was done to the image, its padding is black.
        regions = np.concatenate(moved)
        return without_padding(np.concatenate(in_one_range(seen)), regions), regions

    def _check_moved(self, labels: np.ndarray, moved: Sequence[np.ndarray]) -> None:
        """Refuse an ``augment`` of the user that masks cannot follow."""
        for before, after in zip(labels, moved, strict=True):
            if not np.isin(after, np.append(before, NO_REGION)).all():
                raise InputError(
                    f"augment={brief(self.augment)} returns regions of its own, which masks "
                    "cannot follow: it must move the labels that it is given"
                )

    def _random(self, image: np.ndarray, place: tuple[int, int, int]) -> np.random.Generator:
        """The random numbers that make a view of an image (h, w, c)."""
        if self.n_views is None:
            return np.random.default_rng(place)
        digest = hashlib.sha256(np.ascontiguousarray(image).data).digest()
        number = place[1] % self.n_views
        return np.random.default_rng([number, *np.frombuffer(digest, np.uint32)])

    def _paper_views(
        self,
        name: str,
        images: ImageSequence,
        given: np.ndarray | None,
        places: list[tuple[int, int, int]],
        masks: np.ndarray | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        is_proposed = given is None
        if masks is not None:
            given = masks.astype(np.int32) if given is None else joined(given, masks)
        views: list[np.ndarray] = []
        regions: list[Any] = []
        for position, place in enumerate(places):
            image = images.batch(np.array([position]))[0]
            if image.dtype != np.uint8:  # color jitter works on 8 bits
                image = np.round(image * 255).astype(np.uint8)
            own = None if given is None else given[position]
            random = self._random(image, place)
            view, labels = paper_view(name, image, own, self.grid, random)
            views.append(view)
            regions.append(labels)
        stacked = np.stack(views)
        if not is_proposed:
            return stacked, np.stack(regions)
        proposed = self.propose(stacked, None)
        return stacked, proposed if masks is None else joined(proposed, np.stack(regions))


def as_batch(
    images: np.ndarray,
    regions: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray,
    index: np.ndarray,
    size: int,
    masks: np.ndarray | None = None,
) -> Batch:
    """What the net takes: a part of a batch of ``size`` images."""
    inputs = {
        "images": torch.from_numpy(np.ascontiguousarray(images)),
        "regions": torch.from_numpy(regions.astype(np.int64)),
        "weight": torch.from_numpy(weight),
        "index": torch.from_numpy(index),
        "batch_size": torch.full((len(index),), size),
    }
    if masks is not None:
        inputs["masks"] = torch.from_numpy(masks)
    return inputs, torch.from_numpy(target)


class TrainingData(Dataset):
    """Images, regions, targets and weights that are handed out as whole batches.

    Without ``regions`` (n, h, w), they are proposed batch by batch.  Targets are class numbers
    (n,), or 0 and 1 for every label (n, n_labels); weights are those of the images (n,).
    ``masks`` are what is known about the evidence in some of the images.
    """

    def __init__(
        self,
        images: ImageSequence,
        target: np.ndarray,
        views: Views,
        regions: np.ndarray | None,
        weight: np.ndarray,
        seed: int,
        masks: EvidenceMaps | None = None,
    ):
        self.images = images
        self.target = target
        self.views = views
        self.regions = regions
        self.weight = weight
        self.seed = seed
        self.masks = masks
        self.epoch = 0
        #: Number of the first image; objectives know images by their numbers.
        self.first = 0
        self.group = Group()
        #: A worker process would forget them at the end of the epoch.
        self.kept = KeptViews()

    def __len__(self) -> int:
        return len(self.images)

    def class_weights(self) -> np.ndarray:
        """Sum of the weights of the images of every class, or of those with every label."""
        if self.target.ndim == 2:
            return np.asarray(self.weight @ self.target)
        return np.bincount(self.target, weights=self.weight)

    def total_weight(self) -> float:
        """Sum of the weights of all images."""
        return float(self.weight.sum())

    def n_batches(self, size: int) -> int:
        """Batches of an epoch; a last one of a single image is left out (see one_left)."""
        return -(-(len(self) - self.one_left(size)) // size)

    def one_left(self, size: int) -> bool:
        """Whether the last of several batches has a single image, without batch statistics.

        It is left out, which is another image in every epoch.
        """
        return len(self) > size and len(self) % size == 1

    def loading(self, size: int) -> dict[str, Any]:
        """How to set up a ``DataLoader`` for batches of this size."""
        return {"batch_size": size, "shuffle": True, "drop_last": self.one_left(size)}

    def content(self) -> tuple[Any, ...]:
        """What tells these data from others, for the name of a checkpoint."""
        rows = np.unique(np.linspace(0, len(self) - 1, _N_ROWS).astype(int))
        files = self.images.files
        grid = self.views.grid
        seen = self.images._on_grid(rows, grid)[0] if files is None else np.asarray(files)
        regions = None if self.regions is None else self.regions[rows]
        return self.target, self.weight, seen, regions, *self._said()

    def brief(self) -> tuple[Any, ...]:
        """Less than that, to be compared between processes."""
        own = fingerprint(self.images, self.regions)
        return own, self.target, self.weight, *self._said()

    def _said(self) -> tuple[Any, ...]:
        return () if self.masks is None else (self.masks.places, self.masks.maps)

    def __getitem__(self, row: int) -> Batch:
        return self.__getitems__([row])

    def __getitems__(self, rows: list[int]) -> Batch:
        """This process's part of a batch."""
        return self.batch(rows, own_rows(self.group, len(rows)))

    def batch(self, rows: list[int], own: slice | None = None) -> Batch:
        """Images, regions and targets of a batch, or of its part ``own``."""
        index = np.asarray(rows)[own or slice(None)]

        def make(positions: Any) -> tuple[np.ndarray, np.ndarray]:
            some = index[positions]
            given = None if self.regions is None else self.regions[some]
            said = None if self.masks is None else self.masks.batch(some)
            return self.views(self.images[some], given, self.seed, self.epoch, some, said)

        if self.views.n_views is None or get_worker_info() is not None:
            images, regions = make(slice(None))
        else:
            number = self.epoch % self.views.n_views
            images, regions = self.kept.batch([(int(row), number) for row in index], make)
        masks = None
        if self.masks is not None:
            regions, masks = separated(regions)
        target, weight, numbers = self.target[index], self.weight[index], index + self.first
        return as_batch(images, regions, target, weight, numbers, len(rows), masks)


def as_float_images(images: Tensor) -> Tensor:
    """Images (n, h, w, c), uint8 or float, -> (n, c, h, w) float32 in [0, 1]."""
    planes = images.permute(0, 3, 1, 2)
    return planes.float().div_(255) if planes.dtype == torch.uint8 else planes.float()


def identity(batch: Any) -> Any:
    """Collate function for data that come as batches already."""
    return batch


def fingerprint(images: ImageSequence, regions: np.ndarray | None) -> tuple[Any, ...]:
    """Number of images and a look at some of them, which tells one set from another."""
    rows = np.unique(np.linspace(0, len(images) - 1, _N_LOOKED_AT).astype(int))
    some = images[rows]
    seen = some.batch(slice(None), _SMALL) if some.files is None else some.files.tolist()
    return len(images), seen, None if regions is None else regions[rows]
