"""Which pixels of a picture are the object, when the picture is a mask.

Masks come as black-and-white pictures, some with the noise of a lossy format or with soft
edges, and as label maps: small numbers, or indices into a palette.  One picture does not always
tell which it is, so a set of masks is decided on together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from p2pselect.exceptions import InputError
from p2pselect.images._pillow import from_pillow, upright

#: At least this bright is the object in a black-and-white picture.
WHITE = 128
#: Up to this bright is taken for noise beside black, in pictures that go up to white.
_NOISE = 31
#: Number of the pixels of which data sets such as VOC say nothing.
_VOID = 255
_VOID_COLOR = (224, 224, 192)
_PACKED = np.array([1 << 16, 1 << 8, 1])
#: Channels that differ by more are color, not the noise of a lossy format.
_COLORED = 32
_MOST_COLORS = 256


@dataclass
class MaskPicture:
    """What a picture says before it is decided how masks are coded.

    Attributes
    ----------
    values : ndarray of shape (h, w), uint8
        Brightness, or the label (255 for all that are larger).
    coding : {"brightness", "labels", "either"}
    counts : ndarray of shape (256,), int
        How many pixels have each value.
    """

    values: np.ndarray
    coding: str
    counts: np.ndarray


def read_mask_picture(image: Image.Image) -> MaskPicture:
    """Take a Pillow image for a mask.

    * 1 bit, and whatever is stored with loss: brightness.
    * A palette with colors: labels, of which 0 is not the object, whatever its color.
    * Several colors: labels, of which black is not the object; opacity is laid over black.
    * Integers of 16 or 32 bits: labels, unless they go up to white.
    * Floats in [0, 1]: brightness.
    * Grey of 8 bits: brightness or labels, which the set of masks decides.

    Raises
    ------
    ValueError
        When it is a photograph, has negative or unknown values, or a label that is "void" in
        many data sets, of which a mask cannot say that nothing is known.
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
    """Whether the colors of a palette that the picture uses are more than shades of grey."""
    used = np.unique(indices)
    flat = image.getpalette("RGB") or []
    colors = {int(i): tuple(flat[3 * int(i) : 3 * int(i) + 3]) for i in used}
    if all(len(set(color)) <= 1 for color in colors.values()):
        return False
    black = [index for index, color in colors.items() if index and not any(color)]
    if black and any(colors.get(0, (0,))):
        raise ValueError(
            f"its palette has black at {black[0]} and a color at 0, so either could be what is "
            "not the object: write black and white"
        )
    return True


def _numbered_colors(rgb: np.ndarray) -> np.ndarray:
    """0 where a picture is black, and a number for every other color."""
    packed = rgb @ _PACKED
    colors = np.unique(packed)
    if len(colors) > _MOST_COLORS:
        raise ValueError(f"has {len(colors)} colors: a photograph, not a mask")
    if np.dot(_VOID_COLOR, _PACKED) in colors:
        raise ValueError(_void(f"the color {_VOID_COLOR}"))
    return np.searchsorted(np.union1d(colors, 0), packed).clip(max=_VOID - 1)


def _labels(numbers: np.ndarray) -> MaskPicture:
    if numbers.min() < 0:
        raise ValueError(f"has negative values, the smallest is {numbers.min()}")
    if (numbers == _VOID).any() and len(np.unique(numbers)) > 2:
        raise ValueError(_void(f"the label {_VOID} beside others"))
    return _picture(numbers.clip(max=_VOID), "labels")


def _picture(values: np.ndarray, coding: str) -> MaskPicture:
    counts = np.bincount(values.astype(np.intp).ravel(), minlength=256)
    return MaskPicture(values.astype(np.uint8), coding, counts)


def _void(what: str) -> str:
    return (
        f"has {what}, which says in many data sets that nothing is known: read the labels "
        "yourself, and pass masks=(labels == k) and valid=(labels != 255)"
    )


def find_objects(
    pictures: list[MaskPicture], names: list[str]
) -> tuple[list[np.ndarray], list[str]]:
    """Decide how a set of masks is coded, and where the objects are.

    If any picture goes up to white (128 or brighter), grey ones are black-and-white pictures:
    the object is 128 or brighter.  Otherwise they are label maps: the object is not 0.

    Parameters
    ----------
    pictures : list of MaskPicture
    names : list of str
        What messages call them.

    Returns
    -------
    masks : list of ndarray of shape (h, w), bool
    remarks : list of str
        What was decided and may not be what was meant.

    Raises
    ------
    InputError
        If a picture has white and few dark values, which may be noise or labels.
    """
    tops = [int(np.flatnonzero(picture.counts).max(initial=0)) for picture in pictures]
    white = any(
        top >= WHITE and picture.coding != "labels"
        for picture, top in zip(pictures, tops, strict=True)
    )
    masks, remarks = [], _Remarks()
    for picture, top, name in zip(pictures, tops, names, strict=True):
        as_labels = picture.coding == "labels" or (picture.coding == "either" and not white)
        masks.append(picture.values > 0 if as_labels else picture.values >= WHITE)
        used = np.flatnonzero(picture.counts[1:]) + 1
        if as_labels:
            if len(used) > 1:
                remarks.add("has several labels; each but 0 counts as the object", name)
            continue
        if picture.coding == "either" and _may_be_void(used):
            raise InputError(
                f"{name}: has values {used[:4].tolist()} beside 255: noise, or labels of which "
                "255 says nothing? Write 0 and 255 only, or pass arrays as masks and valid"
            )
        if 0 < top < WHITE:
            remarks.add("has nothing brighter than 127 and counts as without an object", name)
        between = picture.counts[_NOISE + 1 : 255 - _NOISE].sum()
        if between > picture.counts[255 - _NOISE :].sum() > 0:
            remarks.add("is mostly of greys between; the object is 128 or brighter", name)
    return masks, remarks.lines()


def _may_be_void(used: np.ndarray) -> bool:
    dark = used[used <= _NOISE]
    return len(dark) > 0 and len(dark) == len(used) - 1 and int(used[-1]) == _VOID


class _Remarks:
    """One line for every kind of remark, with how many and the first."""

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = {}

    def add(self, remark: str, name: Any) -> None:
        self.names.setdefault(remark, []).append(name)

    def lines(self) -> list[str]:
        return [
            f"{names[0]} {remark}" + (f" ({len(names)} such masks)" if len(names) > 1 else "")
            for remark, names in self.names.items()
        ]
