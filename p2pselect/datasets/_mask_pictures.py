"""Which pixels of a mask picture are the object.

Masks come as black-and-white pictures, some with soft edges or the noise of a lossy format, and
as label maps: small numbers, or indices into a palette.  A single picture does not always tell
which of these it is, so all masks of a set are interpreted together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from p2pselect.exceptions import InputError
from p2pselect.images._decode import from_pillow, upright

#: A pixel of a black-and-white picture is the object if it is at least this bright.
WHITE = 128
#: In pictures that contain white, values up to this one are taken for noise around black.
_NOISE = 31
#: The label of pixels about which data sets such as VOC say nothing.
_VOID = 255
#: The color that label 255 has in VOC's palette.
_VOID_COLOR = (224, 224, 192)
_PACKED = np.array([1 << 16, 1 << 8, 1])
#: Channels that differ by more than this are color, not the noise of a lossy format.
_COLORED = 32
#: As many as a palette can hold.
_MOST_COLORS = 256


@dataclass
class MaskPicture:
    """The content of a picture, before it is decided how the masks of the set are coded."""

    #: Brightness or label (255 for every larger one), uint8 (h, w).
    values: np.ndarray
    #: "brightness", "labels", or "either" if this picture alone does not tell.
    coding: str
    #: How many pixels have each value, int (256,), before the picture is resized.
    counts: np.ndarray


def read_mask_picture(image: Image.Image) -> MaskPicture:
    """Interpret a Pillow image as a mask.

    * 1-bit pictures and pictures in a lossy format hold brightness.
    * Pictures with a palette of colors hold labels; label 0 is not the object, whatever its
      color.
    * Pictures with several colors hold labels; black is not the object.  Transparent pixels
      count as black.
    * 16- and 32-bit integers are labels, unless some of them are as large as white.
    * Floats in [0, 1] are brightness.
    * 8-bit gray is brightness or labels, which the whole set of masks decides.

    Raises a ValueError if the picture is a photograph, if its values are negative or outside
    their range, or if it has a label that means "unknown" in many data sets.
    """
    lossy = image.format in ("JPEG", "MPO")
    if image.mode in ("P", "PA") and not lossy:
        indices = np.asarray(upright(image.convert("P") if image.mode == "PA" else image))
        if _has_colors(image, indices):
            return _labels(indices.astype(np.int64))
    if image.mode.startswith("I"):
        numbers = np.asarray(upright(image)).astype(np.int64)
        if numbers.min() < 0 or numbers.max() > 65535 or numbers.max() < WHITE << 8:
            return _labels(numbers)
        return _picture(numbers >> 8, "brightness")
    if image.mode == "F":
        shares = np.asarray(upright(image))
        if not (np.isfinite(shares).all() and 0 <= shares.min() <= shares.max() <= 1):
            raise ValueError("float values outside [0, 1] are not a mask")
        return _picture(np.rint(shares * 255), "brightness")
    bits = image.mode == "1"
    rgb = from_pillow(image)
    if not lossy and int((rgb.max(axis=2) - rgb.min(axis=2)).max()) > _COLORED:
        return _labels(_numbered_colors(rgb))
    return _picture(rgb.max(axis=2), "brightness" if bits or lossy else "either")


def _has_colors(image: Image.Image, indices: np.ndarray) -> bool:
    """Whether the palette colors that the picture uses are more than shades of gray."""
    used = np.unique(indices)
    flat = image.getpalette("RGB") or []
    colors = {int(i): tuple(flat[3 * int(i) : 3 * int(i) + 3]) for i in used}
    if all(len(set(color)) <= 1 for color in colors.values()):
        return False
    black = [index for index, color in colors.items() if index and not any(color)]
    if black and any(colors.get(0, (0,))):
        raise ValueError(
            f"its palette has black at {black[0]} and a color at 0, so either could stand for "
            "the background: save the mask in black and white"
        )
    return True


def _numbered_colors(rgb: np.ndarray) -> np.ndarray:
    """0 where a picture is black, and a number for each other color."""
    packed = rgb @ _PACKED
    colors = np.unique(packed)
    if len(colors) > _MOST_COLORS:
        raise ValueError(f"it has {len(colors)} colors: this is a photograph, not a mask")
    if np.dot(_VOID_COLOR, _PACKED) in colors:
        raise ValueError(_void(f"the color {_VOID_COLOR}"))
    # Below 255, which would mean "unknown" although no pixel says so.
    return np.searchsorted(np.union1d(colors, 0), packed).clip(max=_VOID - 1)


def _labels(numbers: np.ndarray) -> MaskPicture:
    if numbers.min() < 0:
        raise ValueError(f"it has negative values, down to {numbers.min()}")
    # 0 and 255 alone are an ordinary mask in black and white.
    if (numbers == _VOID).any() and len(np.unique(numbers)) > 2:
        raise ValueError(_void(f"the label {_VOID} next to others"))
    return _picture(numbers.clip(max=_VOID), "labels")


def _picture(values: np.ndarray, coding: str) -> MaskPicture:
    counts = np.bincount(values.astype(np.intp).ravel(), minlength=256)
    return MaskPicture(values.astype(np.uint8), coding, counts)


def _void(what: str) -> str:
    return (
        f'it has {what}, which means "unknown" in many data sets: read the labels yourself and '
        "pass masks=(labels == k) and valid=(labels != 255)"
    )


def has_white(picture: MaskPicture) -> bool:
    """Whether a picture tells that the gray ones of its set are black and white."""
    return picture.coding != "labels" and _top(picture) >= WHITE


def _top(picture: MaskPicture) -> int:
    return int(np.flatnonzero(picture.counts).max(initial=0))


def find_objects(
    pictures: list[MaskPicture], names: list[str], white: bool | None = None
) -> tuple[list[np.ndarray], list[str]]:
    """Decide how a set of masks is coded, and where the objects are.

    If any picture contains white (128 or brighter), the gray ones are black-and-white pictures
    whose object is 128 or brighter.  Otherwise they are label maps whose object is not 0.
    ``white`` says which, where these pictures are only some of the set.

    Returns the masks, bool (h, w) each, and remarks on what may have been meant differently.
    Raises an InputError if a picture has white and a few dark values, which could be noise or
    labels.
    """
    if white is None:
        white = any(map(has_white, pictures))
    masks: list[np.ndarray] = []
    remarks: dict[str, list[str]] = {}
    for picture, name in zip(pictures, names, strict=True):
        top = _top(picture)
        as_labels = picture.coding == "labels" or (picture.coding == "either" and not white)
        masks.append(picture.values > 0 if as_labels else picture.values >= WHITE)
        used = np.flatnonzero(picture.counts[1:]) + 1
        between = picture.counts[_NOISE + 1 : 255 - _NOISE].sum()
        remark = ""
        if as_labels:
            if len(used) > 1:
                remark = "has several labels; all of them except 0 count as the object"
        elif picture.coding == "either" and _may_be_void(used):
            raise InputError(
                f"{name}: has the values {used[:4].tolist()} next to 255. Is this noise, or "
                "are they labels and 255 means unknown? Save masks with 0 and 255 only, or "
                "pass arrays as masks and valid"
            )
        elif 0 < top < WHITE:
            remark = "has nothing brighter than 127 and counts as a mask without an object"
        elif between > picture.counts[255 - _NOISE :].sum() > 0:
            remark = "is mostly shades of gray; the object is what is 128 or brighter"
        if remark:
            remarks.setdefault(remark, []).append(name)
    return masks, [
        f"{same[0]} {remark}" + (f" ({len(same)} such masks)" if len(same) > 1 else "")
        for remark, same in remarks.items()
    ]


def _may_be_void(used: np.ndarray) -> bool:
    """Whether 255 is the only value above the noise, and there are values within the noise."""
    dark = used[used <= _NOISE]
    return len(dark) > 0 and len(dark) == len(used) - 1 and int(used[-1]) == _VOID
