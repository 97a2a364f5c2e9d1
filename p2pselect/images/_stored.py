"""Pixels as files store them: every band and bit, where the user says what they mean.

Image files whose meaning nobody has told become 8-bit RGB, by the rules of ``_decode``.  Here
nothing is dropped: a TIFF page, an array of NumPy or a DICOM image comes as it is, of any type
and with any number of channels, upright, and white above black.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from p2pselect._optional import need
from p2pselect.exceptions import ImageReadError, brief
from p2pselect.images._decode import (
    DICOM,
    TIFF,
    from_pillow,
    of_several_pages,
    open_pillow,
    say_reason,
)

#: Endings of names of files that only this module reads.
STORED_ENDINGS = (".npy", ".npz", ".dcm", ".dicom")
_NUMPY, _ZIP = b"\x93NUMPY", b"PK\x03\x04"
#: Photometric interpretations whose values are what they seem: white is 0, black is 0, RGB.
_PLAIN = (0, 1, 2)
_ORIENTATION = 274
_UPRIGHT = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


def read_stored(
    path: str, name: str, pages: str | int | None, channels: str, windowed: bool = False
) -> np.ndarray:
    """The pixels (h, w, c) of a file, of the type that it stores.

    ``pages`` is ``"channels"``, or the number of the page to take; ``channels`` says where
    arrays of NumPy have their channel axis.  ``windowed`` are DICOM images in [0, 1], through
    the window that the file states.

    Raises
    ------
    ImageReadError
        If the file is missing, damaged, of a kind without a rule, without the window that is
        asked for, or if nobody has said what its pages are.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (one per image)
            values = _values(file, pages, channels, windowed)
    except MemoryError:  # says nothing about the file
        raise
    # Decoders answer damaged files with nearly every exception there is.
    except Exception as error:
        raise ImageReadError(f"{name}: {say_reason(path, error)}") from error
    if values.ndim != 3 or 0 in values.shape or values.dtype.kind not in "uif":
        raise ImageReadError(
            f"{name}: has an array of shape {values.shape} and dtype {values.dtype}; expected "
            "numbers of shape (h, w) or (h, w, c)"
        )
    return values


def _values(
    file: IO[bytes], pages: str | int | None, channels: str, windowed: bool
) -> np.ndarray:
    start = file.read(132)
    file.seek(0)
    if start.endswith(DICOM):
        return _dicom(file, pages, windowed)
    if windowed:
        raise ValueError("is not a DICOM image, so it states no window: pass (low, high)")
    if start[:4] in TIFF:
        return _tiff(file, pages)
    if start.startswith((_NUMPY, _ZIP)):
        values = _numpy(file)
        if values.ndim == 2:
            return values[..., np.newaxis]
        return np.moveaxis(values, 0, -1) if channels == "first" else values
    return _pillow(file)


def _tiff(file: IO[bytes], pages: str | int | None) -> np.ndarray:
    import tifffile

    with tifffile.TiffFile(file) as opened:
        # Smaller versions of a page do not count as pages.
        pages_of_file: list[Any] = list(opened.pages)
        full = [page for page in pages_of_file if not page.is_reduced]
        full = _choose(full, pages)
        for page in full:
            _check_size(page.imagelength, page.imagewidth)
        if len(full) > 1 and len({page.shape for page in full}) > 1:
            raise ValueError(f"its pages differ in shape: {brief([p.shape for p in full])}")
        if full[0].photometric not in _PLAIN:
            return _pillow(file)
        try:
            return np.concatenate([_page(page) for page in full], axis=2)
        except ValueError:
            # Without the package imagecodecs, tifffile lacks compressions that Pillow has.
            if len(full) > 1 or full[0].samplesperpixel > 1:
                raise
            return _pillow(file)


def _choose(pages: list[Any], chosen: str | int | None) -> list[Any]:
    if chosen is None and len(pages) > 1:
        raise ValueError(of_several_pages(len(pages)))
    if chosen == "channels":
        return pages
    if int(chosen or 0) >= len(pages):
        raise ValueError(f"has {len(pages)} pages, so there is no page {chosen} (from 0)")
    return [pages[int(chosen or 0)]]


def _page(page: Any) -> np.ndarray:
    values = page.asarray()
    if page.axes == "SYX":
        values = np.moveaxis(values, 0, -1)
    elif page.axes == "YX":
        values = values[..., np.newaxis]
    elif page.axes != "YXS":
        raise ValueError(f"is a volume (axes {page.axes}): pass slices as arrays")
    if values.dtype == bool:
        values = values.astype(np.uint8) * np.uint8(255)
    if page.photometric == 0 and values.dtype.kind == "u":
        values = np.uint64((1 << page.bitspersample) - 1).astype(values.dtype) - values
    tag = page.tags.get(_ORIENTATION)
    return _UPRIGHT.get(tag.value, np.asarray)(values) if tag else values


