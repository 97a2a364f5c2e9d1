"""The files that are written for images: none of them replaces another, or an image."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from p2pselect.atomic_write import atomic_open
from p2pselect.exceptions import InputError

if TYPE_CHECKING:
    import numpy as np


def output_files(folder: Path, images: Sequence[str], places: Sequence[str]) -> list[Path]:
    """Name a different PNG file below ``folder`` for each image.

    The folders of the images are mirrored, starting from the place that was named on the
    command line (or from the folder that all these places share).  The ending of an image is
    replaced: ``cat/001.jpg`` gives ``cat/001.png``.  If two images would share a name, each
    keeps its own ending before the new one (``a.jpg.png`` and ``a.png.png``), and is numbered
    if that is not enough.  Names that differ only in case or in Unicode normalization count as
    equal, because some file systems cannot tell them apart.
    """
    base = os.path.commonpath([_folder_of(place) for place in places])
    own = [os.path.relpath(image, base) for image in images]
    sharing = Counter(_alike(os.path.splitext(name)[0]) for name in own)  # noqa: PTH122
    # A file may not have the name of a folder that other files go into.
    taken = {_alike(str(parent)) for name in own for parent in Path(name).parents}
    # Kept from image to image: counting from 2 again for each is slow where many share a name.
    numbers: dict[str, Iterator[int]] = defaultdict(lambda: count(2))
    files: list[Path] = []
    for name in own:
        stem = os.path.splitext(name)[0]  # noqa: PTH122 (keeps the folders)
        numbered = (f"{name}-{number}" for number in numbers[_alike(name)])
        first = [stem] if sharing[_alike(stem)] == 1 else []
        for candidate in chain(first, [name], numbered):
            file = f"{candidate}.png"
            if _alike(file) not in taken:
                break
        taken.add(_alike(file))
        files.append(folder / file)
    return files


def check_apart(written: Mapping[str, Sequence[Path]], inputs: Sequence[str] = ()) -> None:
    """Raise an InputError if two options would write the same file, or one that is read.

    ``written`` maps options, such as ``--masks``, to the files that they write; ``inputs`` are
    the images and whatever else is read.
    """
    read = {os.path.realpath(file) for file in inputs}
    by: dict[str, str] = {}
    for option, files in written.items():
        own = {_alike(os.path.realpath(file)): file for file in files}
        for file in files:
            if os.path.realpath(file) in read:
                raise InputError(
                    f"{option}: {file} would replace a file that is read: choose another place"
                )
        for path, file in own.items():
            if path in by:
                raise InputError(
                    f"{by[path]} and {option} would both write {file}: choose different places"
                )
        by |= dict.fromkeys(own, option)


def write_png(file: Path, pixels: np.ndarray) -> None:
    """Write an image, uint8 (h, w) or (h, w, 3), all of it or nothing."""
    from PIL import Image

    with atomic_open(file, "wb") as opened:
        Image.fromarray(pixels).save(opened, format="png")


def _folder_of(place: str) -> str:
    path = os.path.abspath(place)  # noqa: PTH100 (without "..", but links stay as they are)
    return path if Path(path).is_dir() else os.path.dirname(path)  # noqa: PTH120


def _alike(name: str) -> str:
    """The same text for all names that some file system takes for the same."""
    return unicodedata.normalize("NFC", name).casefold()
