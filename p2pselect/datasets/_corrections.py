"""What people mark on photographs as wrong or missing, in a file that teaches a model."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from skimage.draw import polygon as pixels_of_polygon

from p2pselect.atomic_write import write_json
from p2pselect.exceptions import InputError, brief, brief_path
from p2pselect.images import ImageSequence
from p2pselect.images._geometry import (
    ALLOWED,
    FORBIDDEN,
    NO_REGION,
    WANTED,
    Grid,
    Size,
    bounded,
)

KINDS = {"wrong": FORBIDDEN, "missing": WANTED}
#: Masks of photographs that are larger are drawn on a smaller copy.
_LONGEST = 1024
#: A corner may lie this far beyond the photograph, in pixels, because numbers are rounded.
_BEYOND = 1.0

Rings = tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True)
class Correction:
    """A part of one photograph, and what is wrong with it.

    Parameters
    ----------
    image : str or int
        The end of the photograph's path, such as ``"rust/7.jpg"``; or its number among the
        images, where they are not files.
    kind : {"wrong", "missing"}
        Whether the part should not have been shown, or should have been.
    polygon : sequence of rings, optional
        The part, as rings of three or more corners (x, y) in pixels of the photograph, upright:
        (0, 0) is its upper left corner.  A point belongs to the part if an odd number of rings
        encloses it, so that further rings are holes, or pieces.
    regions : sequence of int, optional
        Instead of a polygon: regions by their numbers in a label map.  They mean nothing once
        regions are made in another way.
    size : (int, int), optional
        Height and width of the photograph, by which a mistaken one is noticed.

    Examples
    --------
    >>> Correction("rust/7.jpg", "wrong", polygon=[[(0, 0), (40, 0), (0, 30)]]).kind
    'wrong'
    """

    image: str | int
    kind: str
    polygon: Rings | None = None
    regions: tuple[int, ...] | None = None
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for name in ("polygon", "regions", "size"):
            object.__setattr__(self, name, _tuples(getattr(self, name)))
        if fault := self._fault():
            raise InputError(f"the correction of image {brief(self.image)}: {fault}")

    def _fault(self) -> str | None:
        """What is wrong with the entry, None where nothing is."""
        if not _is_whole(self.image) and not (isinstance(self.image, str) and self.image):
            return "image must be the name of a file, or a number from 0"
        if self.kind not in [*KINDS]:
            return f'kind must be "wrong" or "missing", got {brief(self.kind)}'
        if (self.polygon is None) == (self.regions is None):
            return "expected either polygon or regions"
        if self.size is not None and not (
            _is_pair(self.size) and all(_is_whole(side) and side > 0 for side in self.size)
        ):
            return f"size must be height and width in pixels, got {brief(self.size)}"
        if self.regions is not None:
            named = isinstance(self.regions, tuple) and len(self.regions) > 0
            if not named or not all(map(_is_whole, self.regions)):
                return f"regions must be numbers from 0, got {brief(self.regions)}"
            return None
        rings = self.polygon if isinstance(self.polygon, tuple) else ()
        if not rings or not all(map(_is_ring, rings)):
            return (
                "polygon must be a list of rings, and each of them a list of three or more "
                f"corners [x, y], got {brief(self.polygon)}"
            )
        return None


def read_corrections(path: str | os.PathLike[str]) -> list[Correction]:
    """Read what people have marked on photographs.

    The app and the reports write such files: JSON, ``{"corrections": [...]}``, with the fields
    of a :class:`Correction` in every entry; ``polygon`` is a list of rings of ``[x, y]``.

    Parameters
    ----------
    path : path-like
        For example ``corrections.json``.

    Returns
    -------
    list of Correction
        In the order of the file.

    Raises
    ------
    InputError
        If the file cannot be read, is something else, or an entry is not as described; the
        message says which one.

    See Also
    --------
    correction_masks : What ``fit`` learns from.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "corrections.json")
    ...     write_corrections(file, [Correction("7.jpg", "missing", regions=[4])])
    ...     read_corrections(file)[0].regions
    (4,)
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{brief_path(path)} cannot be read: {error.strerror}") from error
    return parse_corrections(content, brief_path(path))


def parse_corrections(content: bytes, source: str) -> list[Correction]:
    """Corrections from the content of a file; ``source`` is what messages call it."""
    try:
        # Python would read numbers that JSON does not have.
        found = json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{source} is not JSON: {brief(str(error))}") from error
    if not isinstance(found, dict) or not isinstance(found.get("corrections"), list):
        raise InputError(f'{source}: expected {{"corrections": [...]}}')
    return [_entry(entry, number, source) for number, entry in enumerate(found["corrections"])]


def _entry(entry: Any, number: int, source: str) -> Correction:
    known = [*Correction.__dataclass_fields__]
    try:
        if not isinstance(entry, dict):
            raise InputError(f"expected an object with {known}, got {brief(entry)}")
        if unknown := sorted(set(entry) - set(known)):
            raise InputError(f"there is no {brief(unknown[0])}; known are {known}")
        if missing := [name for name in ("image", "kind") if name not in entry]:
            raise InputError(f"{missing[0]} is missing")
        return Correction(**entry)
    except InputError as error:
        raise InputError(f"{source}, entry {number}: {error}") from error


def write_corrections(path: str | os.PathLike[str], corrections: Iterable[Correction]) -> None:
    """Write what people have marked on photographs; all of it or nothing.

    Parameters
    ----------
    path : path-like
        A file, which is replaced if it exists.
    corrections : iterable of Correction
        See :func:`read_corrections`.

    Examples
    --------
    >>> import tempfile
    >>> wrong = Correction("7.jpg", "wrong", polygon=[[(0, 0), (40, 0), (0, 30)]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_corrections(f"{folder}/corrections.json", [wrong])
    ...     read_corrections(f"{folder}/corrections.json") == [wrong]
    True
    """
    write_json(Path(path), {"corrections": [*map(as_entry, corrections)]}, indent=None)


