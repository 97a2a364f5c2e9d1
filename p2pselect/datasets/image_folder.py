"""Folders with one sub-folder per class, and the masks that lie beside them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from p2pselect.datasets.masks import resize_mask
from p2pselect.exceptions import ImageReadError, InputError
from p2pselect.images import ImageSequence
from p2pselect.images.pixels import height_width
from p2pselect.images.reading import from_pillow, read_file

_EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm")
_TREE = """expected one sub-folder per class:
  {root}/
    cat/
      001.jpg
      002.jpg
    dog/
      001.jpg"""


def load_image_folder(
    root: str | os.PathLike[str], *, extensions: Sequence[str] = _EXTENSIONS
) -> tuple[ImageSequence, np.ndarray]:
    """List the images of a folder that has one sub-folder per class.

    Parameters
    ----------
    root : str or path-like
        The folder.  Files and folders whose names begin with a dot are left out, and files
        that lie deeper than ``root/CLASS/FILE``.
    extensions : sequence of str, default the usual image files
        Endings that make a file an image, compared without case.

    Returns
    -------
    images : ImageSequence
        The files in the order of their names, class after class; opened when read.
    labels : ndarray of shape (n,), str
        Names of their folders.

    Raises
    ------
    InputError
        When ``root`` is no folder, or a class has no image.

    Examples
    --------
    >>> images, y = load_image_folder("flowers/train")  # doctest: +SKIP
    """
    folder = Path(root)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; {_TREE.format(root=folder)}")
    endings = tuple(ending.lower() for ending in extensions)
    paths: list[str] = []
    labels: list[str] = []
    empty: list[str] = []
    for name in _visible(folder, folders=True):
        files = [
            file
            for file in _visible(folder / name, folders=False)
            if file.lower().endswith(endings)
        ]
        paths += [os.path.join(folder, name, file) for file in files]  # noqa: PTH118 (speed)
        labels += [name] * len(files)
        if not files:
            empty.append(name)
    if not paths:
        raise InputError(
            f"{folder} holds no images ({', '.join(endings)}); {_TREE.format(root=folder)}"
        )
    if empty:
        raise InputError(
            f"{folder}: no images ({', '.join(endings)}) in the sub-folders {', '.join(empty)}"
        )
    return ImageSequence(paths), np.array(labels)


def _visible(folder: Path, *, folders: bool) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(
            entry.name
            for entry in entries
            if not entry.name.startswith(".") and entry.is_dir() == folders
        )


def labelled_folder(
    folder: Path, *all_splits: Path
) -> tuple[ImageSequence, np.ndarray, np.ndarray]:
    """List the images of a split, with class codes that agree over the splits.

    Parameters
    ----------
    folder : Path
        Folder of the split, with one sub-folder per class.
    *all_splits : Path
        Folders of splits that have the same classes; those that do not exist count for
        nothing.

    Returns
    -------
    images : ImageSequence
    target : ndarray of shape (n,), int
    names : ndarray of str
        Classes of all splits, sorted.

    Raises
    ------
    InputError
        As :func:`load_image_folder` does.
    """
    images, labels = load_image_folder(folder)
    existing = [path for path in all_splits if path.is_dir()]
    names = sorted({name for path in existing for name in _visible(path, folders=True)})
    return images, np.searchsorted(names, labels), np.array(names)


def load_mask_folder(
    root: str | os.PathLike[str],
    images: ImageSequence,
    size: int | tuple[int, int] | None = None,
) -> np.ndarray:
    """Read the object masks that lie beside images.

    The mask of ``.../CLASS/ID.jpg`` is ``root/CLASS/ID.png``.  Black pixels are not the
    object, all others are.

    Parameters
    ----------
    root : str or path-like
        Folder of the masks.
    images : ImageSequence
        Images from files, for example from :func:`load_image_folder`.
    size : int or (int, int), default None
        Height and width to resize to, by nearest neighbour; ``None`` keeps the masks' own
        size, which must then be the same for all.

    Returns
    -------
    ndarray of shape (n, h, w), bool
        True on the object; in the order of ``images``.

    Raises
    ------
    InputError
        When the images are not files, or the masks differ in size.
    ImageReadError
        When a mask is missing or cannot be decoded.

    Examples
    --------
    >>> images, y = load_image_folder("scenes/train/images")  # doctest: +SKIP
    >>> masks = load_mask_folder("scenes/train/masks", images)  # doctest: +SKIP
    """
    files = images.files
    if files is None:
        raise InputError("images must be files, so that masks can be found by their names")
    parts = [Path(file) for file in files]
    return read_masks([Path(root, p.parent.name, p.stem + ".png") for p in parts], size)


def read_masks(paths: Sequence[Path], size: int | tuple[int, int] | None = None) -> np.ndarray:
    """Read mask files into one array.

    Parameters
    ----------
    paths : sequence of Path
        Files; black is not the object, everything else is.
    size : int or (int, int), default None
        Height and width to resize to, by nearest neighbour.

    Returns
    -------
    ndarray of shape (n, h, w), bool

    Raises
    ------
    InputError
        When ``size`` is None and the masks differ in size.
    ImageReadError
        When a mask is missing or cannot be decoded.
    """
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise ImageReadError(
            f"{len(missing)} of {len(paths)} masks do not exist; the first is {missing[0]}"
        )
    shape = None if size is None else height_width(size)
    masks: np.ndarray | None = None
    for row, path in enumerate(paths):
        mask = read_file(path, _is_object)
        if shape is None:
            shape = (mask.shape[0], mask.shape[1])
        if size is not None:
            mask = resize_mask(mask, shape)
        elif mask.shape != shape:
            raise InputError(
                f"masks differ in size ({paths[0]} is {shape}, {path} is {mask.shape}): "
                "pass size="
            )
        if masks is None:
            masks = np.empty((len(paths), *shape), dtype=bool)
        masks[row] = mask
    if masks is None:
        raise InputError("no masks to read")
    return masks


def _is_object(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I"):
        # Label maps of 16 bits hold small numbers, which the upper byte would lose.
        return np.asarray(image).astype(bool)
    return np.any(from_pillow(image), axis=2)
