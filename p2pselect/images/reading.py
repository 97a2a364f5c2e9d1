"""Decoding of image files and Pillow images: one stated rule for every odd kind."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import IO, Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from p2pselect.exceptions import ImageReadError
from p2pselect.images.pixels import to_rgb

# Formats that hold pixels and are decoded inside this process (EPS, for one, would start
# Ghostscript). MPO is what many cameras and telephones call a JPEG.
_FORMATS = (
    "JPEG",
    "MPO",
    "PNG",
    "WEBP",
    "GIF",
    "BMP",
    "TIFF",
    "PPM",
    "JPEG2000",
    "AVIF",
    "HEIF",
)

_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def read_file(
    path: str | os.PathLike[str], convert: Callable[[Image.Image], Any] | None = None
) -> Any:
    """Decode one image file.

    Parameters
    ----------
    path : str or path-like
        A JPEG, PNG, WebP, GIF, BMP, TIFF, PPM, JPEG 2000, AVIF or (with a Pillow plug-in)
        HEIF file; the content decides, not the name's ending.
    convert : callable, default :func:`from_pillow`
        What makes an array of the Pillow image.

    Returns
    -------
    ndarray of shape (h, w, 3), uint8
        Or what ``convert`` returns.

    Raises
    ------
    ImageReadError
        When the file is missing, is no such image, is truncated or damaged, or has more
        pixels than ``PIL.Image.MAX_IMAGE_PIXELS`` (a decompression bomb).
    """
    return decode(path, os.fspath(path), convert)


def read_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Height and width of an image file as it is shown upright, without decoding its pixels.

    Raises
    ------
    ImageReadError
        When the file is missing or is not an image.
    """
    return decode(path, os.fspath(path), upright_size)


def decode(
    file: str | os.PathLike[str] | IO[bytes],
    name: str,
    convert: Callable[[Image.Image], Any] | None = None,
) -> Any:
    """Decode an image that is open already, as :func:`read_file` does.

    Parameters
    ----------
    file : path or binary file
    name : str
        What it is called in messages.
    convert : callable, default :func:`from_pillow`

    Returns
    -------
    ndarray of shape (h, w, 3), uint8
        Or what ``convert`` returns.

    Raises
    ------
    ImageReadError
    """
    try:
        with Image.open(file, formats=_formats()) as image:
            return (convert or from_pillow)(image)
    except MemoryError:
        raise
    # Pillow's decoders answer damaged files with nearly every exception there is.
    except Exception as error:
        raise ImageReadError(f"{name}: {_reason(file, error)}") from error


def _reason(file: str | os.PathLike[str] | IO[bytes], error: Exception) -> str:
    if isinstance(file, str | os.PathLike):
        return _reason_of_file(file, error)
    if isinstance(error, UnidentifiedImageError):
        return "not an image in a known format"
    return f"cannot be decoded: {error}"


def _reason_of_file(path: str | os.PathLike[str], error: Exception) -> str:
    if not os.path.exists(path):  # noqa: PTH110 (embedded NUL: False here, an error there)
        return "no such file"
    if os.path.isdir(path):  # noqa: PTH112
        return "is a folder, expected an image file"
    if isinstance(error, UnidentifiedImageError):
        n_bytes = os.path.getsize(path)  # noqa: PTH202
        return f"not an image in a known format ({n_bytes} bytes)"
    return f"cannot be decoded: {error}"


def from_pillow(image: Image.Image) -> np.ndarray:
    """Turn a Pillow image of any mode into RGB.

    * EXIF orientation is applied: the image stands upright.
    * Of an animated image the frame it stands at is taken: the first, unless moved.
    * Grey, palette, CMYK, YCbCr, HSV and Lab become RGB as ``Image.convert`` does it.
    * Opacity (an alpha channel, or one transparent colour) is laid over black.
    * Of 16 bits the upper 8 are taken, in grey as in colour.
    * 32-bit float images are refused: nothing says which value is white.

    Parameters
    ----------
    image : PIL.Image.Image
        Not modified, except that its pixels get loaded.

    Returns
    -------
    ndarray of shape (h, w, 3), uint8
        The pixels.

    Raises
    ------
    ValueError, OSError
        When the image has a mode without a rule, too many pixels, or cannot be loaded.
    """
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:
        raise ValueError(
            f"{image.width} x {image.height} pixels are more than PIL.Image.MAX_IMAGE_PIXELS "
            f"= {limit}; raise that limit if you trust the image"
        )
    image.load()
    orientation = _orientation(image)
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
    if image.mode.startswith("I"):
        return _upper_byte(image)
    if image.mode == "F":
        raise ValueError("32-bit float pixels have no known range; convert the image to 8 bits")
    if image.has_transparency_data:
        return to_rgb(np.asarray(image.convert("RGBA")))
    return np.array(image.convert("RGB"))


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Height and width of a Pillow image once its EXIF orientation is applied."""
    turned = _orientation(image) >= 5
    return (image.width, image.height) if turned else (image.height, image.width)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a damaged EXIF block says nothing about the pixels
        return 1


def _upper_byte(image: Image.Image) -> np.ndarray:
    values = np.asarray(image)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise ValueError(
            f"integer pixels from {low} to {high}, expected 16-bit values in 0..65535"
        )
    grey = (values >> 8).astype(np.uint8)
    return to_rgb(grey[..., np.newaxis])
