"""BAM: objects from COCO pasted on scenes from MiniPlaces, with either one as the class."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from sklearn.utils import Bunch

from p2pselect.datasets._image_folder import load_split_folder
from p2pselect.datasets._layout import check_split, require_files
from p2pselect.datasets._mask_folder import npy_masks
from p2pselect.exceptions import InputError, brief

_FOLDERS = {"object": "data/obj", "scene": "data/scene"}
_SPLITS = {"train": "train", "test": "val"}
NEEDS = {
    target: tuple(f"{folder}/{name}" for name in ("train", "val", "val_mask"))
    for target, folder in _FOLDERS.items()
}
_TREE = """
{folder}/
  train/{name}/backpack-bamboo_forest-0000.jpg     10 classes, 90,000 images
  val/{name}/backpack-bamboo_forest-0900.jpg       10,000 images
  val_mask/{name}/backpack-bamboo_forest-0900.npy
"""
TREES = {
    "object": _TREE.format(folder=_FOLDERS["object"], name="backpack"),
    "scene": _TREE.format(folder=_FOLDERS["scene"], name="bamboo_forest"),
}


def load_bam(
    root: str | os.PathLike[str],
    split: str = "train",
    *,
    target: Literal["object", "scene"] = "object",
) -> Bunch:
    """Load BAM: 100 combinations of object and scene, 90,000 and 10,000 images.

    Parameters
    ----------
    root : str or path-like
        Folder that contains ``data/obj`` and ``data/scene``, each with ``train``, ``val`` and
        ``val_mask``: one subfolder per class, and masks as ``.npy`` files named like the
        images.
    split : {"train", "test"}, default "train"
        "test" is the folder ``val``, as in the paper.
    target : {"object", "scene"}, default "object"
        Which of the two is the class.

    Returns
    -------
    Bunch
        ``images`` : ImageSequence of n files;
        ``target`` : int (n,), indices into ``target_names``;
        ``target_names`` : str (10,);
        ``masks`` : MaskSequence of n masks, True on the pasted object whatever the target is;
        only for the split "test".  A mask covers the middle 224 x 224 pixels of its image.

    Raises
    ------
    InputError
        If files are missing (the message shows the expected tree), or if the set was built
        with the wrong stop signs.
    UnknownNameError
        If there is no such split.

    Notes
    -----
    Source: https://github.com/google-research-datasets/bam, whose script builds the set from
    COCO 2017 and MiniPlaces.  The script asks COCO for a category ``stop_sign``, which COCO
    calls ``stop sign``.  Its query then matches every category, and the class shows people,
    animals and trucks (issue 7 of that repository).  Write ``stop sign`` in the script's
    OBJ_NAMES before you run it; a set that was built without this change is refused here.

    References
    ----------
    Yang, Kim: "Benchmarking Attribution Methods with Relative Feature Importance", 2019.

    Examples
    --------
    >>> data = load_bam("bam", "test", target="scene")  # doctest: +SKIP
    >>> data.target_names[data.target[0]], data.masks[0].shape  # doctest: +SKIP
    (np.str_('bamboo_forest'), (224, 224))
    """
    if target not in _FOLDERS:
        raise InputError(f'target must be "object" or "scene", got {brief(target)}')
    check_split(split, tuple(_SPLITS))
    _, _, masks = NEEDS[target]
    needed = [f"{_FOLDERS[target]}/{_SPLITS[split]}", *([masks] if split == "test" else [])]
    root = require_files(root, needed, TREES[target])
    both = [root / _FOLDERS[target] / name for name in _SPLITS.values()]
    images, codes, names = load_split_folder(root / needed[0], *both)
    assert images.files is not None
    wrong = [file for file in images.files if Path(file).name.startswith("stop_sign-")]
    if wrong:
        raise InputError(
            f"{wrong[0]}: this BAM was built with 'stop_sign' in OBJ_NAMES, so its objects are "
            "not stop signs; write 'stop sign' in construct_bam_dataset.py and build it again "
            "(https://github.com/google-research-datasets/bam/issues/7)"
        )
    data = Bunch(images=images, target=codes, target_names=names)
    if split == "test":
        data.masks = npy_masks(images, root / masks)
    return data
