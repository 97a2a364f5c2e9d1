"""Images in tar files, as WebDataset writes them: KEY.jpg and, beside it, KEY.cls."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable, Iterator

import numpy as np

from p2pselect.exceptions import ImageReadError, InputError
from p2pselect.images import ImageSequence
from p2pselect.images.reading import decode

_IMAGES = ("jpg", "jpeg", "png", "webp")


class TarImages:
    """A source of an :class:`~p2pselect.images.ImageSequence`: members of tar files.

    Where they lie is held in arrays, so that a million of them are no million objects.

    Parameters
    ----------
    shards : ndarray of bytes
        Paths of the tar files.
    shard : ndarray of shape (n,), int
        Which of them an image is in.
    start, n_bytes : ndarray of shape (n,), int
        Where in the file its bytes are.
    names : ndarray of shape (n,), bytes
        What it is called there.
    """

    n_channels = 3
    is_float = False
    image_shape: tuple[int, int] | None = None

    def __init__(
        self,
        shards: np.ndarray,
        shard: np.ndarray,
        start: np.ndarray,
        n_bytes: np.ndarray,
        names: np.ndarray,
    ):
        self.shards = shards
        self.shard = shard
        self.start = start
        self.n_bytes = n_bytes
        self.names = names
        self.told: set[str] = set()

    def __len__(self) -> int:
        return len(self.start)

    def read(self, positions: np.ndarray) -> Iterator[np.ndarray]:
        for position in positions:
            path = os.fsdecode(self.shards[self.shard[position]])
            name = f"{path}, {os.fsdecode(self.names[position])}"
            try:
                with open(path, "rb") as file:  # noqa: PTH123 (one per image)
                    file.seek(self.start[position])
                    content = file.read(self.n_bytes[position])
            except OSError as error:
                raise ImageReadError(f"{name}: {error.strerror}") from error
            yield decode(io.BytesIO(content), name, self.told)

    def subset(self, positions: np.ndarray) -> TarImages:
        own = (self.shard, self.start, self.n_bytes, self.names)
        return TarImages(self.shards, *(column[positions] for column in own))


def load_tar_shards(
    paths: Iterable[str | os.PathLike[str]],
) -> tuple[ImageSequence, np.ndarray]:
    """List the images of tar files, as WebDataset writes them.

    The files are looked through once; images are read from them when asked for, in any
    order, so that cross-validation and shuffling work as with image files.

    Parameters
    ----------
    paths : iterable of path
        Uncompressed tar files.  Members that share all of their name up to the first dot
        after the last slash belong together: ``KEY.jpg`` (or jpeg, png, webp) is the image,
        ``KEY.cls`` holds its label as text; others are not looked at.

    Returns
    -------
    images : ImageSequence
        In the order of the shards.
    labels : ndarray of shape (n,)
        int where all labels are whole numbers, else str.

    Raises
    ------
    InputError
        When a file is missing, no tar file or compressed, an image has no label, a label no
        image, or there is none at all.

    Examples
    --------
    >>> from pathlib import Path
    >>> images, y = load_tar_shards(sorted(Path("train").glob("*.tar")))  # doctest: +SKIP
    """
    shards = [os.fspath(path) for path in paths]
    places: list[tuple[int, int, int]] = []
    names: list[bytes] = []
    labels: list[str] = []
    for number, path in enumerate(shards):
        found: dict[str, tuple[int, int, str]] = {}
        said: dict[str, str] = {}
        for key, ending, member, label in _members(path):
            if label is not None:
                said[key] = label
            elif ending in _IMAGES:
                if key in found:
                    raise InputError(f"{path} has two images of {key!r}")
                found[key] = (member.offset_data, member.size, member.name)
        alone = sorted(found.keys() ^ said.keys())
        if alone:
            lacks = "label (.cls)" if alone[0] in found else "image"
            raise InputError(f"{path}: {alone[0]!r} has no {lacks}, {len(alone)} such in all")
        for key, (start, size, name) in found.items():
            places.append((number, start, size))
            names.append(os.fsencode(name))
            labels.append(said[key])
    if not places:
        raise InputError(f"no images in {len(shards)} tar files: {', '.join(shards[:3])}")
    shard, start, n_bytes = np.array(places, dtype=np.int64).T
    encoded = np.array([os.fsencode(path) for path in shards], dtype=np.bytes_)
    source = TarImages(encoded, shard, start, n_bytes, np.array(names, dtype=np.bytes_))
    whole = all(label.removeprefix("-").isdecimal() for label in labels)
    return (
        ImageSequence._from_source(source),
        np.array([int(label) for label in labels] if whole else labels),
    )


def _members(path: str) -> Iterator[tuple[str, str, tarfile.TarInfo, str | None]]:
    """Key, ending and place of every file of a shard; the text of those that are labels."""
    try:
        with tarfile.open(path, "r:") as tar:
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # it would keep them all
                folder, _, name = member.name.rpartition("/")
                key, _, ending = name.partition(".")
                if not member.isfile() or not key:
                    continue
                label = None
                if ending.lower() == "cls":
                    file = tar.extractfile(member)
                    assert file is not None
                    label = file.read().decode("utf-8").strip()
                yield f"{folder}/{key}", ending.lower(), member, label
    except (OSError, tarfile.TarError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no uncompressed tar file of images: {error}") from error
