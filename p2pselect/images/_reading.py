"""Decoding of image files, whatever they turn out to be."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import IO, Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from p2pselect.exceptions import ImageReadError, brief_path
from p2pselect.images._pillow import (
    from_pillow,
    remark_on_frames,
    too_many_pixels,
    upright_size,
)

# Formats that hold pixels and are decoded inside this process (EPS, for one, would start
# Ghostscript). MPO is what many cameras and telephones call a JPEG.
_FORMATS = (
    "JPEG",
    "MPO",
    "PNG",
    "WEBP",
    "GIF",
    "BMP",
    "DIB",
    "TIFF",
    "PPM",
    "JPEG2000",
    "AVIF",
    "HEIF",
    "JXL",
    "QOI",
)
_JPEG = b"\xff\xd8\xff"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def readable_endings() -> tuple[str, ...]:
    """Endings of file names, as Pillow registers them, of all formats that are decoded here.

    Returns
    -------
    tuple of str
        In lower case, with the dot, sorted.  Plug-ins of Pillow that are registered (HEIF, for
        example) count.
    """
    # Pillow opens MPO as JPEG and then looks again.
    known = {*_formats(), "MPO"}
    return tuple(
        sorted(e for e, name in Image.registered_extensions().items() if name in known)
    )


def read_file(path: str | os.PathLike[str], told: set[str] | None = None) -> np.ndarray:
    """Decode one image file.

    Parameters
    ----------
    path : str or path-like
        A JPEG, PNG, WebP, GIF, BMP, TIFF, PPM, JPEG 2000, AVIF, QOI or (with a Pillow
        plug-in) HEIF or JPEG XL file; the content decides, not the name's ending.
    told : set of str, default None
        Kinds of remarks that were made already, see :func:`~p2pselect.images._pillow.tell`.

    Returns
    -------
    ndarray of shape (h, w, 3), uint8

    Raises
    ------
    ImageReadError
        When the file is missing, is not such an image, is truncated or damaged, has bands
        without a rule, or has more pixels than ``PIL.Image.MAX_IMAGE_PIXELS`` (a
        decompression bomb).  A JPEG with up to four times as many, such as the photographs
        of some telephones, is decoded at half its height and width.
    """
    return decode(path, named(path), told)


def named(path: str | os.PathLike[str]) -> str:
    """A path as messages show it: whole, unless it is longer than any can be."""
    name, shown = os.fspath(path), brief_path(path)
    return name if len(name) < len(shown) else shown


def read_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Height and width of an image file as it is shown upright, without decoding its pixels.

    Raises
    ------
    ImageReadError
        When the file is missing or is not an image.
    """
    return decode(path, named(path), convert=upright_size)


def decode(
    file: str | os.PathLike[str] | IO[bytes],
    name: str,
    told: set[str] | None = None,
    *,
    convert: Callable[[Image.Image], Any] | None = None,
    smallest: bool = False,
) -> Any:
    """Decode an image that may be open already, as :func:`read_file` does.

    Parameters
    ----------
    file : path or binary file
    name : str
        What it is called in messages.
    told : set of str, default None
        Kinds of remarks that were made already.
    convert : callable, default None
        What makes something else of the Pillow image than its pixels.
    smallest : bool, default False
        Decode a JPEG at an eighth of its height and width.  All of its data are read, so that
        damage is found as in a full decode, in about a third of the time.

    Returns
    -------
    ndarray of shape (h, w, 3), uint8
        Or what ``convert`` returns.

    Raises
    ------
    ImageReadError
    """
    try:
        with _open(file) as image:
            if convert is not None:
                return convert(image)
            if smallest:
                image.draft(None, (1, 1))  # of JPEGs only; other formats know no smaller size
            _fit_into_limit(image)
            remark_on_frames(image, name, told)
            return from_pillow(image, name, told)
    except MemoryError:
        raise
    # Pillow's decoders answer damaged files with nearly every exception there is.
    except Exception as error:
        raise ImageReadError(f"{name}: {_reason(file, error)}") from error


def _open(file: str | os.PathLike[str] | IO[bytes]) -> Image.Image:
    """``Image.open``, but without its refusal of large JPEGs, which can be decoded smaller."""
    if isinstance(file, str | os.PathLike):
        with open(file, "rb") as opened:  # noqa: PTH123 (one per image)
            start = opened.read(len(_JPEG))
    else:
        start = file.read(len(_JPEG))
        file.seek(-len(start), os.SEEK_CUR)
    if start == _JPEG:
        Image.init()
        return Image.OPEN["JPEG"][0](file, "")  # type: ignore[arg-type]  # or a path
    return Image.open(file, formats=_formats())


def _fit_into_limit(image: Image.Image) -> None:
    """Have a JPEG beyond the limit decoded at half its size, if that is within the limit."""
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.format in ("JPEG", "MPO"):
        width, height = image.size
        if -(-width // 2) * -(-height // 2) <= limit < width * height:
            image.draft(None, (width // 2, height // 2))


def _reason(file: str | os.PathLike[str] | IO[bytes], error: Exception) -> str:
    if isinstance(file, str | os.PathLike):
        if not os.path.exists(file):  # noqa: PTH110 (embedded NUL: False here, an error there)
            if os.path.islink(file):  # noqa: PTH114
                return f"is a link to {os.readlink(file)}, which does not exist"  # noqa: PTH115
            return "no such file"
        if os.path.isdir(file):  # noqa: PTH112
            return "is a folder, expected an image file"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return too_many_pixels()
    if isinstance(error, UnidentifiedImageError):
        return _unidentified(file)
    return f"cannot be decoded: {error}"


def _unidentified(file: str | os.PathLike[str] | IO[bytes]) -> str:
    if isinstance(file, str | os.PathLike):
        with open(file, "rb") as opened:  # noqa: PTH123
            start = opened.read(4)
        n_bytes = os.path.getsize(file)  # noqa: PTH202
    else:
        file.seek(0)
        start = file.read(4)
        n_bytes = file.seek(0, os.SEEK_END)
    if start in _TIFF:
        return (
            "is a TIFF file of a kind that Pillow cannot decode (more than four bands, floats "
            "in color or of 64 bits, or a volume, for example): read it and pass arrays"
        )
    return f"not an image in a known format ({n_bytes} bytes)"