def _numpy(file: IO[bytes]) -> np.ndarray:
    loaded = np.load(file, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        values = loaded
    else:
        if len(loaded.files) != 1:
            raise ValueError(f"holds the arrays {brief(loaded.files)}: an image is one array")
        values = loaded[loaded.files[0]]
    if values.ndim > 1:
        _check_size(*values.shape[:2])
    return values


def _dicom(file: IO[bytes], pages: str | int | None, windowed: bool) -> np.ndarray:
    """A DICOM image in the units that it states, or in [0, 1] through its own window."""
    need("pydicom", "DICOM", "p2pselect[dicom]")
    from pydicom import dcmread
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.pixels.utils import pixel_array

    data = dcmread(file)
    _check_size(data.Rows, data.Columns)
    frames = _choose(list(range(int(data.get("NumberOfFrames") or 1))), pages)
    kind = data.PhotometricInterpretation
    if kind in ("MONOCHROME1", "MONOCHROME2"):
        shades = [_gray_frame(data, frame, windowed) for frame in frames]
        return np.stack(shades, axis=2).astype(np.float32)
    if windowed:
        raise ValueError(f"is in color ({kind}), which has no window: pass (low, high)")
    colors = [pixel_array(data, index=frame) for frame in frames]
    if kind == "PALETTE COLOR":
        colors = [apply_color_lut(indices, data) for indices in colors]
    return np.concatenate(colors, axis=2)


def _gray_frame(data: Any, frame: int, windowed: bool) -> np.ndarray:
    """One frame (h, w): DICOM PS3.3, sections C.11.1 (units) and C.11.2 (window)."""
    from pydicom.dataset import Dataset
    from pydicom.pixels.processing import apply_modality_lut, apply_windowing
    from pydicom.pixels.utils import pixel_array

    stated = _stated(data, frame, "PixelValueTransformationSequence")
    values = np.asarray(apply_modality_lut(pixel_array(data, index=frame), stated))
    low_is_white = data.PhotometricInterpretation == "MONOCHROME1"
    if not windowed:
        if not low_is_white:
            return values
        half = 1 << (data.BitsStored - 1)
        ends = np.array([-half, half - 1]) + (0 if data.PixelRepresentation else half)
        return np.asarray(apply_modality_lut(ends, stated).sum() - values.astype(np.float64))
    window = _stated(data, frame, "FrameVOILUTSequence")
    if window.get("WindowCenter") is None or not window.get("WindowWidth"):
        raise ValueError("states no window (WindowCenter and WindowWidth): pass (low, high)")
    screen = Dataset()  # of one bit, so that shades come out in [0, 1]
    screen.PhotometricInterpretation = "MONOCHROME2"
    screen.BitsStored, screen.PixelRepresentation = 1, 0
    for name in ("WindowCenter", "WindowWidth", "VOILUTFunction"):
        if name in window:
            screen[name] = window[name]
    shades = apply_windowing(values, screen)
    return 1 - shades if low_is_white else shades


def _stated(data: Any, frame: int, group: str) -> Any:
    """Where a frame states something: in a group of its own, in a shared one, or plainly."""
    own, shared = (f"{of}FunctionalGroupsSequence" for of in ("PerFrame", "Shared"))
    places = [data[own][frame]] if own in data else []
    places += data[shared].value if shared in data else []
    return next((place[group][0] for place in places if group in place), data)


def _pillow(file: IO[bytes]) -> np.ndarray:
    """What Pillow gives: 16 bits of gray and floats as they are, all else as 8 bits."""
    file.seek(0)
    with open_pillow(file) as image:
        _check_size(image.height, image.width)
        # Looked at before loading, which forgets it.
        wide = any(";16" in str(tile) for tile in getattr(image, "tile", []))
        image.load()
        if image.mode.startswith("I") or image.mode == "F":
            return np.asarray(image)[..., np.newaxis]
        if wide and image.mode != "L":
            raise ValueError(
                "has 16 bits per color, of which Pillow decodes 8: convert it to TIFF or .npy"
            )
        if image.mode in ("1", "L") and not image.has_transparency_data:
            return np.asarray(image.convert("L"))[..., np.newaxis]
        return from_pillow(image)


def _check_size(height: int, width: int) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and height * width > limit:
        raise Image.DecompressionBombError


def channel_files(path: str, markers: tuple[str, ...]) -> list[str]:
    """The files of an image that has one for each channel, given that of the first."""
    folder, name = os.path.split(path)
    if name.count(markers[0]) != 1:
        raise ImageReadError(
            f"{path}: with channel_files={brief(markers)}, the first channel's file "
            f"must have {brief(markers[0])} in its name exactly once"
        )
    return [str(Path(folder, name.replace(markers[0], marker))) for marker in markers]
