"""Folders of images with one subfolder per class."""

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

from p2pselect.datasets._mask_folder import MASK_SUFFIXES
from p2pselect.exceptions import InputError, P2PSelectWarning
from p2pselect.images import ImageSequence
from p2pselect.images._folders import FolderListing, list_folder, list_subfolders, warn_left_out

#: Names of folders above the classes in many data sets.  One class may be called like this,
#: but not all of them.
_ABOVE_CLASSES = re.compile(
    r"((train|val|test|dev|eval)(ing|id|idation|uation)?|holdout|fold|split)"
    r"([-_ ]?(set|data|images?|masks?|\d+))?"
    r"|images?|imgs?|jpegimages|masks?|labels?|annotations?|segmentations?",
    re.IGNORECASE,
)
_TREE = """expected one subfolder per class:
  {root}/
    cat/
      001.jpg
      002.jpg
    dog/
      001.jpg"""


def load_image_folder(
    root: str | os.PathLike[str],
    *,
    extensions: Sequence[str] | None = None,
    channel_files: Sequence[str] | None = None,
) -> tuple[ImageSequence, np.ndarray]:
    """List the images of a folder that has one subfolder per class.

    Every image below ``root/CLASS``, however deep, belongs to CLASS.  Links are followed.
    Hidden files and the leftovers of other programs (``.*``, ``__MACOSX``, ``Thumbs.db``,
    ``desktop.ini``, ``@eaDir``) are left out.

    Parameters
    ----------
    root : str or path-like
        The folder.
    extensions : sequence of str, default None
        Extensions of image files, such as ``[".png"]``, in upper or lower case.  None for all
        formats that can be decoded; a warning then counts the files with other extensions.
    channel_files : sequence of str, default None
        Where every channel has a file of its own: the parts of the file names that tell them
        apart, as in :func:`p2pselect.images.as_images`.  Only the files of the first channel
        are listed, which is what ``images__channel_files`` of an estimator expects.

    Returns
    -------
    images : ImageSequence
        Class by class, in natural order (``2.jpg`` before ``10.jpg``).  Files are opened when
        they are read.
    labels : ndarray of shape (n,), str
        Names of the class folders.

    Raises
    ------
    InputError
        If ``root`` is not a folder, has no images or no subfolders, or has subfolders that
        are not classes: all of them have names such as ``train`` and ``test`` or ``images``
        and ``masks``, or one contains folders with the names of the other classes.

    Warns
    -----
    P2PSelectWarning
        If something is left out or looks like a mistake: classes without images, images next
        to the class folders, files that are not images, a single class whose images all lie
        in subfolders, and images whose names differ only in the extension or in a suffix
        such as ``_mask``.

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
        if channel_files is not None and channel_files[0] not in Path(file).name:
            continue
        name, inside, _ = file.partition(os.sep)
        if inside:
            files.append(file)
            labels.append(sys.intern(name))  # one object per class, not per image
        else:
            loose.append(file)
    if not files:
        raise InputError(f"{_why_no_classes(listing, loose)}; {_TREE.format(root=folder)}")
    counts = Counter(labels)
    _check_level(listing, counts)
    remarks = _remarks(listing, files, counts, loose)
    if remarks:
        warnings.warn(f"{folder}: {'; '.join(remarks)}", P2PSelectWarning, stacklevel=2)
    if extensions is None:
        warn_left_out(listing)
    paths = (os.path.join(folder, file) for file in files)  # noqa: PTH118 (speed)
    return ImageSequence(paths), np.array(labels)


def _why_no_classes(listing: FolderListing, loose: list[str]) -> str:
    if loose:
        root = Path(listing.root)
        return (
            f"{root} holds {len(loose)} images ({loose[0]}, ...) but no subfolder with images; "
            f"if they are one class, pass the folder above it, {root.absolute().parent}"
        )
    left_out = listing.left_out()
    return f"{listing.root} holds no images" + (f", but {left_out}" if left_out else "")


def _check_level(listing: FolderListing, counts: Counter[str]) -> None:
    """Raise an InputError if the subfolders cannot be classes."""
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
            else "they hold images directly, without one subfolder per class"
        )
        raise InputError(
            f"{listing.root}: the subfolders {', '.join(classes[:5])} look like parts of a "
            f"data set, not like classes; {hint}"
        )
    # A folder next to the classes that repeats their names holds masks or another part.
    repeating = {
        name: [rest for rest in rests if rest in counts and rest != name]
        for name, rests in inside.items()
    }
    plain = {name for name, repeated in repeating.items() if not repeated}
    for name, repeated in repeating.items():
        if plain and repeated and plain <= set(repeated):
            raise InputError(
                f"{listing.root}: the subfolder {name} contains folders with the names of the "
                f"classes next to it ({', '.join(repeated[:3])}), so it is not a class itself "
                "but perhaps holds masks or another part of the data set: move it elsewhere"
            )


def _remarks(
    listing: FolderListing, files: list[str], counts: Counter[str], loose: list[str]
) -> list[str]:
    """What looks odd about a folder of classes, in words."""
    remarks = []
    empty = [own for own in listing.folders if os.sep not in own and own not in counts]
    if empty:
        remarks.append(f"subfolders without images are not used as classes: {_count(empty)}")
    if loose:
        remarks.append(f"images next to the class folders are left out: {_count(loose)}")
    if len(counts) == 1 and all(file.count(os.sep) > 1 for file in files):
        (only,) = counts
        remarks.append(
            f"there is one class, {only}, whose images all lie in its subfolders; if those are "
            f"the classes, pass {Path(listing.root, only)}"
        )
    twins = [pair for _, own in groupby(files, os.path.dirname) for pair in _twins(own)]
    if twins:
        remarks.append(
            f"some images share a name: {_count([' and '.join(pair) for pair in twins])}; if "
            "they are images and their masks, move the masks to a folder of their own, or name "
            "the extensions of the images (extensions=)"
        )
    return remarks


def _count(names: list[str]) -> str:
    """How many names there are, and the first of them."""
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


def load_split_folder(
    folder: Path, *all_splits: Path
) -> tuple[ImageSequence, np.ndarray, np.ndarray]:
    """List the images of one split, with class codes that agree across the splits.

    Returns the images, their codes (n,), and the sorted names of the classes of ``all_splits``.
    Split folders that do not exist are ignored.
    """
    images, labels = load_image_folder(folder)
    existing = [path for path in all_splits if path.is_dir()]
    # Includes classes that have no image in some split.
    names = sorted({name for path in existing for name in list_subfolders(path)})
    return images, np.searchsorted(names, labels), np.array(names)
