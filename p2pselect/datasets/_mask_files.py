"""Object masks in files: folders of pictures, and ``.npy`` files beside images."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from p2pselect.datasets._mask_names import find_masks, require_masks
from p2pselect.datasets._mask_pictures import MaskPicture, find_objects, read_mask_picture
from p2pselect.datasets._masks import MaskSequence
from p2pselect.exceptions import ImageReadError, InputError, P2PSelectWarning, brief
from p2pselect.images import ImageSequence
from p2pselect.images._pixels import height_width, resize_nearest
from p2pselect.images._reading import decode


def load_mask_folder(
    root: str | os.PathLike[str],
    images: ImageSequence,
    size: int | tuple[int, int] | None = None,
    *,
    missing: Literal["raise", "skip"] = "raise",
) -> np.ndarray:
    """Read the object masks that lie beside images.

    The mask of ``.../CLASS/ID.jpg`` is ``root/CLASS/ID.png``, or another file that
    :func:`~p2pselect.datasets._mask_names.find_masks` recognizes: the folders of the images are
    mirrored, however deep, and names such as ``ID_mask.png`` and ``ID.jpg.png`` and other
    endings count too.

    * Black-and-white pictures: what is at least half as bright as white is the object, so that
      soft edges and the noise of lossy formats do not count.
    * Label maps, which are grey pictures of which none goes up to half of white, integers of 16
      bits, and pictures with colors: the object is what is not 0, or not black.
    * Pictures with a palette of colors: the object is what has not the index 0.

    Parameters
    ----------
    root : str or path-like
        Folder of the masks.
    images : ImageSequence
        Images from files, for example from :func:`load_image_folder`.
    size : int or (int, int), default None
        Height and width to resize to, by nearest neighbor; ``None`` keeps the masks' own
        size, which must then be the same for all.
    missing : {"raise", "skip"}, default "raise"
        With ``"skip"`` an image without a mask counts as without an object, with a warning:
        scores leave it out.

    Returns
    -------
    ndarray of shape (n, h, w), bool
        True on the object; in the order of ``images``.

    Warns
    -----
    P2PSelectWarning
        Of masks whose values or proportions may not mean what is made of them: several labels
        in one mask, masks without anything bright among brighter ones, much grey, other
        proportions than the image.

    Raises
    ------
    InputError
        When the images are not files, an image has no mask or might have several, the masks
        differ in size, a mask has height and width exchanged, or it cannot be told from noise
        whether its values are labels.
    ImageReadError
        When a mask cannot be decoded, is a photograph, or has a label 255 beside others, which
        stands for "unknown" in many data sets.

    Examples
    --------
    >>> images, y = load_image_folder("scenes/train/images")  # doctest: +SKIP
    >>> masks = load_mask_folder("scenes/train/masks", images)  # doctest: +SKIP
    """
    if missing not in ("raise", "skip"):
        raise InputError(f'missing must be "raise" or "skip", got {brief(missing)}')
    files = images.files
    if files is None:
        raise InputError("images must be files, so that masks can be found by their names")
    paths: Sequence[Path | None]
    if missing == "raise":
        paths = require_masks(root, files.tolist())
    else:
        paths = find_masks(root, files.tolist())
        if not any(paths):
            require_masks(root, files.tolist())
        _remark_on_missing(paths, files.tolist(), root)
    return read_masks(paths, size, of=[tuple(shape) for shape in images.sizes().tolist()])


def _remark_on_missing(paths: Sequence[Path | None], files: list[str], root: Any) -> None:
    missing = [file for file, path in zip(files, paths, strict=True) if path is None]
    if missing:
        warnings.warn(
            f"{len(missing)} of {len(files)} images have no mask in {os.fspath(root)}, and "
            f"count as without an object; the first is {missing[0]}",
            P2PSelectWarning,
            stacklevel=3,
        )


def read_masks(
    paths: Sequence[Path | None],
    size: int | tuple[int, int] | None = None,
    of: Sequence[tuple[int, ...]] | None = None,
) -> np.ndarray:
    """Read mask pictures into one array.

    What in a picture is the object, :mod:`p2pselect.datasets._mask_pictures` says.

    Parameters
    ----------
    paths : sequence of Path or None
        Files; None for an image without an object.
    size : int or (int, int), default None
        Height and width to resize to, by nearest neighbor.
    of : sequence of (int, int), default None
        Height and width of the images that the masks belong to.

    Returns
    -------
    ndarray of shape (n, h, w), bool

    Warns
    -----
    P2PSelectWarning
        Of masks whose values or proportions may not mean what is made of them.

    Raises
    ------
    InputError
        When ``size`` is None and the masks differ in size, when height and width of a mask are
        those of its image exchanged, or when it cannot be told what is the object.
    ImageReadError
        When a mask is missing or cannot be decoded, or is not a mask.
    """
    present = [(row, path) for row, path in enumerate(paths) if path is not None]
    absent = [path for _, path in present if not path.is_file()]
    if absent:
        raise ImageReadError(
            f"{len(absent)} of {len(paths)} masks do not exist; the first is {absent[0]}"
        )
    if not present:
        raise InputError("no masks to read")
    shape = None if size is None else height_width(size)
    pictures: list[MaskPicture] = []
    stretched: list[str] = []
    for row, path in present:
        picture: MaskPicture = decode(path, str(path), convert=read_mask_picture)
        own = (picture.values.shape[0], picture.values.shape[1])
        if of is not None and _proportions_differ(own, of[row], path):
            stretched.append(f"{path} is {own} for an image {of[row]}")
        shape = shape or own
        if size is None and own != shape:
            raise InputError(
                f"masks differ in size ({present[0][1]} is {shape}, {path} is {own}): "
                "pass size="
            )
        picture.values = resize_nearest(picture.values, shape)
        pictures.append(picture)
    found, remarks = find_objects(pictures, [str(path) for _, path in present])
    if stretched:
        remarks.append(
            f"{len(stretched)} masks do not have the proportions of their images, and are "
            f"stretched: {stretched[0]}"
        )
    if remarks:
        warnings.warn("; ".join(remarks), P2PSelectWarning, stacklevel=2)
    assert shape is not None
    masks = np.zeros((len(paths), *shape), dtype=bool)
    for (row, _), mask in zip(present, found, strict=True):
        masks[row] = mask
    return masks


def _proportions_differ(mask: tuple[int, int], image: tuple[int, ...], path: Path) -> bool:
    height, width = image
    differ = not _about_equal(mask[0] * width, mask[1] * height)
    turned = differ and _about_equal(mask[0] * height, mask[1] * width)
    if turned or mask == (width, height) != (height, width):
        raise InputError(
            f"{path} has height and width exchanged: it is {mask}, the image {tuple(image)}; a "
            "mask must be upright, as the image is once its EXIF orientation is applied"
        )
    return differ


def _about_equal(first: int, second: int) -> bool:
    return abs(first - second) <= 0.1 * max(first, second)


def read_npy_mask(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a mask (h, w) from a ``.npy`` file; what is not 0 is the object.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    ndarray of shape (h, w), bool

    Raises
    ------
    ImageReadError
        When the file is missing, or holds no 2-D array of numbers.
    """
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


def masks_beside(images: ImageSequence, folder: Path) -> MaskSequence:
    """Masks ``folder/CLASS/ID.npy`` of images ``.../CLASS/ID.jpg``.

    Parameters
    ----------
    images : ImageSequence
        Images from files.
    folder : Path

    Returns
    -------
    MaskSequence
        In the order of the images.

    Raises
    ------
    InputError
        When a mask is missing.
    """
    files = images.files
    assert files is not None
    return MaskSequence(require_masks(folder, files.tolist(), [".npy"]), read_npy_mask)
