"""CIFAR-10 as it is distributed: pickled batches, binary batches, or folders of images."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from p2pselect.datasets._image_folder import load_split_folder
from p2pselect.datasets._layout import check_split, require_files
from p2pselect.exceptions import InputError
from p2pselect.images import as_images

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
_N_VALUES = 3 * 32 * 32
_BINARY_FILES = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}


def load_cifar10(root: str | os.PathLike[str], split: str = "train") -> Bunch:
    """Load CIFAR-10: 50,000 and 10,000 images of 32 x 32 pixels in 10 classes.

    Parameters
    ----------
    root : str or path-like
        Folder that contains ``cifar-10-batches-py`` (as torchvision downloads it),
        ``cifar-10-batches-bin`` (the binary version), or ``train`` and ``test`` with one
        subfolder per class.
    split : {"train", "test"}, default "train"
        Which images to load.

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
        If files are missing (the message shows the expected tree) or damaged.
    UnknownNameError
        If there is no such split.

    Notes
    -----
    Source: https://www.cs.toronto.edu/~kriz/cifar.html.
    ``torchvision.datasets.CIFAR10(root, download=True)`` downloads and checks the pickled
    version, ``cifar-10-python.tar.gz``; the binary version is ``cifar-10-binary.tar.gz``
    (MD5 c32a1d4ab5d03f1284b67883e8d87530).

    Examples
    --------
    >>> data = load_cifar10("cifar10", "test")  # doctest: +SKIP
    >>> data.images.batch([0, 1], size=224).shape  # doctest: +SKIP
    (2, 224, 224, 3)
    """
    check_split(split, tuple(_BINARY_FILES))
    root = require_files(root, NEEDS, TREE)
    if (root / _PICKLED).is_dir():
        return _pickled(root, split)
    if (root / _BINARY).is_dir():
        return _binary(root, split)
    images, target, names = load_split_folder(root / split, root / "train", root / "test")
    return Bunch(images=images, target=target, target_names=names)


def _pickled(root: Path, split: str) -> Bunch:
    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import check_integrity

    known = {CIFAR10.meta["filename"]: CIFAR10.meta["md5"]}
    known |= dict([*CIFAR10.train_list, *CIFAR10.test_list])
    require_files(root, [f"{_PICKLED}/{name}" for name in known], TREE)
    # Unpickling runs whatever a file asks for.  torchvision compares the MD5 of every file with
    # that of the original before it unpickles any, so no other file gets that far.
    try:
        data = CIFAR10(str(root), train=split == "train")
    except RuntimeError as error:
        files = [root / _PICKLED / name for name in known]
        changed = [file for file in files if not check_integrity(file, known[file.name])]
        raise InputError(
            f"{changed[0]} is not the file of cifar-10-python.tar.gz: its MD5 differs"
        ) from error
    return Bunch(
        images=as_images(data.data),
        target=np.array(data.targets),
        target_names=np.array(data.classes),
    )


def _binary(root: Path, split: str) -> Bunch:
    folder = root / _BINARY
    wanted = ("batches.meta.txt", *_BINARY_FILES[split])
    require_files(root, [f"{_BINARY}/{name}" for name in wanted], TREE)
    names = (folder / wanted[0]).read_text(encoding="ascii").split()
    batches = []
    for name in wanted[1:]:
        values = np.fromfile(folder / name, dtype=np.uint8)
        if len(values) == 0 or len(values) % (1 + _N_VALUES):
            raise InputError(
                f"{folder / name} has {len(values)} bytes, expected a multiple of "
                f"{1 + _N_VALUES}"
            )
        batches.append(values.reshape(-1, 1 + _N_VALUES))  # each record begins with its label
    records = np.concatenate(batches)
    target = records[:, 0].astype(np.int64)
    if target.max() >= len(names):
        raise InputError(
            f"{folder}: a label is {target.max()}, but there are only {len(names)} names"
        )
    # All values of red come first, then those of green and of blue.
    planes = records[:, 1:].reshape(-1, 3, 32, 32)
    return Bunch(
        images=as_images(planes, channels="first"), target=target, target_names=np.array(names)
    )
