"""Map-style data sets of PyTorch: an image, or a pair of image and label, per index."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from p2pselect.exceptions import InputError, P2PSelectError, brief

#: Images that are read several times, so that random transforms show.
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

    Raises
    ------
    InputError
        If its items have no label.
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


class PairedImages:
    """A source of an :class:`~p2pselect.images.ImageSequence`: the images of a data set.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        Of images, or of tuples that begin with one.
    pixels : callable
        What makes an array (h, w, c) of an image.
    index : ndarray of int, default None
        Items in the order of the images; None for all.

    Raises
    ------
    InputError
        If the data set has no length, or gives another image each time it is asked.
    """

    image_shape: tuple[int, int] | None = None

    def __init__(
        self, dataset: Any, pixels: Callable[[Any], np.ndarray], index: np.ndarray | None = None
    ):
        self.dataset = dataset
        self.pixels = pixels
        if index is None:
            if not hasattr(dataset, "__len__"):
                raise InputError(f"X is a {type(dataset).__name__} without a length")
            index = np.arange(len(dataset))
        self.index = index
        first = None if not len(index) else self._image(int(index[0]))
        self.n_channels = 3 if first is None else int(first.shape[2])
        self.is_float = first is not None and first.dtype != np.uint8

    def __len__(self) -> int:
        return len(self.index)

    def read(self, positions: np.ndarray) -> Iterator[np.ndarray]:
        for number in self.index[positions]:
            image = self._image(int(number))
            if (image.shape[2], image.dtype != np.uint8) != (self.n_channels, self.is_float):
                raise InputError(
                    f"images of X differ: item {number} has {image.shape[2]} channels of "
                    f"{image.dtype}, unlike the first"
                )
            yield image

    def subset(self, positions: np.ndarray) -> PairedImages:
        return PairedImages(self.dataset, self.pixels, self.index[positions])

    def check_repeatable(self) -> None:
        """Refuse random transforms, after which regions would belong to other images."""
        for number in self.index[:_TRIED]:
            first = self._image(int(number))
            for _ in range(_TIMES - 1):
                if not np.array_equal(first, self._image(int(number))):
                    raise InputError(
                        f"item {number} of X is another image each time it is read: leave "
                        "random transforms out; augment= is for training"
                    )

    def _image(self, number: int) -> np.ndarray:
        item = self.dataset[number]
        if isinstance(item, tuple | list) and len(item):
            item = item[0]
        try:
            return self.pixels(item)
        except P2PSelectError as error:
            raise type(error)(f"item {number} of X ({brief(item)}): {error}") from error


def _plain(label: Any) -> Any:
    return label.item() if hasattr(label, "item") else label
