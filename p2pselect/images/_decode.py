"""Decoding of image files and Pillow images: one stated rule for every odd kind.

* EXIF orientation is applied: the image stands upright.
* Of an animation, or of a Pillow image with several frames, the current frame is taken: the
  first one, unless it was moved.  TIFF files of several pages are refused.
* Gray, palette, CMYK, YCbCr, HSV and Lab become RGB as ``Image.convert`` does it.
* Opacity (an alpha channel, or one transparent color) is blended with black.
* Of 16 bits the upper 8 are taken, in gray as in color, so that all images are scaled alike.
* What has no rule is refused: 32-bit floats, TIFF bands that are neither color nor opacity,
  more pixels than ``PIL.Image.MAX_IMAGE_PIXELS``.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import IO, Any, TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from p2pselect.exceptions import ImageReadError, P2PSelectWarning, brief_path
from p2pselect.images._geometry import Size, bounded
from p2pselect.images._pixels import to_rgb

ImageFile = str | os.PathLike[str] | IO[bytes]
Read = TypeVar("Read")

#: Formats that hold pixels and are decoded inside this process (EPS, for one, would start
#: Ghostscript).  MPO is what many cameras and phones call a JPEG.
_FORMATS = "JPEG MPO PNG WEBP GIF BMP DIB TIFF PPM JPEG2000 AVIF HEIF JXL QOI".split()
_JPEG = b"\xff\xd8\xff"
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_NUMPY, _ZIP = b"\x93NUM", b"PK\x03\x04"
#: At the 128th byte of a file.
DICOM = b"DICM"

_ORIENTATION = 0x0112
#: Tags of TIFF files.
_KIND_OF_PAGE, _BITS, _PHOTOMETRIC, _BANDS, _PLANES, _EXTRA = 254, 258, 262, 277, 284, 338
_SAMPLE_FORMAT, _SIGNED = 339, 2
#: Bands of color by photometric interpretation: gray, RGB, palette, CMYK, YCbCr, Lab.
_COLORS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3}
#: Kinds of extra bands that are opacity: colors multiplied by it already, and not.
_OPACITY = ((1,), (2,))
_WHITE_IS_ZERO = 0
#: 16-bit values that span less than this (data of 14 bits or fewer) lose much of their contrast
#: where the upper 8 bits are taken.
_NARROW = 1 << 14


def readable_endings() -> tuple[str, ...]:
    """Endings of the names of files that can be decoded, in lower case with the dot, sorted.

    Formats of registered Pillow plug-ins (HEIF, for example) are included.
    """
    # Pillow opens MPO as JPEG and then looks again.
    known = {*_formats(), "MPO"}
    endings = Image.registered_extensions().items()
    return tuple(sorted(ending for ending, name in endings if name in known))


def _formats() -> list[str]:
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def decode_image(file: ImageFile, name: str, warned: set[str] | None = None) -> np.ndarray:
    """Decode a file into RGB pixels (h, w, 3), uint8; its content decides, not its ending.

    ``name`` is what messages call it, and ``warned`` is for :func:`warn_once`.

    A JPEG with up to four times ``PIL.Image.MAX_IMAGE_PIXELS``, such as the photographs of some
    phones, is decoded at half its height and width.

    Raises
    ------
    ImageReadError
        If the file is missing, damaged, not an image, or of a kind without a rule.
    """
    return read_opened(file, name, lambda image: _decoded(image, name, warned))


def decode_small(
    file: ImageFile, name: str, warned: set[str] | None, longest: int
) -> tuple[np.ndarray, Size]:
    """Decode a file for a picture whose longer side is so long, and say its own size (h, w).

    A JPEG is decoded at a half, a quarter or an eighth of its size where that is enough.  All
    of its data is still read, and so all damage found, in as little as a third of the time.
    """

    def small(image: Image.Image) -> tuple[np.ndarray, Size]:
        size = upright_size(image)
        return _decoded(image, name, warned, longest), size

    return read_opened(file, name, small)


def read_opened(file: ImageFile, name: str, read: Callable[[Image.Image], Read]) -> Read:
    """What ``read`` makes of the Pillow image in a file; errors are those of an image."""
    try:
        if isinstance(file, str | os.PathLike):
            with open(file, "rb") as opened, open_pillow(opened) as image:  # noqa: PTH123
                return read(image)
        with open_pillow(file) as image:
            return read(image)
    except MemoryError:  # says nothing about the file
        raise
    # Pillow's decoders answer damaged files with nearly every exception there is.
    except Exception as error:
        raise ImageReadError(f"{name}: {say_reason(file, error)}") from error


def _decoded(
    image: Image.Image, name: str, warned: set[str] | None, longest: int | None = None
) -> np.ndarray:
    whole = image.size
    if longest is not None:
        image.draft(None, bounded(whole, longest))
    # Pillow forgets the first smaller size when it is asked for a second one.
    if image.size == whole:
        _fit_into_limit(image)
    _warn_of_frames(image, name, warned)
    return from_pillow(image, name, warned)


def shown_path(path: str | os.PathLike[str]) -> str:
    """A path as it is, without quotes, unless it is longer than any path can be."""
    name, shown = os.fspath(path), brief_path(path)
    return name if len(name) < len(shown) else shown


def open_pillow(file: IO[bytes]) -> Image.Image:
    """``Image.open``, but without its refusal of large JPEGs, which can be decoded smaller."""
    start = file.read(4)
    file.seek(-len(start), os.SEEK_CUR)
    if start.startswith(_JPEG):
        Image.init()
        return Image.OPEN["JPEG"][0](file, "")
    try:
        return Image.open(file, formats=_formats())
    except UnidentifiedImageError as error:
        if start in TIFF:
            raise UnidentifiedImageError(
                "is a TIFF file of a kind that Pillow cannot decode (more than four bands, "
                "floats in color or of 64 bits, or a volume, for example): if every band is a "
                "channel, say how many there are (n_channels=; of an estimator "
                "images__n_channels=)"
            ) from error
        if start in (_NUMPY, _ZIP):
            raise UnidentifiedImageError(
                "is a file of NumPy, which does not say what its values mean: pass "
                "value_range= or n_channels= (of an estimator images__value_range=)"
            ) from error
        file.seek(128)
        if file.read(4) == DICOM:
            raise UnidentifiedImageError(
                "is a DICOM image: pass value_range=(low, high), in its units, or 'window', "
                "its own (of an estimator images__value_range=)"
            ) from error
        unknown = f"not an image in a known format ({file.seek(0, os.SEEK_END)} bytes)"
        raise UnidentifiedImageError(unknown) from error


def _fit_into_limit(image: Image.Image) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.format in ("JPEG", "MPO"):
        width, height = image.size
        if -(-width // 2) * -(-height // 2) <= limit < width * height:
            image.draft(None, (width // 2, height // 2))


def say_reason(file: ImageFile, error: Exception) -> str:
    if isinstance(file, str | os.PathLike):
        if not os.path.exists(file):  # noqa: PTH110 (embedded NUL: False here, an error there)
            if os.path.islink(file):  # noqa: PTH114
                return f"is a link to {os.readlink(file)}, which does not exist"  # noqa: PTH115
            return "no such file"
        if os.path.isdir(file):  # noqa: PTH112
            return "is a folder, expected an image file"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return _too_many_pixels()
    if isinstance(error, UnidentifiedImageError):
        return str(error)
    return f"cannot be decoded: {error}"


def from_pillow(
    image: Image.Image, name: str = "the image", warned: set[str] | None = None
) -> np.ndarray:
    """RGB pixels (h, w, 3), uint8, of a Pillow image of any mode, by the rules above.

    The image is not modified, except that its pixels are loaded.

    Raises
    ------
    ValueError, OSError
        If there is no rule for its mode or bands, it has too many pixels, or cannot be loaded.
    """
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:
        raise ValueError(f"{image.width} x {image.height} pixels: {_too_many_pixels()}")
    tags = getattr(image, "tag_v2", {})
    _check_bands(tags)
    # Looked at before loading, which forgets it.
    wide = any(";16" in str(tile) for tile in getattr(image, "tile", []))
    image.load()
    mode = image.mode
    if mode == "F":
        raise ValueError(
            "32-bit float pixels have no known range: of a file, say it (value_range=; of an "
            "estimator images__value_range=), or convert the image to 8 bits"
        )
    image = upright(image)
    if mode.startswith("I"):
        values = _sixteen_bits(image, tags)
        _warn_of_range(int(values.min()), int(values.max()), name, warned)
        gray = (values >> 8).astype(np.uint8)
        # A value as stored, so it is compared with the image, not with the scaled values.
        transparent = image.info.get("transparency")
        if isinstance(transparent, int):
            gray[np.asarray(image) == transparent] = 0
        return to_rgb(gray[..., np.newaxis])
    rgb = np.array(image if image.mode == "RGB" else image.convert("RGB"))
    if wide:
        # Only the upper 8 bits are left here: the widest range that they allow for.
        _warn_of_range(int(rgb.min()) << 8, int(rgb.max()) << 8 | 255, name, warned)
    if image.has_transparency_data:
        return to_rgb(np.asarray(image.convert("RGBA")))
    return rgb


def upright(image: Image.Image) -> Image.Image:
    """A Pillow image with its EXIF orientation applied."""
    orientation = _orientation(image)
    if orientation not in range(2, 9):
        return image
    # Without the rest of its EXIF block, which exif_transpose writes again: that fails if
    # another tag is damaged.
    bare = image.copy()
    bare.info = {key: image.info[key] for key in ("transparency",) if key in image.info}
    bare.getexif()[_ORIENTATION] = orientation
    return ImageOps.exif_transpose(bare)


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Height and width of a Pillow image once its EXIF orientation is applied."""
    size = image.height, image.width
    return size[::-1] if _orientation(image) >= 5 else size


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a damaged EXIF block says nothing about the pixels
        return 1


