"""Images in tar files, as WebDataset writes them, read in any order."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator

import numpy as np

from p2pselect.datasets._tar_samples import LABELS, check_complete, label_of, read_samples
from p2pselect.exceptions import ImageReadError, InputError, brief
from p2pselect.images import ImageSequence
from p2pselect.images._reading import decode


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
        after the last slash are one sample: ``KEY.jpg`` (or another ending of a format that
        can be decoded) is the image, and ``KEY.cls``, ``KEY.txt`` or ``KEY.json`` its label:
        one line of text, or JSON that is a string, a whole number, or an object with one of
        these as "label", "cls" or "class".  Where samples have several of the three, the
        first is the label of all.  Endings may be in upper case.  Hidden members are left
        out, as files are by :func:`~p2pselect.datasets.load_image_folder`, and other parts of
        a sample are not looked at.  The same key in two tar files is two samples.

    Returns
    -------
    images : ImageSequence
        In the order of the shards.
    labels : ndarray of shape (n,)
        int where all labels are whole numbers, else str.

    Raises
    ------
    InputError
        When a file is missing, not a tar file or compressed, a sample lacks its image or its
        label or has two, a label cannot be read, keys have dots, or there is no image at all.
        The message names the file and the key.

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
    labels: list[str] = []
    kind: str | None = None
    for number, path in enumerate(shards):
        samples = read_samples(path)
        if kind is None:
            held = {ending for sample in samples.values() for ending in sample.labels}
            kind = next((ending for ending in LABELS if ending in held), None)
        check_complete(path, samples, kind)
        for key, sample in samples.items():
            assert sample.image is not None and kind is not None
            places.append((number, sample.image.offset_data, sample.image.size))
            names.append(os.fsencode(sample.image.name))
            labels.append(label_of(sample.labels[kind], kind, f"{path}, {key}.{kind}"))
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
