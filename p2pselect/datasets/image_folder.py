"""Folders with one sub-folder per class."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from p2pselect.exceptions import InputError
from p2pselect.images import ImageSequence

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
