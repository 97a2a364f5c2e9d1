"""Folders of mask files: which file belongs to which image, and what it says."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from p2pselect.datasets._mask_pictures import MaskPicture, find_objects, read_mask_picture
from p2pselect.datasets._masks import MaskSequence
from p2pselect.exceptions import ImageReadError, InputError, P2PSelectWarning, brief
from p2pselect.images import ImageSequence
from p2pselect.images._decode import read_opened
from p2pselect.images._folders import list_folder
from p2pselect.images._geometry import Grid

#: What may follow the name of an image in the name of its mask.
MASK_SUFFIXES = ("_mask", "-mask", ".mask", "_segmentation", "_seg")


def load_mask_folder(
    root: str | os.PathLike[str],
    images: ImageSequence,
    size: int | tuple[int, int] | None = None,
    *,
    resize: Literal["pad", "crop", "stretch"] = "stretch",
    missing: Literal["raise", "skip"] = "raise",
) -> np.ndarray:
    """Read the object masks of images from a folder that mirrors theirs.

    The mask of ``.../CLASS/ID.jpg`` is ``root/CLASS/ID.png``, ``root/CLASS/ID.jpg.png`` or
    ``root/CLASS/ID_mask.png`` (also ``-mask``, ``.mask``, ``_segmentation``, ``_seg``), in any
    format that can be decoded.  Class folders may be nested.  If no folder below ``root`` has
    the name of the image's folder, masks directly in ``root`` are found by their file names.

    What counts as the object depends on the kind of picture:

    * In a black-and-white picture it is every pixel at least half as bright as white, so soft
      edges and the noise of lossy formats do not count.
    * In a label map it is every pixel that is not 0 (or not black).  Label maps are gray
      pictures without a single bright pixel, 16-bit integers, and pictures with colors.
    * In a picture with a color palette it is every pixel whose index is not 0.

    Parameters
    ----------
    root : str or path-like
        Folder of the masks.
    images : ImageSequence
        Images from files, for example from :func:`load_image_folder`.
    size : int or (int, int), default None
        Height and width to resize the masks to, with nearest-neighbor interpolation.  None
        keeps the size of the masks, which must then be the same for all of them.
    resize : {"stretch", "pad", "crop"}, default "stretch"
        How images of another aspect come to that size: masks go the same way.  The masks for a
        classifier ``clf`` are those with ``size=clf.image_size, resize=clf.resize``.
    missing : {"raise", "skip"}, default "raise"
        With ``"skip"``, an image without a mask counts as an image without an object, which
        scores leave out; a warning says how many there are.

    Returns
    -------
    ndarray of shape (n, h, w), bool
        True on the object, in the order of ``images``.

    Raises
    ------
    InputError
        If the images are not files, an image has no mask or could have several, the masks
        differ in size, the height and width of a mask are swapped, or its values could be
        either labels or noise.
    ImageReadError
        If a mask cannot be decoded, is a photograph, or contains the label 255 next to other
        labels (in many data sets 255 means "unknown").

    Warns
    -----
    P2PSelectWarning
        If a mask may have been meant differently: it has several labels, nothing bright
        although other masks do, many shades of gray, or another aspect ratio than its image.

    Examples
    --------
    >>> images, y = load_image_folder("scenes/train/images")  # doctest: +SKIP
    >>> masks = load_mask_folder("scenes/train/masks", images)  # doctest: +SKIP
    """
    if missing not in ("raise", "skip"):
        raise InputError(f'missing must be "raise" or "skip", got {brief(missing)}')
    if images.files is None:
        raise InputError("images must be files, so that masks can be found by their names")
    files = images.files.tolist()
    find = require_masks if missing == "raise" else find_masks
    paths: Sequence[Path | None] = find(root, files)
    # No mask at all means the wrong folder, which "skip" is not meant to hide.
    if not any(paths):
        require_masks(root, files)
    if None in paths:
        warnings.warn(
            f"{paths.count(None)} of {len(files)} images have no mask in {os.fspath(root)} and "
            f"count as images without an object; the first is {files[paths.index(None)]}",
            P2PSelectWarning,
            stacklevel=2,
        )
    sizes = [tuple(shape) for shape in images.sizes().tolist()]
    return read_masks(paths, None if size is None else Grid.of(size, resize), sizes)


def find_masks(
    root: str | os.PathLike[str], images: Sequence[str], endings: Sequence[str] | None = None
) -> list[Path | None]:
    """Find the mask of each image below ``root``, by the rules of :func:`load_mask_folder`.

    As much of the image's folder as possible has to match.  The images may lie below ``root``
    themselves; they are never mistaken for masks.  ``endings`` are those of the masks, None
    for all formats that can be decoded.  An image without a mask gets None.

    Raises an InputError if ``root`` is not a folder, if an image could have several masks, or
    if several images could have the same one.
    """
    places = [os.path.abspath(image) for image in images]  # noqa: PTH100 (keeps links)
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
                f"{_expected_name(image)}, in folders with the names of the images' folders"
            )
        masks.append(None if mask is None else Path(mask))
    return masks


def require_masks(
    root: str | os.PathLike[str], images: Sequence[str], endings: Sequence[str] | None = None
) -> list[Path]:
    """Find the mask of each image, and raise an InputError if one has none."""
    masks = find_masks(root, images, endings)
    missing = [image for image, mask in zip(images, masks, strict=True) if mask is None]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(images)} images have no mask in {os.fspath(root)}; the "
            f"first is {missing[0]}, whose mask would be called "
            f"{_expected_name(missing[0], endings)}"
        )
    return [mask for mask in masks if mask is not None]


def _masks_of(place: str, named: dict[tuple[str, str], list[str]], deepest: int) -> list[str]:
    folder, name = os.path.split(place)
    stem = os.path.splitext(name)[0]  # noqa: PTH122
    names = dict.fromkeys((stem, name, *(stem + suffix for suffix in MASK_SUFFIXES)))
    parts = Path(folder).parts[1:]
    # From the longest part of the image's folder that could match down to none of it.
    for depth in range(min(deepest, len(parts)), -1, -1):
        own = str(Path(*parts[len(parts) - depth :])) if depth else ""
        found = [path for mask in names for path in named.get((own, mask), [])]
        if found:
            return found
    return []


def _expected_name(image: str, endings: Sequence[str] | None = None) -> str:
    path = Path(image)
    return f"{path.parent.name}/{path.stem}{'.png' if endings is None else endings[0]}"


def read_masks(
    paths: Sequence[Path | None],
    grid: Grid | None = None,
    image_sizes: Sequence[tuple[int, ...]] | None = None,
) -> np.ndarray:
    """Read mask pictures into one array, bool (n, h, w).

    A path of None stands for an image without an object.  ``image_sizes`` are the heights and
    widths of the images, against which the shapes of the masks are checked.
    """
    present = [(row, path) for row, path in enumerate(paths) if path is not None]
    absent = [path for _, path in present if not path.is_file()]
    if absent:
        raise ImageReadError(
            f"{len(absent)} of {len(paths)} masks do not exist; the first is {absent[0]}"
        )
    if not present:
        raise InputError("there are no masks to read")
    shape = None if grid is None else grid.size
    pictures: list[MaskPicture] = []
    stretched: list[str] = []
    for row, path in present:
        picture, own = read_picture(path)
        if image_sizes is not None:
            check_upright(own, image_sizes[row], path)
            if not same_aspect(own, image_sizes[row]):
                stretched.append(f"{path} is {own}, its image {image_sizes[row]}")
        shape = shape or own
        if grid is None and own != shape:
            raise InputError(
                f"masks differ in size ({present[0][1]} is {shape}, {path} is {own}): "
                "pass size="
            )
        if grid is not None:
            placement = grid.place(own if image_sizes is None else image_sizes[row])
            picture.values = placement.onto_grid(picture.values, 0)
        pictures.append(picture)
    found, remarks = find_objects(pictures, [str(path) for _, path in present])
    if stretched:
        remarks.append(
            f"{len(stretched)} masks do not have the aspect ratio of their images and are "
            f"stretched: {stretched[0]}"
        )
    if remarks:
        warnings.warn("; ".join(remarks), P2PSelectWarning, stacklevel=3)
    assert shape is not None
    masks = np.zeros((len(paths), *shape), dtype=bool)
    for (row, _), mask in zip(present, found, strict=True):
        masks[row] = mask
    return masks


def read_picture(path: str | os.PathLike[str]) -> tuple[MaskPicture, tuple[int, int]]:
    """A mask before it is decided what its values mean, and its height and width."""
    picture = read_opened(path, str(path), read_mask_picture)
    return picture, (picture.values.shape[0], picture.values.shape[1])


def check_upright(
    mask: tuple[int, int], image: tuple[int, ...], path: str | os.PathLike[str]
) -> None:
    """Refuse a mask with the height and width of its image swapped."""
    height, width = image
    # For nearly square images both aspects fit; only exactly swapped sides tell then.
    turned = same_aspect(mask, (width, height)) and not same_aspect(mask, image)
    if turned or mask == (width, height) != (height, width):
        raise InputError(
            f"{path} has its height and width swapped: it is {mask}, the image {tuple(image)}. "
            "A mask must be upright, like the image after its EXIF orientation is applied"
        )


def same_aspect(first: tuple[int, int], second: tuple[int, ...]) -> bool:
    """Whether two (height, width) have the same ratio, give or take a tenth."""
    one, other = first[0] * second[1], first[1] * second[0]
    return abs(one - other) <= 0.1 * max(one, other)


def read_npy_mask(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a mask (h, w) from a ``.npy`` file; whatever is not 0 is the object."""
    try:
        mask = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ImageReadError(f"{os.fspath(path)}: no mask can be read: {error}") from error
    if mask.ndim != 2 or mask.dtype.kind not in "biuf":
        raise ImageReadError(
            f"{os.fspath(path)}: expected a mask (h, w) of numbers, "
            f"got shape {mask.shape}, dtype {mask.dtype}"
        )
    return mask.astype(bool)


def npy_masks(images: ImageSequence, folder: Path) -> MaskSequence:
    """The masks ``folder/CLASS/ID.npy`` of images ``.../CLASS/ID.jpg``, read when needed."""
    files = images.files
    assert files is not None
    return MaskSequence(require_masks(folder, files.tolist(), [".npy"]), read_npy_mask)
