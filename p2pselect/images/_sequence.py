"""A lazy, indexable sequence of images of any source."""

from __future__ import annotations

import operator
import os
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, Literal, Self, overload

import numpy as np

from p2pselect.exceptions import InputError, P2PSelectWarning, brief, brief_path
from p2pselect.images._geometry import Grid, bounded
from p2pselect.images._meaning import ValueRange, are_colors
from p2pselect.images._pixels import resize, to_rgb
from p2pselect.images._source_protocol import ImageSource
from p2pselect.images._sources import FileImages, find_damage, say_damage


class ImageSequence:
    """Images that are read when asked for; slices of it are views.

    :func:`as_images` makes one from any kind of images, the constructor from paths or from a
    source.  scikit-learn can slice it, so it can stand for ``X`` in cross-validation without
    decoding anything.  Pickling a view takes its own images only, not all that it looks into.

    Parameters
    ----------
    images : iterable of str or path-like, or ImageSource
        Image files, which are opened when read, not now; or where else to read images from.

    Examples
    --------
    >>> import numpy as np
    >>> from p2pselect.images import as_images
    >>> seq = as_images(np.zeros((10, 32, 48, 3), np.uint8))
    >>> seq
    ImageSequence(10 images, 32 x 48, 3 channels, uint8)
    >>> seq[2].shape, len(seq[2:5]), seq.batch([0, 7], size=24).shape
    ((32, 48, 3), 3, (2, 24, 24, 3))
    """

    def __init__(self, images: Iterable[str | os.PathLike[str]] | ImageSource):
        if isinstance(images, str | bytes | os.PathLike):
            raise InputError(f"images is one path, {brief_path(images)}: pass [path]")
        self._source = images if isinstance(images, ImageSource) else FileImages(images)
        self._index: np.ndarray | None = None
        #: How many channels the user says there are, if these are neither colors nor opacity.
        self._said: int | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        own = None if self._index is None else self._source.subset(self._index)
        if own is not None:
            return type(self), (own,), {"_said": self._said}
        return type(self), (self._source,), {"_index": self._index, "_said": self._said}

    def __len__(self) -> int:
        return len(self._source) if self._index is None else len(self._index)

    def __repr__(self) -> str:
        size = "files" if isinstance(self._source, FileImages) else "of various sizes"
        if self.image_shape is not None:
            size = "{} x {}".format(*self.image_shape)
        dtype = "float32" if self.is_float else "uint8"
        return f"ImageSequence({len(self)} images, {size}, {self.n_channels} channels, {dtype})"

    @property
    def shape(self) -> tuple[int]:
        """``(n,)``: the number of images."""
        # scikit-learn indexes what has a shape with arrays, anything else item by item.
        return (len(self),)

    @property
    def n_channels(self) -> int:
        """Channels that ``seq[i]`` has: 1 (gray), 3 (RGB), 4 (RGBA) or any others."""
        return self._source.n_channels

    @property
    def seen_channels(self) -> int:
        """Channels that networks see: 3 of colors, and otherwise all."""
        return 3 if are_colors(self.n_channels, self._said) else self.n_channels

    @property
    def value_range(self) -> ValueRange | None:
        """What became [0, 1]: one pair (low, high), or one per channel; None for the usual."""
        return self._source.value_range

    @property
    def stored_channels(self) -> int | None:
        """Channels of the images as given, or None where they become RGB when read."""
        return None if self._source._becomes_rgb else self.n_channels

    @property
    def is_float(self) -> bool:
        """Whether images are float32 in [0, 1] instead of uint8."""
        return self._source.is_float

    @property
    def image_shape(self) -> tuple[int, int] | None:
        """Height and width where all images share them, else None."""
        return self._source.image_shape

    @property
    def files(self) -> np.ndarray | None:
        """The paths where the images are files, else None."""
        if not isinstance(self._source, FileImages):
            return None
        return self._source.paths(self._positions(slice(None)))

    @overload
    def __getitem__(self, key: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, key: slice | np.ndarray | list | tuple) -> ImageSequence: ...

    def __getitem__(self, key: Any) -> Any:
        """Read one image (h, w, c), or view several.

        Parameters
        ----------
        key : int, slice, array of int or array of bool
            An int reads an image; anything else gives an ImageSequence and reads nothing.
        """
        # scikit-learn indexes rows as X[rows, ...].
        if isinstance(key, tuple):
            if len(key) != 2 or key[1] is not Ellipsis:
                raise IndexError(f"an ImageSequence has one axis, got the index {brief(key)}")
            key = key[0]
        try:
            number = operator.index(key)
        except TypeError:
            return self._view(self._positions(key))
        return next(iter(self._read(self._positions([number]))))

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[number] for number in range(len(self)))

    def batch(
        self,
        indices: Any,
        size: int | tuple[int, int] | None = None,
        resize: Literal["pad", "crop", "stretch"] = "stretch",
    ) -> np.ndarray:
        """Read several images as networks see them: RGB, or all channels, of one size.

        One channel is repeated to three; four channels are blended with black.  Channels that
        are not colors stay as they are.  Images are resized with Pillow's antialiased bilinear
        filter.

        Parameters
        ----------
        indices : slice, array of int or array of bool
            Which images.
        size : int or (int, int), default None
            Height and width in pixels; one number means a square.  ``None`` keeps the
            images' own size, which must then be the same for all.
        resize : {"stretch", "pad", "crop"}, default "stretch"
            What happens to images of another aspect: each is stretched as a whole; or keeps its
            aspect between black borders; or keeps it and loses both ends of its longer side.

        Returns
        -------
        ndarray of shape (b, size_h, size_w, seen_channels), uint8, or float32 in [0, 1]
            A new array; float32 exactly if :attr:`is_float`.

        Raises
        ------
        ImageReadError
            If a file cannot be decoded; the message names it.
        InputError
            If ``size`` is None and the images differ in size.
        """
        if size is not None:
            return self._on_grid(indices, Grid.of(size, resize))[0]
        if self.image_shape is not None:
            return self._on_grid(indices, Grid(self.image_shape, resize))[0]
        images = [self._as_seen(image) for image in self._read(self._positions(indices))]
        sizes = list(dict.fromkeys(image.shape[:2] for image in images))
        if len(sizes) != 1:
            raise InputError(f"images differ in size, or are none ({sizes[:3]}): pass size=")
        return np.stack(images)

    def thumbnail(self, number: int, longest: int = 512) -> np.ndarray:
        """Read one image as a picture for people: no larger than needed, never enlarged.

        The aspect ratio is kept.  A large JPEG is decoded at a smaller size from the start,
        which is much faster.

        Parameters
        ----------
        number : int
            Which image.
        longest : int, default=512
            Length of the longer side in pixels; smaller images keep their size.

        Returns
        -------
        ndarray of shape (h, w, seen_channels), uint8, or float32 in [0, 1]
            As in :meth:`batch`.

        Raises
        ------
        ImageReadError
            If a file cannot be decoded; the message names it.

        Examples
        --------
        >>> import numpy as np
        >>> from p2pselect.images import as_images
        >>> as_images([np.zeros((600, 900, 3), np.uint8)]).thumbnail(0, longest=300).shape
        (200, 300, 3)
        """
        position = int(self._positions([operator.index(number)])[0])
        image, size = self._source.read_small(position, longest)
        return resize(self._as_seen(self._checked(image, position)), bounded(size, longest))

    def sizes(self) -> np.ndarray:
        """Height and width of every image.

        Files are opened, but their pixels are not decoded.

        Returns
        -------
        ndarray of shape (n, 2), int
            In pixels, of the images as :meth:`__getitem__` gives them: upright.

        Raises
        ------
        ImageReadError
            If a file is missing or is not an image; the message names it.
        """
        if self.image_shape is not None:
            return np.tile(np.array(self.image_shape), (len(self), 1))
        shapes = [self._source.size_of(int(i)) for i in self._positions(slice(None))]
        return np.array(shapes, dtype=np.intp).reshape(-1, 2)

    def reset_warnings(self) -> None:
        """Let warnings about odd images be given again.

        Each kind is given once for all images of a sequence, until the sequence is used again,
        by another ``fit`` for example.
        """
        self._source._warned.clear()

    def check(self, number: int) -> None:
        """Raise an error if one image is damaged.

        Parameters
        ----------
        number : int
            Which image.

        Raises
        ------
        ImageReadError
            If it cannot be decoded; the message names it (InputError for a Pillow image).
        """
        self._source.check(int(self._positions([number])[0]))

    def readable(self, *, progress: bool = False) -> np.ndarray:
        """Read every image once, and warn of those that cannot be decoded.

        Damage is what Pillow's decoders notice: a file that is missing, cut off, in no known
        format, or inconsistent.  Altered pixels that still decode are not noticed.

        Parameters
        ----------
        progress : bool, default False
            Whether to show a bar on a terminal where it takes more than two seconds.

        Returns
        -------
        ndarray of shape (n,), bool
            Which images can be read; all of them where pixels were given.

        Examples
        --------
        Leave out what is damaged::

            images = as_images(paths, on_error="skip")
            ok = images.readable()
            images, y = images[ok], y[ok]
        """
        damage = find_damage(self._source, self._positions(slice(None)), progress)
        if damage:
            warnings.warn(say_damage(damage, len(self)), P2PSelectWarning, stacklevel=2)
        ok = np.ones(len(self), dtype=bool)
        ok[list(damage)] = False
        return ok

    def check_readable(self, *, progress: bool = False) -> None:
        """Read every image once, and raise an error if any cannot be decoded.

        Parameters
        ----------
        progress : bool, default False
            As for :meth:`readable`.

        Raises
        ------
        ImageReadError
            With the number of damaged images, and the names of the first ten (InputError
            where Pillow images were given).
        """
        damage = find_damage(self._source, self._positions(slice(None)), progress)
        for first in damage.values():
            raise type(first)(say_damage(damage, len(self))) from first

    def _read(self, positions: np.ndarray) -> Iterable[np.ndarray]:
        images = self._source.read(positions)
        if isinstance(images, np.ndarray):
            return images
        return map(self._checked, images, positions)

    def _on_grid(self, indices: Any, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
        """Several images on the grid of a model, and their own heights and widths (b, 2)."""
        positions = self._positions(indices)
        images = self._read(positions)
        if isinstance(images, np.ndarray) and images.shape[1:3] == grid.size:
            return self._as_seen(images), np.tile(np.array(grid.size), (len(positions), 1))
        dtype = np.float32 if self.is_float else np.uint8
        batch = np.zeros((len(positions), *grid.size, self.seen_channels), dtype)
        sizes = np.empty((len(positions), 2), np.intp)
        for row, image in enumerate(images):
            sizes[row] = image.shape[:2]
            grid.place(image.shape[:2]).draw(self._as_seen(image), batch[row])
        return batch, sizes

    def _checked(self, image: np.ndarray, position: int) -> np.ndarray:
        """Refuse an image that is not what its source says of all."""
        image = np.asarray(image)
        expected = np.float32 if self.is_float else np.uint8
        if image.ndim != 3 or image.shape[2] != self.n_channels or image.dtype != expected:
            raise InputError(
                f"image {position} of X has shape {image.shape} and dtype {image.dtype}; "
                f"expected (h, w, {self.n_channels}) and {np.dtype(expected)}, as all others"
            )
        return image

    def _view(self, positions: np.ndarray) -> Self:
        view = type(self)(self._source)
        view._index, view._said = positions, self._said
        return view

    def _as_seen(self, images: np.ndarray) -> np.ndarray:
        """Images (..., h, w, c) with the channels that networks see."""
        return to_rgb(images) if are_colors(self.n_channels, self._said) else images

    def _positions(self, key: Any) -> np.ndarray:
        """Positions in the source of the images that ``key`` selects."""
        n_images = len(self)
        if isinstance(key, slice):
            chosen = np.arange(n_images)[key]
        else:
            chosen = np.asarray(key)
            # An empty list becomes an array of floats, which would be refused below.
            if chosen.size == 0:
                chosen = chosen.astype(np.intp)
            if chosen.ndim != 1 or chosen.dtype.kind not in "biu":
                raise IndexError(
                    f"images are chosen by int, slice, or 1-D array, got {brief(key)}"
                )
            if chosen.dtype.kind == "b":
                if len(chosen) != n_images:
                    raise IndexError(
                        f"a mask of {len(chosen)} values cannot choose from {n_images} images"
                    )
                chosen = np.flatnonzero(chosen)
            elif chosen.size and not -n_images <= chosen.min() <= chosen.max() < n_images:
                raise IndexError(
                    f"images {chosen.min()} to {chosen.max()} were asked for, "
                    f"but there are only {n_images}"
                )
            chosen = np.where(chosen < 0, chosen + n_images, chosen).astype(np.intp)
        return chosen if self._index is None else self._index[chosen]