def warn_once(warned: set[str] | None, kind: str, message: str) -> None:
    """Warn, unless images that share the set ``warned`` had a warning of this kind already."""
    if warned is not None:
        if kind in warned:
            return
        warned.add(kind)
        message += "; other images like it are not named"
    warnings.warn(message, P2PSelectWarning, stacklevel=2)


def _too_many_pixels() -> str:
    return (
        f"more than PIL.Image.MAX_IMAGE_PIXELS = {Image.MAX_IMAGE_PIXELS}, the limit against "
        "files that fill the memory; if you trust the image, raise that limit (on the command "
        "line: --max-pixels), or make the image smaller"
    )


def _warn_of_frames(image: Image.Image, name: str, warned: set[str] | None) -> None:
    """Warn that other frames or pages are ignored, unless they are mere previews.

    Previews are the second pictures of photographs (MPO) and smaller versions of the same page
    in TIFF files.
    """
    if image.format == "MPO" or not getattr(image, "is_animated", False):
        return
    if image.format == "TIFF":
        image.seek(1)
        smaller = int(image.tag_v2.get(_KIND_OF_PAGE, 0)) & 1  # type: ignore[attr-defined]
        image.seek(0)
        if smaller:
            return
        raise ValueError(of_several_pages(getattr(image, "n_frames", 2)))
    count = getattr(image, "n_frames", 2)
    warn_once(warned, "frames", f"{name} has {count} frames or pages: only the first is used")


