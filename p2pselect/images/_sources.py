"""Where the images of a sequence lie: in one array, in files, or in a list of objects."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from io import BufferedIOBase, BytesIO
from typing import Any, Protocol

import numpy as np
from PIL import Image

from p2pselect.exceptions import ImageReadError, InputError
from p2pselect.images._pillow import from_pillow, upright_size
from p2pselect.images._reading import decode, named, read_file


class Source(Protocol):
    """Images that can be read by position.

    Those that are decoded when read, which may fail, also have ``told``: the kinds of remarks
    that were made of them.
    """

    n_channels: int
    is_float: bool
    image_shape: tuple[int, int] | None

    def __len__(self) -> int: ...

    def read(self, positions: np.ndarray) -> Iterable[np.ndarray]:
        """Images (h, w, c), uint8 or float32 in [0, 1], in the order of ``positions``."""

    def subset(self, positions: np.ndarray) -> Source:
        """A source that holds these images only."""


def as_pixels(values: np.ndarray) -> np.ndarray:
    """Bring checked pixel values to uint8 or float32 in [0, 1]."""
    if values.dtype == np.uint8:
        return values
    return np.clip(values, 0, 1, dtype=np.float32, casting="same_kind")


class ArrayImages:
    """Images of one size in one array (n, h, w, c), which is never copied as a whole."""

    def __init__(self, array: np.ndarray):
        self.array = array
        self.n_channels = int(array.shape[3])
        self.is_float = array.dtype != np.uint8
        self.image_shape: tuple[int, int] | None = (int(array.shape[1]), int(array.shape[2]))

    def __len__(self) -> int:
        return len(self.array)

    def read(self, positions: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(as_pixels(self.array[positions]))

    def subset(self, positions: np.ndarray) -> ArrayImages:
        return ArrayImages(self.array[positions])


class FileImages:
    """Image files, decoded when read; their paths are one array of bytes.

    One array instead of a list: a forked worker that only reads it never copies it.
    """

    n_channels = 3
    is_float = False
    image_shape: tuple[int, int] | None = None

    def __init__(self, paths: Iterable[str | os.PathLike[str]] | np.ndarray):
        if isinstance(paths, np.ndarray) and paths.dtype.kind == "S":
            self.encoded = paths
        else:
            self.encoded = np.array([os.fsencode(path) for path in paths], dtype=np.bytes_)
        self.told: set[str] = set()

    def __len__(self) -> int:
        return len(self.encoded)

    def paths(self, positions: np.ndarray) -> np.ndarray:
        return np.char.decode(
            self.encoded[positions],
            sys.getfilesystemencoding(),
            sys.getfilesystemencodeerrors(),
        )

    def read(self, positions: np.ndarray) -> Iterator[np.ndarray]:
        for encoded in self.encoded[positions]:
            yield read_file(os.fsdecode(encoded), self.told)

    def probe(self, position: int) -> None:
        """Decode an image at the lowest cost; raises ``ImageReadError`` where it is damaged."""
        path = os.fsdecode(self.encoded[position])
        decode(path, named(path), self.told, smallest=True)

    def subset(self, positions: np.ndarray) -> FileImages:
        return FileImages(self.encoded[positions])


class EncodedImages:
    """Encoded images (JPEG, PNG, ...) in memory, decoded when read.

    Parameters
    ----------
    items : ndarray of shape (n,), object
        Bytes, or binary files, which are read now, from their beginning.
    """

    n_channels = 3
    is_float = False
    image_shape: tuple[int, int] | None = None

    def __init__(self, items: np.ndarray):
        self.items = np.empty(len(items), dtype=object)
        for position, item in enumerate(items):
            self.items[position] = _content(item)
        self.told: set[str] = set()

    def __len__(self) -> int:
        return len(self.items)

    def check(self) -> None:
        """Look at the beginning of every image, so that what is none is found at once."""
        for position in range(len(self)):
            self._decoded(position, convert=upright_size)

    def read(self, positions: np.ndarray) -> Iterator[np.ndarray]:
        for position in positions:
            yield self._decoded(position)

    def probe(self, position: int) -> None:
        """Decode an image at the lowest cost; raises ``ImageReadError`` where it is damaged."""
        self._decoded(position, smallest=True)

    def subset(self, positions: np.ndarray) -> EncodedImages:
        return EncodedImages(self.items[positions])

    def _decoded(self, position: int, **how: Any) -> Any:
        name = f"item {position} of X (bytes, so an encoded image; a path would be a str)"
        return decode(BytesIO(self.items[position]), name, self.told, **how)


def _content(item: Any) -> bytes:
    if not isinstance(item, BufferedIOBase):
        return bytes(item)
    try:
        before = item.tell()
        item.seek(0)
        content = item.read()
        item.seek(before)
    except (OSError, ValueError) as error:  # closed, or a pipe
        raise ImageReadError(f"X holds a file that cannot be read: {error}") from error
    return content


class PillowImages:
    """Pillow images, converted when read."""

    n_channels = 3
    is_float = False
    image_shape: tuple[int, int] | None = None

    def __init__(self, images: np.ndarray):
        self.images = images
        self.told: set[str] = set()

    def __len__(self) -> int:
        return len(self.images)

    def read(self, positions: np.ndarray) -> Iterator[np.ndarray]:
        for position in positions:
            yield _converted(self.images[position], int(position), self.told)

    def subset(self, positions: np.ndarray) -> PillowImages:
        return PillowImages(self.images[positions])


def _converted(image: Image.Image, position: int, told: set[str]) -> np.ndarray:
    try:
        return from_pillow(image, f"image {position}", told)
    except (ValueError, OSError) as error:
        raise InputError(f"image {position} (PIL, mode {image.mode}): {error}") from error


class ListedImages:
    """Arrays (h, w, c), each of its own size."""

    def __init__(self, images: np.ndarray):
        self.images = images
        self.n_channels = int(images[0].shape[2]) if len(images) else 3
        self.is_float = len(images) > 0 and images[0].dtype != np.uint8
        shapes = {image.shape[:2] for image in images}
        self.image_shape: tuple[int, int] | None = shapes.pop() if len(shapes) == 1 else None

    def __len__(self) -> int:
        return len(self.images)

    def read(self, positions: np.ndarray) -> Iterator[np.ndarray]:
        for image in self.images[positions]:
            yield np.ascontiguousarray(as_pixels(image))

    def subset(self, positions: np.ndarray) -> ListedImages:
        return ListedImages(self.images[positions])
