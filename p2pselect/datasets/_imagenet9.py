"""ImageNet-9: nine coarse classes, and test images whose foregrounds are known."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from p2pselect.datasets._image_folder import load_image_folder
from p2pselect.datasets._mask_files import masks_beside
from p2pselect.datasets._plain_pickles import read_pickle
from p2pselect.datasets._trees import check_split, require
from p2pselect.exceptions import InputError
from p2pselect.images import ImageSequence

_LIST = "imagenet9_{}_orig_path.pkl"
_TEST = "backgrounds_challenge_data/bg_challenge"
NEEDS = (
    f"{_TEST}/original/val",
    f"{_TEST}/fg_mask/val",
    f"train|{_LIST.format('train')}",
    "train|../imagenet/train",
)
TREE = """
backgrounds_challenge_data/bg_challenge/
  original/val/00_dog/*.JPEG        ... to 08_fish, 4,050 images
  fg_mask/val/00_dog/*.npy
imagenet9_train_orig_path.pkl       lists of files of ../imagenet/train
imagenet9_val_orig_path.pkl         lists of files of ../imagenet/val
  or, instead of a list, its images
train/00_dog/*.JPEG                 ... to 08_fish
val/00_dog/*.JPEG
"""
_NAMES = (
    "dog",
    "bird",
    "wheeled vehicle",
    "reptile",
    "carnivore",
    "insect",
    "musical instrument",
    "primate",
    "fish",
)


def load_imagenet9(
    root: str | os.PathLike[str],
    split: str = "train",
    *,
    imagenet: str | os.PathLike[str] | None = None,
) -> Bunch:
    """Load ImageNet-9: 45,405 photographs to learn from and 4,050 with foreground masks.

    Parameters
    ----------
    root : str or path-like
        Folder with the backgrounds challenge and either lists of ImageNet's files or
        folders of images, as shown below.
    split : {"train", "val", "test"}, default "train"
        "test" is the challenge's set "original", of 224 x 224 pixels.
    imagenet : str or path-like, default None
        Folder of ImageNet (``train`` and ``val``), which the lists refer to; None for
        ``imagenet`` beside ``root``.

    Returns
    -------
    Bunch
        ``images`` : ImageSequence of n files;
        ``target`` : int (n,), indices into ``target_names``;
        ``target_names`` : str (9,);
        ``masks`` : MaskSequence of n masks, True on the foreground, in the split "test".

    Raises
    ------
    InputError
        When files are missing (the message shows the expected tree) or damaged.
    UnknownNameError
        When there is no such split.

    Notes
    -----
    Source: ``backgrounds_challenge_data`` is a release of
    https://github.com/MadryLab/backgrounds_challenge, which states no checksum.  Its links
    to the training images no longer work; the two lists are part of the paper's released
    code, https://github.com/mvandenhi/P2P (folder ``utils``).  The expected tree::

        backgrounds_challenge_data/bg_challenge/
          original/val/00_dog/*.JPEG
          fg_mask/val/00_dog/*.npy
        imagenet9_train_orig_path.pkl   or   train/00_dog/*.JPEG
        imagenet9_val_orig_path.pkl     or   val/00_dog/*.JPEG

    References
    ----------
    Xiao, Engstrom, Ilyas, Madry: "Noise or Signal: The Role of Image Backgrounds in Object
    Recognition", ICLR 2021.

    Examples
    --------
    >>> data = load_imagenet9("imagenet9", "test")  # doctest: +SKIP
    >>> data.images[0].shape, data.masks[0].shape  # doctest: +SKIP
    ((224, 224, 3), (224, 224))
    """
    check_split(split, ("train", "val", "test"))
    if split == "test":
        root = require(root, NEEDS[:2], TREE)
        data = _folders(root / _TEST / "original" / "val")
        return Bunch(**data, masks=masks_beside(data.images, root / _TEST / "fg_mask" / "val"))
    root = require(root, [f"{split}|{_LIST.format(split)}"], TREE)
    if (root / split).is_dir():
        return _folders(root / split)
    return _listed(
        root / _LIST.format(split), root.parent / "imagenet" if imagenet is None else imagenet
    )


def _folders(folder: Path) -> Bunch:
    """Images in folders whose names begin with the number of the class: ``00_dog``."""
    images, labels = load_image_folder(folder)
    present, codes = np.unique(labels, return_inverse=True)
    numbers = [name[:2] for name in present]
    if numbers != [f"{number:02}" for number in range(len(_NAMES))]:
        raise InputError(
            f"{folder}: expected nine folders, 00_dog to 08_fish, got {', '.join(present)}"
        )
    return Bunch(images=images, target=codes, target_names=np.array(_NAMES))


def _listed(path: Path, imagenet: str | os.PathLike[str]) -> Bunch:
    """Images that a list names by class, as ``imagenet/train/n02085620/*.JPEG``."""
    by_class = read_pickle(path)
    if not _is_list_of_files(by_class):
        raise InputError(f"{path}: expected nine lists of files of ImageNet")
    files = [Path(imagenet, *name.split("/")[1:]) for listed in by_class for name in listed]
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(files)} images that {path} lists do not exist; "
            f"the first is {missing[0]}"
        )
    target = np.repeat(np.arange(len(by_class)), [len(listed) for listed in by_class])
    return Bunch(images=ImageSequence(files), target=target, target_names=np.array(_NAMES))


def _is_list_of_files(by_class: object) -> bool:
    return (
        isinstance(by_class, list)
        and len(by_class) == len(_NAMES)
        and all(isinstance(listed, list) for listed in by_class)
        and all(isinstance(name, str) for listed in by_class for name in listed)
    )
