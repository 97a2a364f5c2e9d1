"""Map-style data sets of PyTorch: an image, or a pair of image and label, per index."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from p2pselect.exceptions import InputError, P2PSelectError, brief
from p2pselect.images._source_protocol import ImageSource

#: The first few images are read several times, to see whether random transforms change them.
#: Mirroring at random, for example, then goes unnoticed once in 512.
_TRIED, _TIMES = 3, 4


def is_map_style(X: Any) -> bool:
    """Whether X is a ``torch.utils.data.Dataset`` with indices; torch is not imported."""
    data = sys.modules.get("torch.utils.data")
    return (
        data is not None
        and isinstance(X, data.Dataset)
        and not isinstance(X, data.IterableDataset)
    )


def is_data_loader(X: Any) -> bool:
    """Whether X is a ``torch.utils.data.DataLoader``; torch is not imported."""
    data = sys.modules.get("torch.utils.data")
    return data is not None and isinstance(X, data.DataLoader)


def labels_of(dataset: Any) -> list[Any]:
    """The labels of a map-style data set of pairs.

    Where a data set of torchvision lists them as ``targets``, no image is read.
    """
    data = sys.modules["torch.utils.data"]
    if isinstance(dataset, data.Subset):
        inner = labels_of(dataset.dataset)
        return [inner[int(index)] for index in dataset.indices]
    targets = getattr(dataset, "targets", None)
    if targets is not None and getattr(dataset, "target_transform", None) is None:
        return [_plain(label) for label in targets]
    labels = []
    for number in range(len(dataset)):
        item = dataset[number]
        if not isinstance(item, tuple | list) or len(item) < 2:
            raise InputError(f"item {number} of X has no label: pass labels as y")
        labels.append(_plain(item[1]))
    return labels


class DatasetImages(ImageSource):
    """The images of a data set; ``pixels`` makes an array (h, w, c) of what it holds.

    Raises
    ------
    InputError
        If the data set has no length, or random transforms give a different image each time
        an item is read, so that regions would belong to other images.
    """

    can_fail = False

    def __init__(self, dataset: Any, pixels: Callable[[Any], np.ndarray]):
        self.dataset = dataset
        self.pixels = pixels
        if not hasattr(dataset, "__len__"):
            raise InputError(f"X is a {type(dataset).__name__} without a length")
        if len(dataset):
            first = self.read_one(0)
            self.n_channels, self.is_float = int(first.shape[2]), first.dtype != np.uint8
        for position in range(min(_TRIED, len(dataset))):
            image = self.read_one(position)
            for _ in range(_TIMES - 1):
                if not np.array_equal(image, self.read_one(position)):
                    raise InputError(
                        f"item {position} of X changes each time it is read: leave "
                        "random transforms out; augment= is for training"
                    )

    def __len__(self) -> int:
        return len(self.dataset)

    def read_one(self, position: int) -> np.ndarray:
        item = self.dataset[position]
        if isinstance(item, tuple | list) and len(item):
            item = item[0]
        try:
            return self.pixels(item)
        except P2PSelectError as error:
            raise type(error)(f"item {position} of X ({brief(item)}): {error}") from error


def _plain(label: Any) -> Any:
    return label.tolist() if hasattr(label, "tolist") else label
