"""Folders with one sub-folder per class."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from p2pselect.datasets._mask_names import MASK_SUFFIXES
from p2pselect.exceptions import InputError, P2PSelectWarning
from p2pselect.images import ImageSequence
from p2pselect.images._folders import FolderListing, list_folder, list_subfolders, warn_left_out

#: What lies above the classes in many data sets; one class may have such a name, all may not.
_ABOVE_CLASSES = re.compile(
    r"((train|val|test|dev|eval)(ing|id|idation|uation)?|holdout|fold|split)"
    r"([-_ ]?(set|data|images?|masks?|\d+))?"
    r"|images?|imgs?|jpegimages|masks?|labels?|annotations?|segmentations?",
    re.IGNORECASE,
)
_TREE = """expected one sub-folder per class:
  {root}/
    cat/
      001.jpg
      002.jpg
    dog/
      001.jpg"""


def load_image_folder(
    root: str | os.PathLike[str], *, extensions: Sequence[str] | None = None
) -> tuple[ImageSequence, np.ndarray]:
    """List the images of a folder that has one sub-folder per class.

    Images may lie deeper than ``root/CLASS/FILE``: all below ``root/CLASS`` belong to CLASS.
    Links are followed.  Hidden files and what other programs leave behind (``.*``,
    ``__MACOSX``, ``Thumbs.db``, ``desktop.ini``, ``@eaDir``) are left out.

    Parameters
    ----------
    root : str or path-like
        The folder.
    extensions : sequence of str, default None
        Endings that make a file an image, compared without case.  None for those of all
        formats that can be decoded; files with other endings are then counted in a warning.

    Returns
    -------
    images : ImageSequence
        Class after class, in natural order (``2.jpg`` before ``10.jpg``); opened when read.
    labels : ndarray of shape (n,), str
        Names of their folders.

    Warns
    -----
    P2PSelectWarning
        Of what is left out or looks like a mistake: classes without images, images beside the
        class folders, files that are not images, one class only whose images are all in
        sub-folders, and images that differ from another in their ending only or in a suffix
        such as ``_mask``.

    Raises
    ------
    InputError
        When ``root`` is not a folder or holds no images, when there are no sub-folders, and
        when the sub-folders are not classes: all of them have names such as ``train`` and
        ``test`` or ``images`` and ``masks``, or one contains folders named as other classes.

    Examples
    --------
    >>> images, y = load_image_folder("flowers/train")  # doctest: +SKIP
    """
    folder = Path(root)
    try:
        listing = list_folder(root, extensions)
    except InputError as error:
        raise InputError(f"{error}; {_TREE.format(root=folder)}") from None
    files: list[str] = []
    labels: list[str] = []
    loose: list[str] = []
    for file in listing.files:
        name, inside, _ = file.partition(os.sep)
        if inside:
            files.append(file)
            labels.append(sys.intern(name))  # one object per class, not per image
        else:
            loose.append(file)
    if not files:
        raise InputError(f"{_why_no_classes(listing, loose)}; {_TREE.format(root=folder)}")
    counts = Counter(labels)
    _check_level(listing, files, counts)
    said = _remarks(listing, files, counts, loose)
    if said:
        warnings.warn(f"{folder}: {'; '.join(said)}", P2PSelectWarning, stacklevel=2)
    if extensions is None:
        warn_left_out(listing)
    paths = (os.path.join(folder, file) for file in files)  # noqa: PTH118 (speed)
    return ImageSequence(paths), np.array(labels)


def _why_no_classes(listing: FolderListing, loose: list[str]) -> str:
    if loose:
        root = Path(listing.root)
        return (
            f"{root} holds {len(loose)} images ({loose[0]}, ...) and no sub-folder with any; "
            f"if it is one class, pass the folder above it, {root.absolute().parent}"
        )
    left_out = listing.left_out()
    return f"{listing.root} holds no images" + (f", but {left_out}" if left_out else "")


def _check_level(listing: FolderListing, files: list[str], counts: Counter[str]) -> None:
    """Raise an InputError where the sub-folders are surely not classes."""
    classes = list(counts)
    inside: dict[str, list[str]] = {name: [] for name in classes}
    for own in listing.folders:
        name, _, rest = own.partition(os.sep)
        if name in inside and rest and os.sep not in rest:
            inside[name].append(rest)
    if all(_ABOVE_CLASSES.fullmatch(name) for name in classes) and (
        len(classes) > 1 or any(inside.values())
    ):
        deeper = [name for name in classes if inside[name]]
        first = sorted(deeper, key=lambda name: not name.lower().startswith("train"))[:1]
        hint = (
            f"did you mean {Path(listing.root, *first)}?"
            if deeper
            else "these hold images directly, without a sub-folder per class"
        )
        raise InputError(
            f"{listing.root}: the sub-folders {', '.join(classes[:5])} do not look like "
            f"classes, but like parts of a data set; {hint}"
        )
    # Masks or another part of the set, beside the classes: it repeats their names.
    repeating = {
        name: [rest for rest in rests if rest in counts and rest != name]
        for name, rests in inside.items()
    }
    plain = {name for name, repeated in repeating.items() if not repeated}
    for name, repeated in repeating.items():
        if plain and repeated and plain <= set(repeated):
            raise InputError(
                f"{listing.root}: the sub-folder {name} holds folders named as the classes "
                f"beside it ({', '.join(repeated[:3])}), so that it is not a class like them "
                "(but masks or another part of the data set, for example): move it elsewhere"
            )


def _remarks(
    listing: FolderListing, files: list[str], counts: Counter[str], loose: list[str]
) -> list[str]:
    """What is odd about a folder of classes, in words."""
    said = []
    empty = [own for own in listing.folders if os.sep not in own and own not in counts]
    if empty:
        said.append(f"sub-folders without images, not classes here: {_named(empty)}")
    if loose:
        said.append(f"images beside the class folders, left out: {_named(loose)}")
    if len(counts) == 1 and all(file.count(os.sep) > 1 for file in files):
        (only,) = counts
        said.append(
            f"one class, {only}, whose images all lie in its sub-folders; if those are the "
            f"classes, pass {Path(listing.root, only)}"
        )
    twins = [pair for _, own in groupby(files, os.path.dirname) for pair in _twins(own)]
    if twins:
        said.append(
            f"pairs that share a name: {_named([' and '.join(pair) for pair in twins])}; if "
            "they are images and their masks, put the masks into a folder of their own, or "
            "name the images' endings (extensions=)"
        )
    return said


def _named(names: list[str]) -> str:
    """How many there are, and the first of them."""
    return f"{len(names)} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"


def _twins(files: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of files of one folder that are named like an image and its mask."""
    pairs = []
    stems: dict[str, str] = {}
    for file in files:
        stem = os.path.splitext(file)[0]  # noqa: PTH122 (speed)
        if stem in stems:
            pairs.append((stems[stem], file))
        stems[stem] = file
    for stem, file in stems.items():
        if stem.endswith(MASK_SUFFIXES):
            bare = next(stem.removesuffix(s) for s in MASK_SUFFIXES if stem.endswith(s))
            if bare in stems:
                pairs.append((stems[bare], file))
    return pairs


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
    # Also of classes that have no image in some split.
    names = sorted({name for path in existing for name in list_subfolders(path)})
    return images, np.searchsorted(names, labels), np.array(names)
