"""Pixels of Pillow images: one stated rule for every odd kind, and a warning if it costs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from PIL import Image

from p2pselect.exceptions import P2PSelectWarning
from p2pselect.images._pixels import to_rgb

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

# Tags of TIFF files.
_KIND_OF_PAGE, _BITS, _PHOTOMETRIC, _BANDS, _PLANES, _EXTRA = 254, 258, 262, 277, 284, 338
_SAMPLE_FORMAT, _SIGNED = 339, 2
#: Bands of color by photometric interpretation: grey, RGB, palette, CMYK, YCbCr, Lab.
_COLORS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3}
_OPACITY = ((1,), (2,))
_WHITE_IS_ZERO = 0

#: Values of 16 bits that span less than this (data of 14 bits or fewer) lose much of their
#: contrast where the upper 8 bits are taken.
_NARROW = 1 << 14


def from_pillow(
    image: Image.Image, name: str = "the image", told: set[str] | None = None
) -> np.ndarray:
    """Turn a Pillow image of any mode into RGB.

    * EXIF orientation is applied: the image stands upright.
    * Of an animated image the frame it stands at is taken: the first, unless moved.
    * Grey, palette, CMYK, YCbCr, HSV and Lab become RGB as ``Image.convert`` does it.
    * Opacity (an alpha channel, or one transparent color) is laid over black.
    * Of 16 bits the upper 8 are taken, in grey as in color, with a warning where the values
      span less than a quarter of the range: every image is scaled alike, whatever is in it.
    * 32-bit float images are refused: nothing says which value is white.
    * TIFF bands that are neither color nor opacity are refused.

    Parameters
    ----------
    image : PIL.Image.Image
        Not modified, except that its pixels get loaded.
    name : str
        What warnings call it.
    told : set of str, default None
        Kinds of remarks that were made already, see :func:`tell`.

    Returns
    -------
    ndarray of shape (h, w, 3), uint8
        The pixels.

    Raises
    ------
    ValueError, OSError
        When the image has a mode or bands without a rule, too many pixels, or cannot be
        loaded.
    """
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:
        raise ValueError(f"{image.width} x {image.height} pixels: {too_many_pixels()}")
    tags = getattr(image, "tag_v2", {})
    _check_bands(tags)
    # Looked at before loading, which forgets it.
    wide = any(";16" in str(tile) for tile in getattr(image, "tile", []))
    image.load()
    turned = _orientation(image)
    if image.mode == "F":
        raise ValueError("32-bit float pixels have no known range; convert the image to 8 bits")
    if image.mode.startswith("I"):
        grey = _upper_byte(_sixteen_bits(image, tags), name, told)
        transparent = image.info.get("transparency")
        if isinstance(transparent, int):
            grey[np.asarray(image) == transparent] = 0
        image, wide = Image.fromarray(grey), False
    if turned in _UPRIGHT:
        image = image.transpose(_UPRIGHT[turned])
    rgb = np.array(image.convert("RGB"))
    if wide:
        _remark_on_range(int(rgb.min()) << 8, int(rgb.max()) << 8 | 255, name, told)
    if image.has_transparency_data:
        return to_rgb(np.asarray(image.convert("RGBA")))
    return rgb


def upright(image: Image.Image) -> Image.Image:
    """A Pillow image with its EXIF orientation applied."""
    turned = _orientation(image)
    return image.transpose(_UPRIGHT[turned]) if turned in _UPRIGHT else image


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Height and width of a Pillow image once its EXIF orientation is applied."""
    turned = _orientation(image) >= 5
    return (image.width, image.height) if turned else (image.height, image.width)


def too_many_pixels() -> str:
    """Say what the limit is, and what to do about it."""
    return (
        f"more than PIL.Image.MAX_IMAGE_PIXELS = {Image.MAX_IMAGE_PIXELS}, the limit against "
        "files that fill the memory; if you trust the image, raise that limit (on the command "
        "line: --max-pixels), or make the image smaller"
    )


def remark_on_frames(image: Image.Image, name: str, told: set[str] | None) -> None:
    """Say that other frames or pages of a file are not looked at.

    Previews are left unmentioned: the second pictures of photographs (MPO), and smaller
    versions of the same page in TIFF files.
    """
    if image.format == "MPO" or not getattr(image, "is_animated", False):
        return
    if image.format == "TIFF":
        image.seek(1)
        smaller = int(image.tag_v2.get(_KIND_OF_PAGE, 0)) & 1  # type: ignore[attr-defined]
        image.seek(0)
        if smaller:
            return
    count = getattr(image, "n_frames", 2)
    tell(told, "frames", f"{name} has {count} frames or pages: only the first is looked at")


def tell(told: set[str] | None, kind: str, remark: str) -> None:
    """Warn, once for all images that share the set of the kinds that were told already."""
    if told is not None:
        if kind in told:
            return
        told.add(kind)
        remark += "; other images like it are not named"
    warnings.warn(remark, P2PSelectWarning, stacklevel=2)


def _check_bands(tags: dict[int, Any]) -> None:
    """Refuse TIFF files whose bands Pillow would drop or misread."""
    bands = int(tags.get(_BANDS, 1))
    extra = bands - _COLORS.get(tags.get(_PHOTOMETRIC, -1), bands)
    if extra > 1 or (extra == 1 and tuple(tags.get(_EXTRA, ())) not in _OPACITY):
        raise ValueError(
            f"{bands} bands, of which {extra} are neither color nor opacity: choose one "
            "(grey) or three (RGB) of them, and pass arrays"
        )
    if bands > 1 and tags.get(_PLANES) == 2 and max(tags.get(_BITS, (8,))) > 8:
        raise ValueError("16-bit bands in separate planes cannot be decoded: pass arrays")
    if _SIGNED in tags.get(_SAMPLE_FORMAT, ()) and max(tags.get(_BITS, (8,))) == 8:
        raise ValueError("signed 8-bit values have no known black: pass arrays")


def _sixteen_bits(image: Image.Image, tags: dict[int, Any]) -> np.ndarray:
    """Values of a grey image in 0..65535, white above black."""
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


def _upper_byte(values: np.ndarray, name: str, told: set[str] | None) -> np.ndarray:
    _remark_on_range(int(values.min()), int(values.max()), name, told)
    return (values >> 8).astype(np.uint8)


def _remark_on_range(low: int, high: int, name: str, told: set[str] | None) -> None:
    if low < high and high - low < _NARROW:
        levels = (high >> 8) - (low >> 8) + 1
        tell(
            told,
            "range",
            f"{name} has 16-bit values from {low} to {high}, of which the upper 8 bits leave "
            f"{levels} of 256 levels: if 0..65535 is not the range of such images, scale them "
            "or pass floats in [0, 1]",
        )


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a damaged EXIF block says nothing about the pixels
        return 1
