"""Training images that come one after the other: an ``IterableDataset``, such as tar shards.

The stream decides on its order.  If it has a method ``set_epoch(epoch)``, that is called before
every epoch, so that the order can change; with ``num_workers``, each worker has a copy, and the
copies have to divide the images by ``torch.utils.data.get_worker_info``.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from itertools import islice
from time import monotonic
from typing import Any
from zlib import crc32

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from p2pselect._answer_kinds import ONE_CLASS
from p2pselect._labels import read_labels
from p2pselect._targets import check_targets, count_targets, encode_targets, kind_of
from p2pselect.distributed import Group
from p2pselect.exceptions import InputError, P2PSelectError, P2PSelectWarning, brief
from p2pselect.images import ImageSequence, as_images
from p2pselect.images._meaning import ValueRange
from p2pselect.training._data import Views, as_batch, identity
from p2pselect.training._shares import Batch, own_rows

#: Seconds after which a stream that has not ended is mentioned.
_PATIENCE = 60.0
#: What messages call the labels.
_LABELS = "the stream's labels"


class StreamItems(IterableDataset):
    """The pairs (image, label) of a stream, checked."""

    def __init__(self, stream: Any, meaning: dict[str, Any]):
        self.stream = stream
        self.meaning = {k: v for k, v in meaning.items() if k != "image_shape"}

    def _items(self) -> Iterator[Any]:
        items, number = iter(self.stream), 0
        while True:
            try:
                item = next(items)
            except StopIteration:
                return
            except Exception as error:
                error.add_note(f"raised by the stream for its item {number}")
                raise
            yield item
            number += 1

    def pairs(self) -> Iterator[tuple[ImageSequence, Any]]:
        """One image each, and its label."""
        for number, item in enumerate(self._items()):
            if not isinstance(item, (tuple, list)) or len(item) != 2:
                kind = type(item).__name__
                length = f" of length {len(item)}" if isinstance(item, (tuple, list)) else ""
                raise InputError(
                    f"item {number} of the stream is a {kind}{length}; expected (image, label)"
                )
            try:
                yield as_images([item[0]], **self.meaning), _plain(item[1])
            except P2PSelectError as error:
                raise type(error)(f"item {number} of the stream: {error}") from error

    def __iter__(self) -> Iterator[tuple[Any, tuple[Any, ...], tuple[int, ...], int | None]]:
        for number, (image, label) in enumerate(self.pairs()):
            pixels = image[0]
            digest = None if number else crc32(pixels.tobytes())
            kind = (image.stored_channels, image.value_range)
            yield label, kind, pixels.shape[:2], digest


class StreamContents:
    """What one pass over a stream tells: how many images there are, and their labels."""

    #: Channels of the images; None where they are decoded when read.
    stored_channels: int | None
    #: Channels that networks see.
    seen_channels: int
    #: What became [0, 1], where that is not the usual.
    value_range: ValueRange | None
    #: Height and width where all images share them.
    image_shape: tuple[int, ...] | None

    def __init__(self, stream: Any, meaning: dict[str, Any], num_workers: int):
        if meaning.get("value_range") == "percentiles":
            raise InputError(
                'images__value_range="percentiles" needs images in any order, not a stream: '
                "pass a pair (low, high)"
            )
        self.items = StreamItems(stream, meaning)
        self.num_workers = num_workers
        self.labels: list[Any] = []
        seen: set[tuple[Any, ...]] = set()
        shapes: set[Any] = set()
        loader = DataLoader(
            self.items, batch_size=None, num_workers=num_workers, collate_fn=identity
        )
        firsts: list[int] = []
        warn_at = monotonic() + _PATIENCE
        for label, kind, shape, digest in loader:
            self.labels.append(label)
            if monotonic() > warn_at:
                warn_at = math.inf
                warnings.warn(
                    f"still reading the stream for its labels, {len(self.labels)} images so "
                    "far: it is read once before training, and has to end",
                    P2PSelectWarning,
                    stacklevel=2,
                )
            seen.add(kind)
            shapes.add(shape)
            firsts += [] if digest is None else [digest]
        if not self.labels:
            raise InputError("the stream holds no image")
        if len(firsts) > 1 and len(set(firsts)) == 1:
            raise InputError(
                f"num_workers={num_workers}, and each of them reads the same images: the "
                "stream must divide them by torch.utils.data.get_worker_info"
            )
        stored = {channels for channels, _ in seen}
        counts = sorted(stored - {None})
        if len(counts) > 1:
            raise InputError(f"the images of the stream differ in their channels: {counts}")
        self.stored_channels = None if None in stored else counts[0]
        self.seen_channels = meaning.get("n_channels") or 3
        ranges = {value_range for _, value_range in seen}
        if len(ranges) > 1:
            raise InputError(f"the images of the stream differ in their type: {brief(ranges)}")
        self.value_range = ranges.pop()
        self.image_shape = shapes.pop() if len(shapes) == 1 else None

    def __len__(self) -> int:
        return len(self.labels)


class TrainingStream(IterableDataset):
    """Batches of a stream.  Random numbers depend on the epoch and the place in the stream."""

    def __init__(
        self,
        contents: StreamContents,
        classes: np.ndarray,
        views: Views,
        class_weight: np.ndarray,
        seed: int,
    ):
        self.contents = contents
        self.classes = classes
        self.views = views
        self.class_weight = class_weight
        self.seed = seed
        labels, _ = read_labels(contents.labels, _LABELS)
        self.kind, self.counts = kind_of(labels), count_targets(labels, classes)
        self.epoch = 0
        self.size = 1
        self.group = Group()

    def __len__(self) -> int:
        return len(self.contents)

    def class_weights(self) -> np.ndarray:
        """Sum of the weights of the images of every class, or of those with every label."""
        return self.counts * self.class_weight if self.kind == ONE_CLASS else self.counts

    def total_weight(self) -> float:
        """Sum of the weights of all images."""
        return float(self.class_weights().sum()) if self.kind == ONE_CLASS else len(self)

    def n_batches(self, size: int) -> int:
        """Batches of an epoch, at most: several workers may divide the images differently."""
        n, workers = len(self), self.contents.num_workers
        if workers > 1:
            return n // size + workers
        return -(-(n - (n % size == 1)) // size)

    def loading(self, size: int) -> dict[str, Any]:
        """How to set up a ``DataLoader`` for batches of this size."""
        self.size = size
        return {"batch_size": None, "shuffle": False, "drop_last": False}

    def content(self) -> tuple[Any, ...]:
        """What tells these data from others, for the name of a checkpoint."""
        return self.classes, self.counts, self.class_weight

    def brief(self) -> tuple[Any, ...]:
        """The same, to be compared between processes."""
        return self.content()

    def __iter__(self) -> Iterator[Batch]:
        if hasattr(self.contents.items.stream, "set_epoch"):
            self.contents.items.stream.set_epoch(self.epoch)
        info = get_worker_info()
        worker, start, expected = 0 if info is None else info.id, 0, len(self)
        may_be_fewer = self.contents.num_workers > 1
        pairs = self.contents.items.pairs()
        while pairs_of_batch := list(islice(pairs, self.size)):
            stop = start + len(pairs_of_batch)
            if stop > expected:
                break
            # A single image that is left has no batch statistics, and is left out.
            if len(pairs_of_batch) > 1 or self.size == 1:
                yield self._batch(pairs_of_batch, worker, start)
            start = stop
        if pairs_of_batch or (start < expected and not may_be_fewer):
            differ = "more" if pairs_of_batch else "fewer"
            raise InputError(
                f"the stream gave {differ} images in epoch {self.epoch + 1} than when it was "
                f"read before training, which were {expected}"
            )

    def _batch(self, pairs: list[tuple[ImageSequence, Any]], worker: int, start: int) -> Batch:
        n = len(pairs)
        own = own_rows(self.group, n)
        labels, columns = read_labels([label for _, label in pairs[own]], _LABELS)
        if self.kind != ONE_CLASS or labels.ndim == 2:
            check_targets(labels, columns, self.classes, self.kind, _LABELS)
        target = encode_targets(labels, self.classes)
        if (target < 0).any():
            raise InputError(
                f"the stream has the label {brief(labels[target < 0][0].item())} in epoch "
                f"{self.epoch + 1}, which it did not have when it was read before training"
            )
        # Already in [0, 1], whatever the range of the stream's own images is.
        said = self.contents.items.meaning.get("n_channels")
        images = as_images([image[0] for image, _ in pairs[own]], n_channels=said)
        # Each worker counts its own images: no two images have the same number.
        index = (np.arange(start, start + n) * max(1, self.contents.num_workers) + worker)[own]
        pixels, regions = self.views(images, None, self.seed, self.epoch, index)
        weight = np.ones(len(target), np.float32)
        if self.kind == ONE_CLASS:  # otherwise the loss weighs the labels
            weight = self.class_weight[target]
        return as_batch(pixels, regions, target, weight, index, n)


def _plain(label: Any) -> Any:
    if isinstance(label, Tensor | np.generic | np.ndarray):
        return label.tolist()
    return label