def of_several_pages(count: int) -> str:
    """Why a TIFF file is refused of whose pages nobody has said what they are."""
    return (
        f"has {count} pages, and nothing says what they are: pass pages='channels' if every "
        "page is a channel, or the number of the page to use, from 0 (of an estimator "
        "images__pages=)"
    )


def _check_bands(tags: dict[int, Any]) -> None:
    """Refuse TIFF files whose bands Pillow would drop or misread."""
    bands = int(tags.get(_BANDS, 1))
    extra = bands - _COLORS.get(tags.get(_PHOTOMETRIC, -1), bands)
    if extra > 1 or (extra == 1 and tuple(tags.get(_EXTRA, ())) not in _OPACITY):
        raise ValueError(
            f"{bands} bands, {extra} of which are neither color nor opacity: if every "
            f"band is a channel, pass n_channels={bands} (of an estimator "
            f"images__n_channels={bands})"
        )
    if bands > 1 and tags.get(_PLANES) == 2 and max(tags.get(_BITS, (8,))) > 8:
        raise ValueError("16-bit bands in separate planes cannot be decoded: pass arrays")
    if _SIGNED in tags.get(_SAMPLE_FORMAT, ()) and max(tags.get(_BITS, (8,))) == 8:
        raise ValueError("signed 8-bit values have no known black: pass arrays")


def _sixteen_bits(image: Image.Image, tags: dict[int, Any]) -> np.ndarray:
    """Values of a gray image in 0..65535, white above black."""
    values = np.asarray(image).astype(np.int64)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise ValueError(
            f"integer pixels from {low} to {high}, expected 16-bit values in 0..65535"
        )
    if image.mode.startswith("I;16"):
        bits = max(tags.get(_BITS, (16,)))
        if 8 < bits < 16:  # packed, so that the file itself says which value is white
            values = values * 65535 // ((1 << bits) - 1)
        if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
            values = 65535 - values
    return values


def _warn_of_range(low: int, high: int, name: str, warned: set[str] | None) -> None:
    if low < high and high - low < _NARROW:
        levels = (high >> 8) - (low >> 8) + 1
        warn_once(
            warned,
            "range",
            f"{name} has 16-bit values from {low} to {high}, of which the upper 8 bits leave "
            f"{levels} of 256 levels: if 0..65535 is not the range of such images, say "
            "theirs (value_range=; of an estimator images__value_range=)",
        )
