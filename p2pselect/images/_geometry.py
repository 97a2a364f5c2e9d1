"""Between a photograph and the grid of a model: the one place that knows the ways.

A part of the photograph, the ``source``, lies on a part of the grid, the ``content``.  With
``resize="pad"`` the source is the whole photograph; with ``"crop"`` the content is the whole
grid; with ``"stretch"`` both are whole, and the aspect is lost.  What the content leaves free
is padding: black, and in no region.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Self

import numpy as np

from p2pselect.exceptions import InputError, brief
from p2pselect.images._pixels import height_width, resize, resize_nearest

#: How images of another aspect come onto the grid.
RESIZES = ("pad", "crop", "stretch")
#: The label of pixels that belong to no region.
NO_REGION = -1
#: What people say of a pixel: a region should not be selected for it, may be, or should be.
FORBIDDEN, ALLOWED, WANTED = 0, 1, 2

Size = tuple[int, int]


class Rectangle(NamedTuple):
    """A part of an array (h, w, ...), in whole pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def size(self) -> Size:
        return self.height, self.width

    def of(self, array: np.ndarray) -> np.ndarray:
        """A view of this part of an array."""
        rows = slice(self.top, self.top + self.height)
        return array[rows, self.left : self.left + self.width]

    def scaled(self, old: Size, new: Size) -> Rectangle:
        """The same part of an array of another size, of one pixel at least."""
        (top, height), (left, width) = (
            _scaled(start, length, before, after)
            for start, length, before, after in zip(self[:2], self[2:], old, new, strict=True)
        )
        return Rectangle(top, left, height, width)


def _scaled(start: int, length: int, old: int, new: int) -> tuple[int, int]:
    first = min(_round(start * new, old), new - 1)
    return first, max(1, _round((start + length) * new, old) - first)


def _round(numerator: int, denominator: int) -> int:
    """The nearest integer to a quotient, halves upward, without floats."""
    return (2 * numerator + denominator) // (2 * denominator)


def bounded(size: Size, longest_side: int | None) -> Size:
    """A size whose longer side is at most this, with the same aspect."""
    if longest_side is None or max(size) <= longest_side:
        return size
    return rescaled(size, longest_side)


def rescaled(size: Size, longest_side: int) -> Size:
    """A size with this longer side, and the same aspect."""
    height, width = (max(1, _round(side * longest_side, max(size))) for side in size)
    return height, width


@dataclass(frozen=True)
class Placement:
    """How one photograph lies on a grid."""

    original: Size
    grid: Size
    source: Rectangle
    content: Rectangle

    def draw(self, image: np.ndarray, out: np.ndarray) -> None:
        """Put an image (H, W, c) onto a black grid ``out`` (h, w, c)."""
        self.content.of(out)[...] = resize(self.source.of(image), self.content.size)

    def onto_grid(self, values: np.ndarray, fill: int) -> np.ndarray:
        """Values (H, W) that must not be mixed, on the grid (h, w); ``fill`` on the padding.

        They may be those of a smaller or larger copy of the photograph.
        """
        if values.shape == self.original == self.grid:
            return values
        source = self.source.scaled(self.original, values.shape[:2])
        if self.content.size == self.grid:
            return resize_nearest(source.of(values), self.grid)
        out = np.full(self.grid, fill, values.dtype)
        self.content.of(out)[...] = resize_nearest(source.of(values), self.content.size)
        return out

    def padded(self, values: np.ndarray, fill: int) -> np.ndarray:
        """Values (h, w) of the grid, with ``fill`` on the padding."""
        if self.content.size == self.grid:
            return values
        out = np.full(self.grid, fill, values.dtype)
        self.content.of(out)[...] = self.content.of(values)
        return out

    def back(self, values: np.ndarray, fill: object, size: Size | None = None) -> np.ndarray:
        """Values (h, w, ...) of the grid on the photograph; ``fill`` where it was cut away.

        With ``size``, on a smaller or larger copy of the photograph.
        """
        size = size or self.original
        source = self.source.scaled(self.original, size)
        inside = resize_nearest(self.content.of(values), source.size)
        if source.size == size:
            return inside
        out = np.full((*size, *values.shape[2:]), fill, values.dtype)
        source.of(out)[...] = inside
        return out


@dataclass(frozen=True)
class Grid:
    """The size of a model's images, and how images of other sizes come to it."""

    size: Size
    resize: str

    @classmethod
    def of(cls, image_size: int | Size, resize: str) -> Self:
        """The grid of an ``image_size``, an int for a square or a pair."""
        if resize not in RESIZES:
            raise InputError(f"resize must be one of {RESIZES}, got {brief(resize)}")
        return cls(height_width(image_size), resize)

    def place(self, original: tuple[int, ...]) -> Placement:
        """How a photograph of a size (H, W) lies on the grid."""
        height, width = original
        return _place(int(height), int(width), self)

    def contents(self, originals: np.ndarray) -> np.ndarray | None:
        """The contents (n, 4) of images of these sizes (n, 2); None where nothing is padded."""
        sizes = originals.tolist()
        contents = [self.place((height, width)).content for height, width in sizes]
        if all(content.size == self.size for content in contents):
            return None
        return np.array(contents)


def without_padding(images: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """New images (b, h, w, c) themselves, black where a pixel belongs to no region."""
    images[regions < 0] = 0
    return images


@lru_cache(maxsize=4096)
def _place(height: int, width: int, grid: Grid) -> Placement:
    rows, columns = grid.size
    source, content = Rectangle(0, 0, height, width), Rectangle(0, 0, rows, columns)
    # The two aspects, each multiplied by both widths, so that no rounding makes them differ.
    own, wanted = height * columns, width * rows
    if grid.resize == "pad" and own > wanted:
        content = _centered(content, rows, max(1, _round(width * rows, height)))
    elif grid.resize == "pad" and own < wanted:
        content = _centered(content, max(1, _round(height * columns, width)), columns)
    elif grid.resize == "crop" and own > wanted:
        source = _centered(source, max(1, _round(width * rows, columns)), width)
    elif grid.resize == "crop" and own < wanted:
        source = _centered(source, height, max(1, _round(height * columns, rows)))
    return Placement((height, width), grid.size, source, content)


def _centered(outer: Rectangle, height: int, width: int) -> Rectangle:
    return Rectangle((outer.height - height) // 2, (outer.width - width) // 2, height, width)
