"""ImageNet as torchvision lays it out: one folder of photographs per class."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from p2pselect.datasets._image_folder import load_split_folder
from p2pselect.datasets._layout import check_split, require_files
from p2pselect.exceptions import InputError

NEEDS = ("train", "val")
TREE = """
train/
  n01440764/*.JPEG           1,000 folders, 1,281,167 images
val/
  n01440764/*.JPEG           50,000 images
LOC_synset_mapping.txt       optional: n01440764 tench, Tinca tinca
"""
_FOLDERS = {"train": "train", "test": "val"}
_NAMES = "LOC_synset_mapping.txt"


def load_imagenet(root: str | os.PathLike[str], split: str = "train") -> Bunch:
    """Load ImageNet (ILSVRC 2012): 1,281,167 and 50,000 photographs in 1,000 classes.

    Parameters
    ----------
    root : str or path-like
        Folder with ``train`` and ``val``, each with one subfolder per class.
    split : {"train", "test"}, default "train"
        "test" is the validation set, as in the paper.

    Returns
    -------
    Bunch
        ``images`` : ImageSequence of n files;
        ``target`` : int (n,), indices into ``wnids``;
        ``wnids`` : str (n_classes,), the sorted names of the class folders;
        ``target_names`` : str (n_classes,), their names in LOC_synset_mapping.txt, or
        ``wnids`` if there is no such file.
        There are no object masks.

    Raises
    ------
    InputError
        If files are missing; the message shows the expected tree.
    UnknownNameError
        If there is no such split.

    Notes
    -----
    Source: https://image-net.org/download.php, after registration.
    ``torchvision.datasets.ImageNet(root, split)`` checks and unpacks
    ``ILSVRC2012_img_train.tar`` (MD5 1d675b47d978889d74fa0da5fadfb00e),
    ``ILSVRC2012_img_val.tar`` (MD5 29b22e2961454d5413ddabcf34fc5622) and
    ``ILSVRC2012_devkit_t12.tar.gz`` (MD5 fa75699e90414af021442c21a62c3abf) into this tree.
    ``LOC_synset_mapping.txt`` is part of the same data on Kaggle.

    Examples
    --------
    >>> data = load_imagenet("imagenet", "test")  # doctest: +SKIP
    >>> data.images.batch([0, 1], size=224).shape  # doctest: +SKIP
    (2, 224, 224, 3)
    """
    check_split(split, tuple(_FOLDERS))
    folder = _FOLDERS[split]
    root = require_files(root, [folder], TREE)
    images, target, wnids = load_split_folder(root / folder, *(root / name for name in NEEDS))
    names = _names(root / _NAMES, wnids) if (root / _NAMES).is_file() else wnids
    return Bunch(images=images, target=target, target_names=names, wnids=wnids)


def _names(path: Path, wnids: np.ndarray) -> np.ndarray:
    lines = path.read_text(encoding="utf-8").splitlines()
    named = {wnid: name for wnid, _, name in (line.partition(" ") for line in lines)}
    unnamed = [str(wnid) for wnid in wnids if not named.get(wnid)]
    if unnamed:
        raise InputError(f"{path} has no name for {', '.join(unnamed[:3])}")
    return np.array([named[wnid] for wnid in wnids])
