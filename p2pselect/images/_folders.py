"""The walk over a folder: which of the files below it are images, by one set of rules.

* An image is a file whose name has an ending of a format that can be decoded, in any case.
* Names that begin with a dot, ``__MACOSX``, ``Thumbs.db``, ``desktop.ini`` and ``@eaDir`` are
  left out, files as well as folders.
* Links are followed, to files and to folders, but not to a folder that the link lies in.
* Numbers in names count as numbers (``2.jpg`` comes before ``10.jpg``), and the files of a
  folder come before its folders.
"""

from __future__ import annotations

import os
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from p2pselect.exceptions import InputError, P2PSelectWarning, brief
from p2pselect.images._decode import readable_endings
from p2pselect.images._meaning import Meaning
from p2pselect.images._stored import STORED_ENDINGS

#: What other programs leave behind.
_LEFT_BEHIND = frozenset({"__macosx", "thumbs.db", "desktop.ini", "@eadir"})
_NUMBER = re.compile(r"([0-9]+)")


@dataclass(frozen=True)
class FolderListing:
    """What lies below a folder; ``files`` and ``folders`` are relative to ``root``."""

    root: str
    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    #: How many files there are of every ending that is not one of an image.
    others: Counter[str] = field(default_factory=Counter)
    #: Links that lead nowhere.  Those with the ending of an image are among ``files`` instead,
    #: so that reading them fails like reading any missing image.
    dangling: list[str] = field(default_factory=list)

    def paths(self) -> list[str]:
        """The images' paths, with the folder before them."""
        return [os.path.join(self.root, file) for file in self.files]  # noqa: PTH118 (speed)

    def left_out(self) -> str:
        """What was found and is not an image, in words; empty where there is nothing."""
        said = []
        if self.others:
            most = sorted(self.others.items(), key=lambda item: (-item[1], item[0]))[:8]
            each = ", ".join(f"{name} {count}" for name, count in most)
            said.append(f"files without the ending of an image: {self.others.total()} ({each})")
        if self.dangling:
            first = ", ".join(self.dangling[:3])
            said.append(f"links that lead nowhere: {len(self.dangling)} ({first})")
        return "; ".join(said)


def list_folder(
    root: str | os.PathLike[str], endings: Sequence[str] | None = None
) -> FolderListing:
    """Find the images below a folder, however deep they lie.

    ``endings`` None stands for those of all formats that can be decoded.

    Raises
    ------
    InputError
        If ``root`` is not a folder, or a folder below it cannot be opened.
    """
    wanted = readable_endings() if endings is None else tuple(e.lower() for e in endings)
    listing = FolderListing(os.fsdecode(root))
    if not os.path.isdir(listing.root):  # noqa: PTH112 (an embedded NUL is an error there)
        raise InputError(f"{listing.root} is not a folder")
    # Each with the folders around it, by identity: a link to one of those would never end.
    waiting: list[tuple[str, frozenset[tuple[int, int]]]] = [("", frozenset())]
    while waiting:
        folder, around = waiting.pop()
        inside = _enter(os.path.join(listing.root, folder), around)  # noqa: PTH118
        if inside is None:
            continue
        entries, around = inside
        if folder:
            listing.folders.append(folder)
        deeper: list[str] = []
        for entry in entries:
            own = f"{folder}{os.sep}{entry.name}" if folder else entry.name
            is_image = entry.name.lower().endswith(wanted)
            kind = _kind(entry)
            if kind == "folder":
                deeper.append(own)
            elif is_image and kind in ("file", "dangling"):
                listing.files.append(own)
            elif kind == "dangling":
                listing.dangling.append(own)
            elif kind == "file":
                ending = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 (speed)
                listing.others[ending or "without ending"] += 1
        # Reversed, because the next folder is taken from the end.
        waiting += [(own, around) for own in reversed(deeper)]
    return listing


def is_folder(X: object) -> bool:
    """Whether this is the path of a folder."""
    return isinstance(X, str | os.PathLike) and os.path.isdir(X)  # noqa: PTH112


def images_below(root: str | os.PathLike[str], meaning: Meaning) -> list[str]:
    """The paths of the images below a folder, of which each stands for all of its channels.

    Warns of files that are not taken for images.

    Raises
    ------
    InputError
        If there is no image.
    """
    listing = list_folder(root, endings_of(meaning.is_of_stored))
    first = (meaning.channel_files or [""])[0]
    found = [path for path in listing.paths() if first in os.path.basename(path)]  # noqa: PTH119
    if not found:
        lacks = f" with {brief(first)} in their names" if listing.files else ""
        left_out = listing.left_out()
        but = f", but {left_out}" if left_out else ""
        raise InputError(f"{listing.root} holds no images{lacks}{but}")
    warn_left_out(listing)
    return found


def endings_of(as_stored: bool) -> tuple[str, ...] | None:
    """Endings of images that are read as they are stored; None for those of all formats."""
    return (*readable_endings(), *STORED_ENDINGS) if as_stored else None


def list_subfolders(root: str | os.PathLike[str]) -> list[str]:
    """Names of the folders that lie directly in a folder, in natural order."""
    entries, _ = _enter(os.fsdecode(root), frozenset()) or ([], frozenset())
    return [entry.name for entry in entries if _kind(entry) == "folder"]


def warn_left_out(listing: FolderListing, stacklevel: int = 2) -> None:
    """Warn of files below a folder that are not taken for images."""
    if said := listing.left_out():
        warnings.warn(
            f"{listing.root}: left out {said}", P2PSelectWarning, stacklevel=stacklevel + 1
        )


def natural_key(name: str) -> tuple[list[str | int], str]:
    """A key to sort names by, in which numbers count as numbers."""
    # Text and numbers alternate, so no number is ever compared with text.
    parts: list[str | int] = list(_NUMBER.split(name))
    parts[1::2] = map(int, parts[1::2])
    # The name itself decides between "1.jpg" and "01.jpg", whatever order they come in.
    return parts, name


def is_hidden(name: str) -> bool:
    """Whether files and folders of this name are never looked at."""
    return name.startswith(".") or name.lower() in _LEFT_BEHIND


def _enter(
    path: str, around: frozenset[tuple[int, int]]
) -> tuple[list[os.DirEntry[str]], frozenset[tuple[int, int]]] | None:
    """Visible entries of a folder in natural order; None if it is one of those around it."""
    try:
        status = os.stat(path)  # noqa: PTH116
        identity = (status.st_dev, status.st_ino)
        if identity in around:
            return None
        with os.scandir(path) as found:
            visible = [entry for entry in found if not is_hidden(entry.name)]
    except OSError as error:
        raise InputError(f"{path} cannot be opened: {error.strerror}") from error
    return sorted(visible, key=lambda entry: natural_key(entry.name)), around | {identity}


def _kind(entry: os.DirEntry[str]) -> str:
    """What an entry is, or what it leads to."""
    try:
        if entry.is_dir():
            return "folder"
        if entry.is_file():
            return "file"
        leads_nowhere = entry.is_symlink() and not os.path.exists(entry.path)  # noqa: PTH110
        return "dangling" if leads_nowhere else "special"
    except OSError:  # a link to itself
        return "dangling"
