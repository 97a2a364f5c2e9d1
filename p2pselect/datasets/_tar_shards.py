"""Tar files as WebDataset writes them, whose images can be read in any order."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from p2pselect.exceptions import ImageReadError, InputError, brief
from p2pselect.images import EncodedImageSource, ImageSequence
from p2pselect.images._decode import readable_endings
from p2pselect.images._folders import is_hidden

#: Extensions of the members that may hold a label, the preferred one first.
_LABELS = ("cls", "txt", "json")
_JSON_KEYS = ("label", "labels", "cls", "class")
#: One label, the names of several, or 0 and 1 for each of them.
Label = str | list[str] | list[int]
#: The first bytes of files compressed by gzip, bzip2, xz and Zstandard.
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")


def load_tar_shards(
    paths: Iterable[str | os.PathLike[str]],
) -> tuple[ImageSequence, np.ndarray]:
    """List the images of tar files in the layout of WebDataset.

    Each tar file is scanned once.  Its images are then read when they are asked for, in any
    order, so cross-validation and shuffling work as they do with image files.

    Parameters
    ----------
    paths : iterable of path
        Uncompressed tar files.  Members whose names agree up to the first dot after the last
        slash form one sample: ``KEY.jpg`` (or another extension that can be decoded) is the
        image, and ``KEY.cls``, ``KEY.txt`` or ``KEY.json`` its label.  A label is one line of
        text, or JSON that is a string, a whole number, or an object with one of these as
        "label", "labels", "cls" or "class".  Where images have several labels, JSON has a list
        in their place: of names, or a row of 0 and 1 with an entry for every label.  If the
        samples have several of these files, the first kind in this list is used for all of
        them.  Extensions may be in upper case.
        Hidden members are left out, as :func:`~p2pselect.datasets.load_image_folder` leaves
        out hidden files, and other parts of a sample are ignored.  The same key in two tar
        files means two samples.

    Returns
    -------
    images : ImageSequence
        In the order of the tar files.
    labels : ndarray of shape (n,) or (n, n_labels)
        Of type int if all labels are whole numbers, otherwise str.  Rows of 0 and 1 make a
        matrix, int (n, n_labels).  Lists of names stay lists, in an array of objects (n,),
        which :class:`sklearn.preprocessing.MultiLabelBinarizer` turns into a matrix.

    Raises
    ------
    InputError
        If a file is missing, compressed or not a tar file, if a sample lacks its image or its
        label or has two of them, if a label cannot be read or is of another form than that of
        the first image, if keys contain dots, or if there is not an image at all.  The message
        names the file and the key.

    Examples
    --------
    >>> from pathlib import Path
    >>> images, y = load_tar_shards(sorted(Path("train").glob("*.tar")))  # doctest: +SKIP
    """
    if isinstance(paths, str | bytes | os.PathLike):
        raise InputError(f"paths is one path, {brief(os.fsdecode(paths))}: pass [path]")
    shards = [os.fspath(path) for path in paths]
    places: list[tuple[int, int, int]] = []
    names: list[bytes] = []
    labels: list[Label] = []
    kind: str | None = None
    for number, path in enumerate(shards):
        samples = _read_samples(path)
        # One kind for all tar files: .cls often holds numbers where .txt holds names.
        if kind is None:
            found = {ending for sample in samples.values() for ending in sample.labels}
            kind = next((ending for ending in _LABELS if ending in found), None)
        _check_complete(path, samples, kind)
        for key, sample in samples.items():
            assert sample.image is not None and kind is not None
            places.append((number, sample.image.offset_data, sample.image.size))
            names.append(os.fsencode(sample.image.name))
            name = f"{path}, {key}.{kind}"
            labels.append(_label(sample.labels[kind], kind, name))
            if _form(labels[-1]) != _form(labels[0]):
                raise InputError(
                    f"{name} has {_form(labels[-1])}, but the first image has "
                    f"{_form(labels[0])}"
                )
    if not places:
        raise InputError(
            f"there are no images in {len(shards)} tar files: {', '.join(shards[:3])}"
        )
    shard, start, n_bytes = np.array(places, dtype=np.int64).T
    encoded = np.array([os.fsencode(path) for path in shards], dtype=np.bytes_)
    source = TarImages(encoded, shard, start, n_bytes, np.array(names, dtype=np.bytes_))
    return ImageSequence(source), _as_array(labels)


class TarImages(EncodedImageSource):
    """An image source: members of tar files.

    ``shards`` (bytes) are the paths of the tar files.  The other arrays have one entry per
    image: the number of its tar file, where its bytes start, how many there are, and its name.
    Arrays hold them because a million images would otherwise be a million Python objects.
    """

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

    def __len__(self) -> int:
        return len(self.start)

    def open_one(self, position: int) -> tuple[io.BytesIO, str]:
        path = os.fsdecode(self.shards[self.shard[position]])
        name = f"{path}, {os.fsdecode(self.names[position])}"
        try:
            # Opened for each image, because threads and worker processes share this object.
            with open(path, "rb") as file:  # noqa: PTH123 (one per image)
                file.seek(self.start[position])
                return io.BytesIO(file.read(self.n_bytes[position])), name
        except OSError as error:
            raise ImageReadError(f"{name}: {error.strerror}") from error

    def subset(self, positions: np.ndarray) -> TarImages:
        own = (self.shard, self.start, self.n_bytes, self.names)
        return TarImages(self.shards, *(column[positions] for column in own))


@dataclass
class _Sample:
    """The members of a tar file that share a key."""

    image: tarfile.TarInfo | None = None
    labels: dict[str, bytes] = field(default_factory=dict)
    #: Name of the first member that ends like an image, but has more dots before the ending.
    dotted: str | None = None


def _read_samples(path: str) -> dict[str, _Sample]:
    """Scan a tar file, and return its samples with their labels by key (with folder)."""
    images = {ending.removeprefix(".") for ending in readable_endings()}
    samples: dict[str, _Sample] = {}
    try:
        # "r:" refuses compressed files, in which no image can be read without all before it.
        with tarfile.open(path, "r:") as tar:
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # or tar would keep every member
                name = PurePosixPath(member.name)
                # ".." begins with a dot, but hides nothing.
                if not member.isfile() or any(is_hidden(p) for p in name.parts if p != ".."):
                    continue
                first, _, ending = name.name.partition(".")
                key, ending = str(name.with_name(first)), ending.lower()
                if ending in images:
                    sample = samples.setdefault(key, _Sample())
                    if sample.image is not None:
                        raise InputError(f"{path} has two images of {brief(key)}")
                    sample.image = member
                elif ending in _LABELS:
                    sample = samples.setdefault(key, _Sample())
                    if ending in sample.labels:
                        raise InputError(f"{path} has two labels of {brief(key)} (.{ending})")
                    file = tar.extractfile(member)
                    assert file is not None
                    sample.labels[ending] = file.read()
                elif ending.rpartition(".")[2] in images:
                    sample = samples.setdefault(key, _Sample())
                    sample.dotted = sample.dotted or member.name
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except tarfile.TarError as error:
        with Path(path).open("rb") as content:
            compressed = content.read(6).startswith(_COMPRESSED)
        problem = (
            "is compressed, so its images cannot be read in any order: decompress it (images "
            "are compressed already)"
            if compressed
            else f"cannot be read as a tar file: {error}"
        )
        raise InputError(f"{path} {problem}") from error
    return samples


def _check_complete(path: str, samples: dict[str, _Sample], kind: str | None) -> None:
    """Raise an InputError unless each sample has an image and a label of this kind."""
    for sample in samples.values():
        if sample.image is None and sample.dotted is not None:
            key, _, part = PurePosixPath(sample.dotted).name.partition(".")
            raise InputError(
                f"{path}, {sample.dotted}: a key ends at the first dot, so this is the part "
                f"{brief(part)} of {brief(key)} and not an image; use keys without dots"
            )
    lacking = {
        "image": [key for key, sample in samples.items() if sample.image is None],
        f"label (.{kind or ', .'.join(_LABELS)})": [
            key for key, sample in samples.items() if kind not in sample.labels
        ],
    }
    for what, keys in lacking.items():
        if keys:
            raise InputError(
                f"{path}: {brief(keys[0])} has no {what}; this is so for {len(keys)} of "
                f"{len(samples)} samples"
            )


def _label(content: bytes, kind: str, name: str) -> Label:
    """What a member of a tar file says of its image; ``name`` is what messages call it."""
    try:
        # -sig: text files from Windows often begin with a byte order mark.
        text = content.decode("utf-8-sig").strip()
        found: Label = _label_in_json(json.loads(text)) if kind == "json" else text
    except ValueError as error:
        raise InputError(f"{name}: no label can be read: {error}") from error
    for line in [found] if isinstance(found, str) else found:
        if isinstance(line, str) and (not line or "\n" in line):
            raise InputError(
                f"{name}: expected a label on one line, got {len(line.splitlines())} lines"
            )
    return found


def _label_in_json(value: object) -> Label:
    if isinstance(value, dict):
        value = next((value[key] for key in _JSON_KEYS if key in value), value)
    if isinstance(value, list):
        if all(isinstance(label, str) for label in value):
            return [label.strip() for label in value]
        if len(value) > 1 and all(type(label) is int and label in (0, 1) for label in value):
            return value
        raise ValueError(
            "expected a list of names, or of 0 and 1 for each of several labels, got "
            f"{brief(value)}"
        )
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value).strip()
    raise ValueError(
        "expected a string, a whole number, a list, or an object with one of them as "
        f"{' or '.join(map(repr, _JSON_KEYS))}, got {brief(value)}"
    )


def _form(label: Label) -> str:
    if isinstance(label, str):
        return "one label"
    if all(isinstance(own, str) for own in label):
        return "a list of names"
    return f"a row of {len(label)} numbers"


def _as_array(labels: list[Label]) -> np.ndarray:
    """Labels of one form, as ``load_tar_shards`` returns them."""
    form = _form(labels[0])
    if form == "a list of names":
        # Not by np.array, which would make a matrix of lists of the same length.
        return np.fromiter(labels, dtype=object, count=len(labels))
    if form == "one label":
        whole = all(str(label).removeprefix("-").isdecimal() for label in labels)
        return np.array([int(str(label)) for label in labels] if whole else labels)
    return np.array(labels)
