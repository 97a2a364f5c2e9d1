"""Which file of a folder of masks belongs to which image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from p2pselect.exceptions import InputError
from p2pselect.images._folders import list_folder

#: What may follow an image's name in the name of its mask.
MASK_SUFFIXES = ("_mask", "-mask", ".mask", "_segmentation", "_seg")


def find_masks(
    root: str | os.PathLike[str], images: Sequence[str], endings: Sequence[str] | None = None
) -> list[Path | None]:
    """Find the mask of every image in a folder that mirrors the images' folders.

    Of the image ``.../CLASS/ID.jpg`` the mask is ``CLASS/ID.png`` below ``root``, or
    ``CLASS/ID.jpg.png``, or ``CLASS/ID_mask.png`` (also ``-mask``, ``.mask``,
    ``_segmentation``, ``_seg``), with the ending of any format that can be decoded.  As much
    of the image's folder as possible must be the same; where nothing of it is below ``root``,
    masks directly in ``root`` are found by their names alone.

    Parameters
    ----------
    root : str or path-like
        Folder of the masks.  Images may lie there too: they are never taken for masks.
    images : sequence of str
        Paths of the images.
    endings : sequence of str, default None
        Of the masks' names; None for all formats that can be decoded.

    Returns
    -------
    list of Path or None
        In the order of ``images``; None where there is no mask.

    Raises
    ------
    InputError
        When ``root`` is not a folder, several masks could belong to one image, or one mask to
        several images.
    """
    places = [os.path.abspath(image) for image in images]  # noqa: PTH100 (links as they are)
    are_images = set(places)
    named: dict[tuple[str, str], list[str]] = {}
    deepest = 0
    listing = list_folder(root, endings)
    for own, path in zip(listing.files, listing.paths(), strict=True):
        if os.path.abspath(path) not in are_images:  # noqa: PTH100
            folder, name = os.path.split(own)
            named.setdefault((folder, os.path.splitext(name)[0]), []).append(path)  # noqa: PTH122
            deepest = max(deepest, own.count(os.sep))
    masks: list[Path | None] = []
    owners: dict[str, str] = {}
    for image, place in zip(images, places, strict=True):
        found = _masks_of(place, named, deepest)
        if len(found) > 1:
            raise InputError(
                f"{found[0]} and {found[1]} could both be the mask of {image}: keep one of them"
            )
        mask = found[0] if found else None
        if mask is not None and owners.setdefault(mask, place) != place:
            raise InputError(
                f"{mask} could be the mask of {owners[mask]} and of {image}: name masks like "
                f"{_wanted(image)}, in folders named as those of the images"
            )
        masks.append(None if mask is None else Path(mask))
    return masks


def require_masks(
    root: str | os.PathLike[str], images: Sequence[str], endings: Sequence[str] | None = None
) -> list[Path]:
    """Find the mask of every image, as :func:`find_masks` does, or raise an error.

    Raises
    ------
    InputError
        As :func:`find_masks` does, and when there is an image without a mask.
    """
    masks = find_masks(root, images, endings)
    missing = [image for image, mask in zip(images, masks, strict=True) if mask is None]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(images)} images have no mask in {os.fspath(root)}; the "
            f"first is {missing[0]}, whose mask would be called {_wanted(missing[0], endings)}"
        )
    return [mask for mask in masks if mask is not None]


def _masks_of(place: str, named: dict[tuple[str, str], list[str]], deepest: int) -> list[str]:
    folder, name = os.path.split(place)
    stem = os.path.splitext(name)[0]  # noqa: PTH122
    parts = Path(folder).parts[1:]
    for depth in range(min(deepest, len(parts)), -1, -1):
        own = str(Path(*parts[len(parts) - depth :])) if depth else ""
        names = (stem, *([name] if name != stem else []), *(stem + s for s in MASK_SUFFIXES))
        found = [path for mask in names for path in named.get((own, mask), [])]
        if found:
            return found
    return []


def _wanted(image: str, endings: Sequence[str] | None = None) -> str:
    path = Path(image)
    return f"{path.parent.name}/{path.stem}{'.png' if endings is None else endings[0]}"
