"""A lazy, indexable sequence of images, whatever they were given as."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Iterator
from typing import Any, overload

import numpy as np

from p2pselect.exceptions import InputError, brief, brief_path
from p2pselect.images._damage import find_damage, raise_damage, warn_of_damage
from p2pselect.images._pixels import height_width, resize, to_rgb
from p2pselect.images._reading import read_size
from p2pselect.images._sources import FileImages, Source


class ImageSequence:
    """Images that are read when asked for; slices of it are views.

    :func:`p2pselect.images.as_images` makes one from any kind of images.  The constructor
    makes one from paths.  scikit-learn can slice it, so that it can stand for ``X`` in
    cross-validation without decoding anything.

    Parameters
    ----------
    paths : iterable of str or path-like
        Image files.  They are opened when read, not now.

    Attributes
    ----------
    shape : tuple of int
        ``(n,)``: the number of images.
    n_channels : int
        Channels that ``seq[i]`` has: 1, 3 or 4.  Files and Pillow images have 3.
    is_float : bool
        Whether images are float32 in [0, 1] instead of uint8.
    image_shape : tuple of int, or None
        Height and width where all images share them and no file had to be opened to know.
    files : ndarray of str, or None
        The paths, where the images are files.

    Notes
    -----
    Pickling a view takes its own images only, not the whole array that it looks at.

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

    def __init__(self, paths: Iterable[str | os.PathLike[str]]):
        if isinstance(paths, str | bytes | os.PathLike):
            raise InputError(f"paths is one path, {brief_path(paths)}: pass [path]")
        self._source: Source = FileImages(paths)
        self._index: np.ndarray | None = None

    @classmethod
    def _from_source(cls, source: Source, index: np.ndarray | None = None) -> ImageSequence:
        made = cls.__new__(cls)
        made._source = source
        made._index = index
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        source = self._source if self._index is None else self._source.subset(self._index)
        return _restored, (type(self), source)

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
        # scikit-learn indexes what has a shape with arrays, anything else item by item.
        return (len(self),)

    @property
    def n_channels(self) -> int:
        return self._source.n_channels

    @property
    def stored_channels(self) -> int | None:
        """Channels of images that are given as pixels.

        None where images are decoded when read: those come out with three, whatever they hold.
        """
        return None if hasattr(self._source, "told") else self.n_channels

    @property
    def is_float(self) -> bool:
        return self._source.is_float

    @property
    def image_shape(self) -> tuple[int, int] | None:
        return self._source.image_shape

    @property
    def files(self) -> np.ndarray | None:
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
        if isinstance(key, tuple):
            if len(key) != 2 or key[1] is not Ellipsis:
                raise IndexError(f"an ImageSequence has one axis, got the index {brief(key)}")
            key = key[0]
        try:
            number = operator.index(key)
        except TypeError:
            return self._from_source(self._source, self._positions(key))
        return next(iter(self._source.read(self._positions([number]))))

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[number] for number in range(len(self)))

    def batch(self, indices: Any, size: int | tuple[int, int] | None = None) -> np.ndarray:
        """Read several images as networks see them: RGB, of one size.

        One channel is repeated to three; four channels are laid over black.  Each image is
        stretched as a whole to ``size`` (the aspect ratio is not kept) with Pillow's
        antialiased bilinear filter.

        Parameters
        ----------
        indices : slice, array of int or array of bool
            Which images.
        size : int or (int, int), default None
            Height and width in pixels; one number means a square.  ``None`` keeps the
            images' own size, which must then be the same for all.

        Returns
        -------
        ndarray of shape (b, size_h, size_w, 3), uint8, or float32 in [0, 1]
            A new array; float32 exactly if :attr:`is_float`.

        Raises
        ------
        ImageReadError
            When a file cannot be decoded; the message names it.
        InputError
            When ``size`` is None and the images differ in size.
        """
        positions = self._positions(indices)
        wanted = self.image_shape if size is None else height_width(size)
        images = self._source.read(positions)
        if isinstance(images, np.ndarray) and images.shape[1:3] == wanted:
            return to_rgb(images)
        dtype = np.float32 if self.is_float else np.uint8
        out = None if wanted is None else np.empty((len(positions), *wanted, 3), dtype)
        for row, image in enumerate(images):
            if out is None:
                wanted = (image.shape[0], image.shape[1])
                out = np.empty((len(positions), *wanted, 3), dtype)
            if size is None and image.shape[:2] != wanted:
                raise InputError(
                    f"images differ in size (the first of the batch is {wanted}, number {row} "
                    f"is {image.shape[:2]}): pass size="
                )
            out[row] = resize(to_rgb(image), wanted)  # type: ignore[arg-type]
        if out is None:
            raise InputError("a batch without images has no size: pass size=")
        return out

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
            When a file is missing or is not an image; the message names it.
        """
        if self.image_shape is not None:
            return np.tile(np.array(self.image_shape), (len(self), 1))
        if self.files is not None:
            shapes = [read_size(file) for file in self.files]
        else:
            shapes = [image.shape[:2] for image in self]
        return np.array(shapes, dtype=np.intp).reshape(-1, 2)

    def repeat_remarks(self) -> None:
        """Let warnings about odd images be given again, although they were given before.

        Each is given once for all images of a sequence, until the sequence is used again, by
        another ``fit`` for example.
        """
        getattr(self._source, "told", set()).clear()

    def readable(self, *, progress: bool = False) -> np.ndarray:
        """Read every image once, and warn of those that cannot be decoded.

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
        damage = find_damage(self._source, self._positions(slice(None)), progress=progress)
        warn_of_damage(damage, len(self))
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
        damage = find_damage(self._source, self._positions(slice(None)), progress=progress)
        raise_damage(damage, len(self))

    def _positions(self, key: Any) -> np.ndarray:
        """Positions in the source of the images that ``key`` selects."""
        n_images = len(self)
        if isinstance(key, slice):
            chosen = np.arange(n_images)[key]
        else:
            chosen = np.asarray(key)
            if chosen.size == 0:
                chosen = chosen.astype(np.intp)
            if chosen.ndim != 1 or chosen.dtype.kind not in "biu":
                raise IndexError(
                    f"images are chosen by int, slice, or 1-D array, got {brief(key)}"
                )
            if chosen.dtype.kind == "b":
                if len(chosen) != n_images:
                    raise IndexError(f"a mask of {len(chosen)} chooses from {n_images} images")
                chosen = np.flatnonzero(chosen)
            elif chosen.size and not -n_images <= chosen.min() <= chosen.max() < n_images:
                raise IndexError(
                    f"image {chosen.min()} to {chosen.max()} asked for, there are {n_images}"
                )
            chosen = np.where(chosen < 0, chosen + n_images, chosen).astype(np.intp)
        return chosen if self._index is None else self._index[chosen]


def _restored(cls: type[ImageSequence], source: Source) -> ImageSequence:
    return cls._from_source(source)
