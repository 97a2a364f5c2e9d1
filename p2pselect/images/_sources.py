"""The image sources of this package: arrays, files, bytes and Pillow images."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from io import BufferedIOBase, BytesIO
from itertools import islice
from typing import Any

import numpy as np
from PIL import Image

from p2pselect.exceptions import ImageReadError, InputError
from p2pselect.images._decode import from_pillow, shown_path, upright_size
from p2pselect.images._meaning import ValueRange, scaled
from p2pselect.images._pixels import check_dtype, check_values
from p2pselect.images._source_protocol import EncodedImageSource, ImageSource
from p2pselect.images._stored import channel_files, read_stored

_BLOCK = 4096
_MOST_NAMED = 10


def as_pixels(values: np.ndarray, value_range: ValueRange | None = None) -> np.ndarray:
    """Bring checked pixel values to contiguous uint8 or float32 in [0, 1]."""
    # The window of a file has been applied when it was read.
    if isinstance(value_range, tuple):
        values = scaled(values, value_range)
    elif values.dtype != np.uint8:
        values = np.clip(values, 0, 1, dtype=np.float32, casting="same_kind")
    return np.ascontiguousarray(values)


class ArrayImages(ImageSource):
    """Images of one size in one array (n, h, w, c), which is never copied as a whole."""

    can_fail = False

    def __init__(self, array: np.ndarray, value_range: ValueRange | None = None):
        self.array = array
        self.value_range = value_range
        self.n_channels = int(array.shape[3])
        self.is_float = array.dtype != np.uint8 or value_range is not None
        self.image_shape = (int(array.shape[1]), int(array.shape[2]))

    def __len__(self) -> int:
        return len(self.array)

    def read_one(self, position: int) -> np.ndarray:
        return as_pixels(self.array[position], self.value_range)

    def read(self, positions: np.ndarray) -> np.ndarray:
        return as_pixels(self.array[positions], self.value_range)

    def subset(self, positions: np.ndarray) -> ArrayImages:
        return ArrayImages(self.array[positions], self.value_range)


class ListedImages(ImageSource):
    """Arrays (h, w, c), each of its own size."""

    can_fail = False

    def __init__(self, images: np.ndarray, value_range: ValueRange | None = None):
        self.images = images
        self.value_range = value_range
        self.n_channels = int(images[0].shape[2]) if len(images) else 3
        of_bytes = len(images) == 0 or images[0].dtype == np.uint8
        self.is_float = not of_bytes or value_range is not None
        shapes = {image.shape[:2] for image in images}
        self.image_shape = shapes.pop() if len(shapes) == 1 else None

    def __len__(self) -> int:
        return len(self.images)

    def read_one(self, position: int) -> np.ndarray:
        return as_pixels(self.images[position], self.value_range)

    def subset(self, positions: np.ndarray) -> ListedImages:
        return ListedImages(self.images[positions], self.value_range)


class FileImages(EncodedImageSource):
    """Image files; their paths are one array of bytes.

    One array instead of a list: a forked worker that only reads it never copies it.
    """

    def __init__(self, paths: Iterable[str | os.PathLike[str]] | np.ndarray):
        if isinstance(paths, np.ndarray) and paths.dtype.kind == "S":
            self.encoded = paths
        else:
            self.encoded = np.array([os.fsencode(path) for path in paths], dtype=np.bytes_)

    def __len__(self) -> int:
        return len(self.encoded)

    def paths(self, positions: np.ndarray) -> np.ndarray:
        """Paths of some of the images, as str."""
        coding = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
        return np.char.decode(self.encoded[positions], *coding)

    def open_one(self, position: int) -> tuple[str, str]:
        path = os.fsdecode(self.encoded[position])
        return path, shown_path(path)

    def subset(self, positions: np.ndarray) -> FileImages:
        return FileImages(self.encoded[positions])


class StoredFiles(FileImages):
    """Files whose pixels are taken as they are stored, since the user says what they mean.

    ``channels`` is where arrays of NumPy have their channel axis.  All files have as many
    channels as the first that can be read, and its type.
    """

    _becomes_rgb = False

    def __init__(
        self,
        paths: np.ndarray,
        pages: str | int | None = None,
        markers: tuple[str, ...] | None = None,
        channels: str = "last",
        n_channels: int | None = None,
    ):
        super().__init__(paths)
        self.pages, self.markers, self.channels = pages, markers, channels
        # Of files none of which can be read.
        self.n_channels, self.dtype = n_channels or 3, np.dtype(np.uint8)
        for position in range(len(self)):
            try:
                first = self.values(position)
            except ImageReadError:
                continue  # which is said of it when it is read
            self.n_channels, self.dtype = int(first.shape[2]), first.dtype
            break

    @property
    def is_float(self) -> bool:  # type: ignore[override]
        """Whether images are float32, because they are stored so or in another range."""
        return self.value_range is not None or self.dtype.kind == "f"

    def values(self, position: int) -> np.ndarray:
        """The pixels (h, w, c) of an image as they are stored."""
        path = os.fsdecode(self.encoded[position])
        how = self.pages, self.channels, self.value_range == "window"
        if self.markers is None:
            return read_stored(path, shown_path(path), *how)
        planes = [
            read_stored(file, shown_path(file), *how)
            for file in channel_files(path, self.markers)
        ]
        kinds = [(plane.shape, plane.dtype) for plane in planes]
        if len(set(kinds)) > 1 or kinds[0][0][2] != 1:
            raise ImageReadError(
                f"{shown_path(path)}: the files of its channels must have one band each, of "
                f"the same size and type; they have {[f'{s} {d}' for s, d in kinds]}"
            )
        return np.concatenate(planes, axis=2)

    def read_one(self, position: int) -> np.ndarray:
        values = self.values(position)
        name = shown_path(os.fsdecode(self.encoded[position]))
        if (values.shape[2], values.dtype) != (self.n_channels, self.dtype):
            raise ImageReadError(
                f"{name} has {values.shape[2]} channels of {values.dtype}; other files have "
                f"{self.n_channels} of {self.dtype}"
            )
        try:
            has_range = self.value_range is not None
            check_dtype(values, name, has_range)
            check_values(values[np.newaxis], name, position, has_range)
        except InputError as error:
            raise ImageReadError(str(error)) from error
        return as_pixels(values, self.value_range)

    def read_small(self, position: int, longest: int) -> tuple[np.ndarray, tuple[int, int]]:
        return ImageSource.read_small(self, position, longest)

    def size_of(self, position: int) -> tuple[int, int]:
        height, width = self.values(position).shape[:2]
        return height, width

    def check(self, position: int) -> None:
        self.read_one(position)

    def subset(self, positions: np.ndarray) -> StoredFiles:
        part = copy(self)
        part.encoded = self.encoded[positions]
        return part


class BytesImages(EncodedImageSource):
    """Encoded images in memory, given as bytes or as binary files, which are read now."""

    def __init__(self, items: Iterable[Any]):
        self.items = [_content(item) for item in items]

    def __len__(self) -> int:
        return len(self.items)

    def open_one(self, position: int) -> tuple[BytesIO, str]:
        name = f"item {position} of X (bytes, so an encoded image; a path would be a str)"
        return BytesIO(self.items[position]), name

    def subset(self, positions: np.ndarray) -> BytesImages:
        return BytesImages(self.items[position] for position in positions)


def _content(item: Any) -> bytes:
    """All bytes of a binary file, which is left where it was."""
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


class PillowImages(ImageSource):
    """Pillow images, converted when read."""

    _becomes_rgb = True

    def __init__(self, images: np.ndarray):
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def read_one(self, position: int) -> np.ndarray:
        image: Image.Image = self.images[position]
        try:
            return from_pillow(image, f"image {position}", self._warned)
        except (ValueError, OSError) as error:
            raise InputError(f"image {position} (PIL, mode {image.mode}): {error}") from error

    def size_of(self, position: int) -> tuple[int, int]:
        return upright_size(self.images[position])

    def subset(self, positions: np.ndarray) -> PillowImages:
        return PillowImages(self.images[positions])


def find_damage(
    source: ImageSource, positions: np.ndarray, progress: bool
) -> dict[int, Exception]:
    """Read images in threads, and say what is wrong with those that are damaged, by number."""
    if not source.can_fail:
        return {}

    def problem(position: int) -> Exception | None:
        try:
            source.check(position)
        except (ImageReadError, InputError) as error:
            return error
        return None

    from tqdm.auto import tqdm

    damage: dict[int, Exception] = {}
    bar = tqdm(
        total=len(positions),
        desc="checking images",
        delay=2,
        leave=False,
        # None shows the bar on a terminal only.
        disable=None if progress else True,
    )
    # Pillow images are loaded by whoever asks first: two threads must not do so at once.
    with bar, ThreadPoolExecutor(1 if isinstance(source, PillowImages) else None) as pool:
        # In blocks, because the pool holds an object for every call that it was handed.
        for start in range(0, len(positions), _BLOCK):
            block = positions[start : start + _BLOCK].tolist()
            for number, error in enumerate(pool.map(problem, block), start):
                bar.update()
                if error is not None:
                    damage[number] = error
    return damage


def say_damage(damage: dict[int, Exception], n_images: int) -> str:
    """How many images are damaged, and the first ones by name."""
    named = "".join(f"\n  {error}" for error in islice(damage.values(), _MOST_NAMED))
    more = f"\n  and {len(damage) - _MOST_NAMED} more" if len(damage) > _MOST_NAMED else ""
    return f"{len(damage)} of {n_images} images cannot be read:{named}{more}"
