"""Images of one size in the records of binary files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class RecordFile:
    """A file of records of equal length, each with an image in planes: (channels, h, w).

    Parameters
    ----------
    path : Path
    n_records : int
    start : int
        Bytes before the first record.
    length : int
        Bytes of a record.
    skipped : int
        Bytes of a record before its pixels.
    """

    path: Path
    n_records: int
    start: int
    length: int
    skipped: int

    def records(self) -> np.ndarray:
        """The records (n, length), uint8, mapped and not read."""
        mapped = np.memmap(self.path, dtype=np.uint8, mode="r")
        end = self.start + self.n_records * self.length
        return mapped[self.start : end].reshape(self.n_records, self.length)


class RecordImages:
    """A source of an :class:`~p2pselect.images.ImageSequence`: records of several files.

    Parameters
    ----------
    files : tuple of RecordFile
    image_shape : tuple of int
        Height and width.
    index : ndarray of int, default None
        Records in the order of the images, counted over all files; None for all.
    """

    n_channels = 3
    is_float = False

    def __init__(
        self,
        files: tuple[RecordFile, ...],
        image_shape: tuple[int, int],
        index: np.ndarray | None = None,
    ):
        self.files = files
        self.image_shape: tuple[int, int] | None = image_shape
        self.height, self.width = image_shape
        n_records = sum(file.n_records for file in files)
        self.index = np.arange(n_records) if index is None else index

    def __len__(self) -> int:
        return len(self.index)

    def read(self, positions: np.ndarray) -> np.ndarray:
        numbers = self.index[positions]
        planes = np.empty((len(numbers), 3, self.height, self.width), dtype=np.uint8)
        first = 0
        for file in self.files:
            rows = np.flatnonzero((numbers >= first) & (numbers < first + file.n_records))
            if len(rows):
                chosen = file.records()[numbers[rows] - first]
                pixels = chosen[:, file.skipped : file.skipped + planes[0].size]
                planes[rows] = pixels.reshape(len(rows), *planes.shape[1:])
            first += file.n_records
        return np.ascontiguousarray(np.moveaxis(planes, 1, -1))

    def subset(self, positions: np.ndarray) -> RecordImages:
        assert self.image_shape is not None
        return RecordImages(self.files, self.image_shape, self.index[positions])