def as_entry(one: Correction) -> dict[str, Any]:
    """A correction as it stands in a file."""
    return {name: value for name, value in vars(one).items() if value is not None}


def correction_masks(
    corrections: Sequence[Correction],
    images: ImageSequence,
    regions: np.ndarray | None = None,
    *,
    resize: str = "pad",
) -> list[np.ndarray | None]:
    """Make masks of corrections, as ``fit`` takes them.

    Parameters
    ----------
    corrections : sequence of Correction
        Where two cover the same pixel, the later one counts.
    images : ImageSequence
        Which they are about, for example from :func:`load_image_folder`.
    regions : ndarray of shape (n, h, w), optional
        Label maps of all images on the grid of a model, for corrections that name regions.
    resize : {"pad", "crop", "stretch"}, default="pad"
        How the images come to that grid, ``clf.resize``.

    Returns
    -------
    list of n ndarrays of shape (h_i, w_i), uint8, or None
        0 where something is wrong, 2 where something is missing, and 1 elsewhere, at the size
        of the photograph, or of a copy whose longer side has 1,024 pixels; None for images
        that have no correction.

    Raises
    ------
    InputError
        If a correction is about none of the images, or could be about several of them, does
        not fit its image, or names a region that there is not.

    Examples
    --------
    >>> from p2pselect.images import as_images
    >>> images = as_images(np.zeros((2, 3, 4, 3), np.uint8))
    >>> wrong = Correction(1, "wrong", polygon=[[(0, 0), (2, 0), (2, 3), (0, 3)]])
    >>> masks = correction_masks([wrong], images)
    >>> masks[0] is None, masks[1].tolist()
    (True, [[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]])
    """
    masks: list[np.ndarray | None] = [None] * len(images)
    rows = _rows_of(corrections, images)
    sizes: dict[int, Size] = {}
    for number, (one, row) in enumerate(zip(corrections, rows, strict=True)):
        if row not in sizes:
            height, width = map(int, images[row : row + 1].sizes()[0])
            sizes[row] = height, width
        mask = masks[row]
        if mask is None:
            mask = np.full(bounded(sizes[row], _LONGEST), ALLOWED, np.uint8)
            masks[row] = mask
        if one.size not in (None, sizes[row]):
            raise InputError(
                f"{_which(number, one)}: it is about a photograph of {one.size} pixels, this "
                f"one has {sizes[row]}"
            )
        if one.polygon is not None:
            inside = _inside(one, number, sizes[row], mask.shape)
        elif regions is None:
            raise InputError(f"{_which(number, one)} names regions: pass their label maps")
        else:
            named = one.regions or ()
            if unknown := set(named) - set(np.unique(regions[row]).tolist()):
                raise InputError(f"{_which(number, one)}: it has no region {min(unknown)}")
            placement = Grid.of(regions.shape[1:], resize).place(sizes[row])
            labels = placement.back(regions[row], NO_REGION, mask.shape)
            inside = np.isin(labels, named)
        mask[inside] = KINDS[one.kind]
    return masks


def _inside(one: Correction, number: int, size: Size, shape: tuple[int, ...]) -> np.ndarray:
    """Which pixels of a copy of the photograph have their center in a polygon, (h, w)."""
    inside = np.zeros(shape, bool)
    for ring in one.polygon or ():
        x, y = np.array(ring, float).T
        for name, values, side in (("x", x, size[1]), ("y", y, size[0])):
            if values.min() < -_BEYOND or values.max() > side + _BEYOND:
                raise InputError(
                    f"{_which(number, one)}: {name} goes from {values.min():g} to "
                    f"{values.max():g}, and the photograph from 0 to {side}"
                )
        # The first pixel goes from 0 to 1, and its center is what skimage calls 0.
        rows, columns = y * shape[0] / size[0] - 0.5, x * shape[1] / size[1] - 0.5
        inside[pixels_of_polygon(rows, columns, shape)] ^= True
    return inside


def _rows_of(corrections: Sequence[Correction], images: ImageSequence) -> list[int]:
    files = images.files
    by_name: dict[str, list[tuple[int, list[str]]]] = {}
    for row, file in enumerate([] if files is None else files.tolist()):
        parts = _parts(file)
        by_name.setdefault(parts[-1], []).append((row, parts))
    rows = []
    for number, one in enumerate(corrections):
        if isinstance(one.image, int):
            found = [one.image] if one.image < len(images) else []
        else:
            own = _parts(one.image)
            known = by_name.get(own[-1], [])
            # Either may begin further down than the other.
            found = [row for row, parts in known if _share_an_end(parts, own)]
        if len(found) != 1:
            many = f"{len(found)} of the {len(images)} images have this name"
            none = f"it is none of the {len(images)} images to learn from"
            raise InputError(f"{_which(number, one)}: {many if found else none}")
        rows.append(found[0])
    return rows


def _parts(path: str) -> list[str]:
    """The folders and the name of a path of any system, whatever form accents have."""
    return re.split(r"[\\/]+", unicodedata.normalize("NFC", path).removeprefix("./"))


def _share_an_end(first: list[str], second: list[str]) -> bool:
    return all(a == b for a, b in zip(reversed(first), reversed(second), strict=False))


def _which(number: int, one: Correction) -> str:
    return f"correction {number}, of image {brief(one.image)}"


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2


def _is_ring(ring: Any) -> bool:
    return isinstance(ring, tuple) and len(ring) > 2 and all(map(_is_corner, ring))


def _is_corner(corner: Any) -> bool:
    return _is_pair(corner) and all(
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**31
        for value in corner
    )
