"""CIFAR-10 as it is distributed: pickled batches, binary batches, or image folders."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from p2pselect.datasets._image_folder import labelled_folder
from p2pselect.datasets._plain_pickles import read_pickle
from p2pselect.datasets._records import RecordFile, RecordImages
from p2pselect.datasets._trees import check_split, require
from p2pselect.exceptions import InputError
from p2pselect.images import ImageSequence

_PICKLED = "cifar-10-batches-py"
_BINARY = "cifar-10-batches-bin"
NEEDS = (f"{_PICKLED}|{_BINARY}|train", f"{_PICKLED}|{_BINARY}|test")
TREE = """
cifar-10-batches-py/       as torchvision downloads it
  batches.meta
  data_batch_1 ... data_batch_5
  test_batch
or
cifar-10-batches-bin/      the binary version
  batches.meta.txt
  data_batch_1.bin ... data_batch_5.bin
  test_batch.bin
or image files
train/airplane/*.png ...
test/airplane/*.png ...
"""
_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE
_BATCHES = {
    "train": tuple(f"data_batch_{number}" for number in range(1, 6)),
    "test": ("test_batch",),
}


def load_cifar10(root: str | os.PathLike[str], split: str = "train") -> Bunch:
    """Load CIFAR-10: 50,000 and 10,000 images of 32 x 32 pixels in 10 classes.

    Images of the batches are read when asked for.

    Parameters
    ----------
    root : str or path-like
        Folder that holds ``cifar-10-batches-py`` (as torchvision downloads it),
        ``cifar-10-batches-bin`` (the binary version), or ``train`` and ``test`` with one
        sub-folder per class.
    split : {"train", "test"}, default "train"

    Returns
    -------
    Bunch
        ``images`` : ImageSequence of n images;
        ``target`` : int (n,), indices into ``target_names``;
        ``target_names`` : str (10,).
        There are no object masks.

    Raises
    ------
    InputError
        When files are missing (the message shows the expected tree) or damaged.
    UnknownNameError
        When there is no such split.

    Notes
    -----
    Source: https://www.cs.toronto.edu/~kriz/cifar.html.
    ``torchvision.datasets.CIFAR10(root, download=True)`` fetches and checks
    ``cifar-10-python.tar.gz`` (MD5 c58f30108f718f92721af3b95e74349a); the binary version is
    ``cifar-10-binary.tar.gz`` (MD5 c32a1d4ab5d03f1284b67883e8d87530).

    Examples
    --------
    >>> data = load_cifar10("cifar10", "test")  # doctest: +SKIP
    >>> data.images.batch([0, 1], size=224).shape  # doctest: +SKIP
    (2, 224, 224, 3)
    """
    check_split(split, tuple(_BATCHES))
    root = require(root, NEEDS, TREE)
    if (root / _PICKLED).is_dir():
        return _pickled(root, split)
    if (root / _BINARY).is_dir():
        return _binary(root, split)
    images, target, names = labelled_folder(root / split, root / "train", root / "test")
    return Bunch(images=images, target=target, target_names=names)


def _pickled(root: Path, split: str) -> Bunch:
    folder = root / _PICKLED
    require(root, [f"{_PICKLED}/{name}" for name in ("batches.meta", *_BATCHES[split])], TREE)
    names = _entry(folder / "batches.meta", "label_names")[0]
    files, labels = [], []
    for name in _BATCHES[split]:
        data, target = _entry(folder / name, "data", "labels")
        pixels = np.asarray(data)
        if pixels.dtype != np.uint8 or pixels.shape != (len(target), _PIXELS):
            raise InputError(
                f"{folder / name}: expected uint8 data of shape ({len(target)}, {_PIXELS}), "
                f"got {pixels.dtype} {pixels.shape}"
            )
        start = _position(folder / name, pixels)
        files.append(RecordFile(folder / name, len(pixels), start, _PIXELS, 0))
        labels.append(np.array(target))
    return _bunch(files, np.concatenate(labels), names)


def _entry(path: Path, *keys: str) -> list[Any]:
    batch = read_pickle(path)
    try:
        return [batch[key] for key in keys]
    except (KeyError, TypeError):
        raise InputError(
            f"{path} is no batch of CIFAR-10: it lacks {', '.join(keys)}"
        ) from None


def _position(path: Path, pixels: np.ndarray) -> int:
    """Where in a pickle its pixels lie: pickles of Python 2 hold them as they are."""
    wanted = pixels.tobytes()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
        start = held.find(wanted)
    if start < 0:
        raise InputError(
            f"{path} does not hold its pixels as plain bytes: it is not the file of "
            "cifar-10-python.tar.gz"
        )
    return start


def _binary(root: Path, split: str) -> Bunch:
    folder = root / _BINARY
    wanted = ("batches.meta.txt", *(f"{name}.bin" for name in _BATCHES[split]))
    require(root, [f"{_BINARY}/{name}" for name in wanted], TREE)
    names = (folder / wanted[0]).read_text(encoding="ascii").split()
    files, labels = [], []
    for name in wanted[1:]:
        n_bytes = (folder / name).stat().st_size
        if n_bytes == 0 or n_bytes % (_PIXELS + 1):
            raise InputError(
                f"{folder / name} has {n_bytes} bytes, expected a multiple of {_PIXELS + 1}"
            )
        file = RecordFile(folder / name, n_bytes // (_PIXELS + 1), 0, _PIXELS + 1, 1)
        files.append(file)
        labels.append(np.array(file.records()[:, 0], dtype=np.int64))
    return _bunch(files, np.concatenate(labels), names)


def _bunch(files: list[RecordFile], target: np.ndarray, names: list[str]) -> Bunch:
    if target.max() >= len(names):
        raise InputError(
            f"{files[0].path.parent}: a label is {target.max()}, there are {len(names)} names"
        )
    source = RecordImages(tuple(files), (_SIDE, _SIDE))
    return Bunch(
        images=ImageSequence._from_source(source),
        target=target.astype(np.int64),
        target_names=np.array(names),
    )
