"""ImageNet-9: nine coarse classes, and test images with masks of their foregrounds."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from p2pselect.datasets._image_folder import load_image_folder
from p2pselect.datasets._layout import check_split, require_files
from p2pselect.datasets._mask_folder import npy_masks
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
imagenet9_train_orig_path.pkl       lists files of ../imagenet/train
imagenet9_val_orig_path.pkl         lists files of ../imagenet/val
  or, instead of a list, its images
train/00_dog/*.JPEG                 ... to 08_fish
val/00_dog/*.JPEG
"""
_NAMES = (
    "dog, bird, wheeled vehicle, reptile, carnivore, insect, musical instrument, primate, fish"
).split(", ")


def load_imagenet9(
    root: str | os.PathLike[str],
    split: str = "train",
    *,
    imagenet: str | os.PathLike[str] | None = None,
) -> Bunch:
    """Load ImageNet-9: 45,405 training photographs and 4,050 with foreground masks.

    Parameters
    ----------
    root : str or path-like
        Folder with the backgrounds challenge, and with either lists of ImageNet's files or
        folders of images.
    split : {"train", "val", "test"}, default "train"
        "test" is the set "original" of the challenge, with 224 x 224 pixels.
    imagenet : str or path-like, default None
        Folder of ImageNet (``train`` and ``val``) to which the lists refer; None for
        ``imagenet`` next to ``root``.

    Returns
    -------
    Bunch
        ``images`` : ImageSequence of n files;
        ``target`` : int (n,), indices into ``target_names``;
        ``target_names`` : str (9,);
        ``masks`` : MaskSequence of n masks, True on the foreground; only for the split "test".

    Raises
    ------
    InputError
        If files are missing (the message shows the expected tree) or damaged.
    UnknownNameError
        If there is no such split.

    Notes
    -----
    Source: ``backgrounds_challenge_data`` is a release of
    https://github.com/MadryLab/backgrounds_challenge, which states no checksum.  Its links
    to the training images no longer work; the two lists are part of the paper's released
    code, https://github.com/mvandenhi/P2P (folder ``utils``).  :doc:`/how-to/paper-datasets`
    shows the expected tree.

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
        root = require_files(root, NEEDS[:2], TREE)
        data = _folders(root / _TEST / "original" / "val")
        return Bunch(**data, masks=npy_masks(data.images, root / _TEST / "fg_mask" / "val"))
    root = require_files(root, [f"{split}|{_LIST.format(split)}"], TREE)
    if (root / split).is_dir():
        return _folders(root / split)
    return _listed(
        root / _LIST.format(split), root.parent / "imagenet" if imagenet is None else imagenet
    )


def _folders(folder: Path) -> Bunch:
    """Images in folders whose names begin with the number of the class: ``00_dog``."""
    images, labels = load_image_folder(folder)
    present, codes = np.unique(labels, return_inverse=True)
    # All nine must be there, or the codes would not be the numbers of the classes.
    numbers = [name[:2] for name in present]
    if numbers != [f"{number:02}" for number in range(len(_NAMES))]:
        raise InputError(
            f"{folder}: expected nine folders, 00_dog to 08_fish, got {', '.join(present)}"
        )
    return Bunch(images=images, target=codes, target_names=np.array(_NAMES))


def _listed(path: Path, imagenet: str | os.PathLike[str]) -> Bunch:
    """Images that a list names by class, as ``imagenet/train/n02085620/*.JPEG``."""
    by_class = _read_lists(path)
    # Listed paths begin with "imagenet"; the folder may have another name here.
    files = [Path(imagenet, *name.split("/")[1:]) for listed in by_class for name in listed]
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(files)} images that {path} lists do not exist; "
            f"the first is {missing[0]}"
        )
    target = np.repeat(np.arange(len(by_class)), [len(listed) for listed in by_class])
    return Bunch(images=ImageSequence(files), target=target, target_names=np.array(_NAMES))


class _TextUnpickler(pickle.Unpickler):
    """Unpickles lists of text only.

    Unpickling runs whatever a file asks for, and nobody has published a checksum of these
    files.  Lists and text need no class or function, so every request for one is refused.
    """

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def _read_lists(path: Path) -> list[list[str]]:
    try:
        with path.open("rb") as file:
            by_class = _TextUnpickler(file).load()
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise InputError(f"{path} is not a pickle of lists of text: {error}") from error
    if (
        isinstance(by_class, list)
        and len(by_class) == len(_NAMES)
        and all(isinstance(listed, list) for listed in by_class)
        and all(isinstance(name, str) for listed in by_class for name in listed)
    ):
        return by_class
    raise InputError(f"{path}: expected nine lists of files of ImageNet")
