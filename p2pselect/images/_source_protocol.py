"""The protocol of an image source: what an ImageSequence asks of the place of its images."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property
from typing import IO

import numpy as np

from p2pselect.images._decode import decode_image, decode_small, read_opened, upright_size
from p2pselect.images._meaning import ValueRange


class ImageSource(ABC):
    """Images that are read by position: what an :class:`ImageSequence` looks at.

    Subclass it to use images that lie where this package does not look, for example in an HDF5
    file.  A subclass needs ``__len__`` and :meth:`read_one`.  For encoded images (JPEG, PNG,
    ...) in a database or an archive, subclass :class:`EncodedImageSource` instead, which
    decodes them as image files are decoded.  Pass an instance as ``X``, or make it a sequence
    that can be sliced by :func:`as_images`.

    Sources are pickled for worker processes and read by several threads at once: open files
    and connections when an image is read, not in ``__init__``.

    Attributes
    ----------
    n_channels : int, default=3
        Channels of every image: 1 (gray), 3 (RGB), 4 (RGB and opacity), or any other number of
        channels, which networks see as they are.
    is_float : bool, default=False
        Whether images are float32 in [0, 1] instead of uint8.
    image_shape : tuple of int or None, default=None
        Height and width, where all images share them and that is known without reading.
    can_fail : bool, default=True
        Whether reading can fail.  Every image is then read once before training, so that
        damage is found before anything depends on it.

    See Also
    --------
    as_images : Make an ImageSequence of a source, or of anything else that holds images.

    Examples
    --------
    >>> import numpy as np
    >>> from p2pselect.images import ImageSource, as_images
    >>> class Ramps(ImageSource):
    ...     n_channels = 1
    ...
    ...     def __len__(self):
    ...         return 10
    ...
    ...     def read_one(self, position):
    ...         return np.full((8, 8, 1), 25 * position, np.uint8)
    >>> as_images(Ramps())[2:5]
    ImageSequence(3 images, of various sizes, 1 channels, uint8)
    """

    n_channels: int = 3
    is_float: bool = False
    image_shape: tuple[int, int] | None = None
    can_fail: bool = True
    #: Where values in another range were brought to [0, 1]: what they were.
    value_range: ValueRange | None = None
    #: Whether images become RGB when read, so that nothing tells how many channels are stored.
    _becomes_rgb: bool = False

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def read_one(self, position: int) -> np.ndarray:
        """Read one image.

        Parameters
        ----------
        position : int
            From 0 to ``len(self) - 1``.

        Returns
        -------
        ndarray of shape (h, w, n_channels)
            Of uint8, or float32 in [0, 1] if ``is_float``.

        Raises
        ------
        ImageReadError
            If the image cannot be read; the message should name it.
        """

    def read(self, positions: np.ndarray) -> Iterable[np.ndarray]:
        """Read several images; override it where that is faster than one after the other.

        Parameters
        ----------
        positions : ndarray of shape (b,), int
            Which images.

        Returns
        -------
        ndarray of shape (b, h, w, n_channels), or iterable of b arrays
            In the order of ``positions``.
        """
        return (self.read_one(int(position)) for position in positions)

    def read_small(self, position: int, longest: int) -> tuple[np.ndarray, tuple[int, int]]:
        """Read one image for a picture of it; override it where smaller sizes are faster.

        Parameters
        ----------
        position : int
            Which image.
        longest : int
            Length in pixels of the longer side that is enough.

        Returns
        -------
        image : ndarray of shape (h, w, n_channels)
            The image at any size whose longer side is at least so long, or at its own.
        size : tuple of int
            Its own height and width in pixels, as :meth:`size_of` gives them.
        """
        image = self.read_one(position)
        return image, (image.shape[0], image.shape[1])

    def size_of(self, position: int) -> tuple[int, int]:
        """Return height and width of an image; override it where that needs no decoding.

        Parameters
        ----------
        position : int
            Which image.

        Returns
        -------
        tuple of int
            In pixels.
        """
        height, width = self.read_one(position).shape[:2]
        return height, width

    def check(self, position: int) -> None:
        """Raise an error if an image is damaged; override it if that is faster than reading.

        Parameters
        ----------
        position : int
            Which image.

        Raises
        ------
        ImageReadError
            If it cannot be read.
        """
        self.read_one(position)

    def subset(self, positions: np.ndarray) -> ImageSource | None:
        """Return a source of some images only, or None to go on with this one.

        It is called when a view is pickled; override it where a source holds much memory for
        each image, so that a worker process gets only what it needs.

        Parameters
        ----------
        positions : ndarray of shape (b,), int
            Which images.

        Returns
        -------
        ImageSource or None
            The smaller source.
        """
        return None

    @cached_property
    def _warned(self) -> set[str]:
        """Kinds of warnings that were given for these images, each of which is given once."""
        return set()


class EncodedImageSource(ImageSource):
    """Encoded images (JPEG, PNG, TIFF, ...), decoded when they are read.

    A subclass needs ``__len__`` and :meth:`open_one`.  The rules are those of image files:
    images come out upright, as RGB of 8 bits, and what cannot be decoded ends in an
    :class:`~p2pselect.exceptions.ImageReadError` that names the image.

    See Also
    --------
    ImageSource : Base class of sources that give pixels.

    Examples
    --------
    Images in a zip file:

    >>> import io, zipfile
    >>> from p2pselect.images import EncodedImageSource
    >>> class ZippedImages(EncodedImageSource):
    ...     def __init__(self, path):
    ...         self.path = path
    ...         self.names = zipfile.ZipFile(path).namelist()
    ...
    ...     def __len__(self):
    ...         return len(self.names)
    ...
    ...     def open_one(self, position):
    ...         name = self.names[position]
    ...         content = zipfile.ZipFile(self.path).read(name)
    ...         return io.BytesIO(content), f"{name} in {self.path}"
    """

    _becomes_rgb = True

    @abstractmethod
    def open_one(self, position: int) -> tuple[str | os.PathLike[str] | IO[bytes], str]:
        """Give one encoded image and its name.

        Parameters
        ----------
        position : int
            From 0 to ``len(self) - 1``.

        Returns
        -------
        file : path or binary file
            The encoded image.
        name : str
            What error messages and warnings call the image.
        """

    def read_one(self, position: int) -> np.ndarray:
        return decode_image(*self.open_one(position), self._warned)

    def read_small(self, position: int, longest: int) -> tuple[np.ndarray, tuple[int, int]]:
        return decode_small(*self.open_one(position), self._warned, longest)

    def size_of(self, position: int) -> tuple[int, int]:
        return read_opened(*self.open_one(position), upright_size)

    def check(self, position: int) -> None:
        self.read_small(position, 1)
