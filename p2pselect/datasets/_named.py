"""The data sets that the paper's program knows by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from p2pselect.datasets import _bam as bam
from p2pselect.datasets import _cifar10 as cifar10
from p2pselect.datasets import _coco10 as coco10
from p2pselect.datasets import _emoji_scenes as emoji
from p2pselect.datasets import _imagenet as imagenet
from p2pselect.datasets import _imagenet9 as imagenet9
from p2pselect.datasets._crops import CenterCrop, cropped
from p2pselect.datasets._digit_scenes import make_digit_scenes
from p2pselect.datasets._image_table import load_image_table
from p2pselect.datasets._layout import indented_tree, missing_files, require_files
from p2pselect.exceptions import InputError


@dataclass(frozen=True)
class Dataset:
    """A data set that can be loaded by split, and whose files can be looked for.

    Parameters
    ----------
    loader : callable
        ``loader(folder, split, random_state)`` returns a Bunch with ``images``, ``target``,
        ``target_names`` and, if there are any, ``masks`` and ``other_masks``.  ``folder`` is
        where the set is, or None for one that is generated.  Use a function of a module rather
        than a lambda, so that it can be sent to worker processes.
    folder : str, default None
        Name of the set's folder; None for a set that is generated.
    tree : str, default ""
        What the folder contains, as text for people.
    needs : tuple of str, default ()
        Files and folders, relative to the set's folder, without which the set is incomplete.
        ``"a|b"`` means that one of the two is enough.

    Examples
    --------
    Your own data set:

    >>> from p2pselect.datasets import Dataset, make_digit_scenes
    >>> def load(folder, split, random_state):
    ...     return make_digit_scenes(20, 32, split=split, random_state=random_state)
    >>> tiny = Dataset(load)
    >>> tiny.is_present(None), len(tiny.load(None, "test", 0).images)
    (True, 20)
    """

    loader: Callable[[Path | None, str, Any], Bunch]
    folder: str | None = None
    tree: str = ""
    needs: tuple[str, ...] = ()

    def is_present(self, root: str | os.PathLike[str] | None) -> bool:
        """Tell whether the files of the set are below ``root``.

        Parameters
        ----------
        root : str, path-like or None
            Folder that contains the folders of the data sets.

        Returns
        -------
        bool
            Always True for a set that is generated.
        """
        if self.folder is None:
            return True
        if root is None:
            return False
        # "." is the folder itself: a set that needs no particular file still needs its folder.
        return not missing_files(Path(root, self.folder), self.needs or (".",))

    def load(
        self,
        root: str | os.PathLike[str] | None = None,
        split: str = "train",
        random_state: Any = None,
    ) -> Bunch:
        """Load one split.

        Parameters
        ----------
        root : str, path-like or None, default None
            Folder that contains the folders of the data sets.  A set that is generated does
            not need it.
        split : str, default "train"
            "train", "test" or another split of the set.
        random_state : int, RandomState or None, default None
            Seed of a set that is generated or sampled.

        Returns
        -------
        Bunch
            ``images``, ``target`` (n,), ``target_names``, ``masks`` (True where the evidence
            for ``target`` is) or None, and ``other_masks``, a dict: masks of other things in
            the same images, by their names.

        Raises
        ------
        InputError
            If files are missing; the message shows what was expected.
        """
        folder = None
        if self.folder is not None:
            if root is None:
                raise InputError(f"root is None; {self}")
            folder = require_files(Path(root, self.folder), self.needs or (".",), self.tree)
        data = self.loader(folder, split, random_state)
        return Bunch(**{"masks": None, "other_masks": {}, **data})

    def __str__(self) -> str:
        """The tree that is expected below ``root``."""
        if self.folder is None:
            return "generated, needs no files"
        return f"expected below root:\n{indented_tree(self.folder, self.tree)}"


@dataclass(frozen=True)
class _Prepared:
    """Loads a data set and prepares it as the paper's released code does.

    An object instead of a nested function, so that it can be sent to worker processes.
    """

    load: Callable[..., Bunch]
    target: str | None = None
    #: How the images of the split ``cut`` are cut.
    crop: CenterCrop | None = None
    cut: str = "test"

    def __call__(self, folder: Path | None, split: str, random_state: Any) -> Bunch:
        options = {} if self.target is None else {"target": self.target}
        if folder is None:
            data = self.load(split=split, random_state=random_state, **options)
        else:
            data = self.load(folder, split, **options)
        if self.crop is not None and split == self.cut:
            data = cropped(data, self.crop)
        if self.target == "scene" and data.get("masks") is not None:
            # If the scene is the class, all that the object does not cover is evidence for it.
            data.masks = ~data.masks
        return data


@dataclass(frozen=True)
class _FromTable:
    """Loads the images of a table; an object that can be sent to worker processes."""

    table: str
    mask_column: str | None = "auto"
    #: Names and columns; no dict, so that a run can keep images by what loads them.
    other_masks: tuple[tuple[str, str], ...] = ()

    def __call__(self, folder: Path | None, split: str, random_state: Any) -> Bunch:
        assert folder is not None  # a set of files always has one
        file = folder / self.table
        data = load_image_table(file, split, mask_column=self.mask_column)
        # The names are those of the whole table, so that all splits agree.
        everywhere = load_image_table(file, split_column=None, mask_column=None)
        names = np.unique(everywhere.labels)
        others = {
            name: load_image_table(file, split, mask_column=column).masks
            for name, column in self.other_masks
        }
        return Bunch(
            images=data.images,
            target=np.searchsorted(names, data.labels),
            target_names=names,
            masks=data.masks,
            other_masks={name: masks for name, masks in others.items() if masks is not None},
        )


def table_dataset(
    folder: str,
    table: str = "labels.csv",
    *,
    mask_column: str | None = "auto",
    other_masks: Mapping[str, str] | None = None,
) -> Dataset:
    """Make a data set for the paper's program out of a table of images.

    Parameters
    ----------
    folder : str
        Name of the set's folder.
    table : str, default="labels.csv"
        The table in this folder, as :func:`load_image_table` reads it: with a column of splits,
        "train" and "test", and one of classes.
    mask_column : str or None, default="auto"
        Name of the column of masks of the evidence.  Images whose cell is empty do not count
        in scores of localization.
    other_masks : dict of str to str, optional
        What else there are masks of, by name, and the columns of these masks.

    Returns
    -------
    Dataset
        The data set.

    Examples
    --------
    >>> leaves = table_dataset("leaves", other_masks={"leaf": "leaf_mask"})
    >>> leaves.is_present("nowhere")
    False
    """
    others = dict(other_masks or {})
    own = [] if mask_column in ("auto", None) else [str(mask_column)]
    columns = ",".join(["image", "label", "split", *own, *others.values()])
    load = _FromTable(table, mask_column, tuple(others.items()))
    return Dataset(load, folder, f"{table}          {columns}", (table,))


def _digit_scenes(split: Any, random_state: Any, target: Any = "object") -> Bunch:
    n_images = {"train": 4000, "test": 1000}.get(split, 1)  # a wrong split is refused below
    return make_digit_scenes(n_images, target=target, split=split, random_state=random_state)


_MIDDLE = CenterCrop(224)
_RESIZED = CenterCrop(224, resized=256)
_FROM_CIFAR10 = _Prepared(cifar10.load_cifar10, crop=_RESIZED)
_FROM_COCO10 = _Prepared(coco10.load_coco10, crop=_RESIZED)
_FROM_IMAGENET = _Prepared(imagenet.load_imagenet, crop=_RESIZED)
# The test images of ImageNet-9 have the right size already.
_FROM_IMAGENET9 = _Prepared(imagenet9.load_imagenet9, crop=_RESIZED, cut="val")


def _emoji(target: str) -> Dataset:
    load = _Prepared(emoji.load_emoji_scenes, target)
    return Dataset(load, "emoji_scenes", emoji.TREE, emoji.NEEDS)


def _bam(target: str) -> Dataset:
    load = _Prepared(bam.load_bam, target, crop=_MIDDLE)
    return Dataset(load, "bam", bam.TREES[target], bam.NEEDS[target])


#: Data sets by name.
DATASETS: dict[str, Dataset] = {
    "digit_scenes": Dataset(_Prepared(_digit_scenes)),
    "digit_scenes_scene": Dataset(_Prepared(_digit_scenes, "scene")),
    "emoji_object": _emoji("object"),
    "emoji_scene": _emoji("scene"),
    "grocery20": table_dataset("grocery20"),
    "coffee_leaf": table_dataset("coffee_leaf", other_masks={"leaf": "leaf_mask"}),
    "cifar10": Dataset(_FROM_CIFAR10, "cifar10", cifar10.TREE, cifar10.NEEDS),
    "coco10": Dataset(_FROM_COCO10, "coco", coco10.TREE, coco10.NEEDS),
    "imagenet": Dataset(_FROM_IMAGENET, "imagenet", imagenet.TREE, imagenet.NEEDS),
    "imagenet9": Dataset(_FROM_IMAGENET9, "imagenet9", imagenet9.TREE, imagenet9.NEEDS),
    "bam_object": _bam("object"),
    "bam_scene": _bam("scene"),
}
