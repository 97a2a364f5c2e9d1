"""Files written for images: where they go, so that none replaces another."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, count
from pathlib import Path

from p2pselect.exceptions import InputError


def output_files(
    folder: Path, images: Sequence[str], places: Sequence[str], *, ending: str = ".png"
) -> list[Path]:
    """Name one file for every image, each a different one.

    The folders of the images are mirrored below ``folder``, from the place named on the
    command line downwards (from the folder that all places share, where there are several).
    The ending of an image is replaced by ``ending``: ``cat/001.jpg`` gives ``cat/001.png``.
    Where two images would share that name, each keeps its own ending before the new one
    (``a.jpg.png`` and ``a.png.png``), and is numbered if that is not enough.  Names that
    differ in case or in Unicode normalization only count as the same, because some file
    systems cannot tell them apart.

    Parameters
    ----------
    folder : Path
        Where the files are to be written.
    images : sequence of str
        Paths of the images.
    places : sequence of str
        The files and folders that were named on the command line, which hold the images.
    ending : str, default ".png"

    Returns
    -------
    list of Path
        In the order of ``images``.  Their folders need not exist.
    """
    base = os.path.commonpath([_folder_of(place) for place in places])
    own = [os.path.relpath(image, base) for image in images]
    sharing = Counter(_alike(os.path.splitext(name)[0]) for name in own)  # noqa: PTH122
    taken = {_alike(str(parent)) for name in own for parent in Path(name).parents}
    numbers: dict[str, Iterator[int]] = defaultdict(lambda: count(2))
    files: list[Path] = []
    for name in own:
        stem = os.path.splitext(name)[0]  # noqa: PTH122 (keeps the folders)
        numbered = (f"{name}-{number}" for number in numbers[_alike(name)])
        first = [stem] if sharing[_alike(stem)] == 1 else []
        for candidate in chain(first, [name], numbered):
            if _alike(candidate + ending) not in taken:
                break
        taken.add(_alike(candidate + ending))
        files.append(folder / (candidate + ending))
    return files


def check_apart(written: Mapping[str, Sequence[Path]], images: Sequence[str] = ()) -> None:
    """Make sure that what is written replaces neither what is read nor each other.

    Parameters
    ----------
    written : mapping of str to sequence of Path
        Option, such as ``--masks``: the files that it writes.
    images : sequence of str
        Files that are read.

    Raises
    ------
    InputError
        Where two options would write the same file, or one of the images.
    """
    read = {os.path.realpath(image) for image in images}
    by: dict[str, str] = {}
    for option, files in written.items():
        own = {_alike(os.path.realpath(file)): file for file in files}
        for file in files:
            if os.path.realpath(file) in read:
                raise InputError(
                    f"{option}: {file} would replace an image that is read here: name another "
                    "place"
                )
        for path, file in own.items():
            if path in by:
                raise InputError(
                    f"{by[path]} and {option} would both write {file}: name different places"
                )
        by |= dict.fromkeys(own, option)


def _folder_of(place: str) -> str:
    path = os.path.abspath(place)  # noqa: PTH100 (without "..", links as they are)
    return path if Path(path).is_dir() else os.path.dirname(path)  # noqa: PTH120


def _alike(name: str) -> str:
    """What names have in common that some file systems take for the same."""
    return unicodedata.normalize("NFC", name).casefold()
