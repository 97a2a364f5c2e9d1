"""The data sets that a benchmark knows by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sklearn.utils import Bunch

from p2pselect.datasets import _bam as bam
from p2pselect.datasets import _cifar10 as cifar10
from p2pselect.datasets import _coco10 as coco10
from p2pselect.datasets import _imagenet as imagenet
from p2pselect.datasets import _imagenet9 as imagenet9
from p2pselect.datasets._crops import CenterCrop, cropped
from p2pselect.datasets._digit_scenes import make_digit_scenes
from p2pselect.datasets._labelled_scenes import load_emoji_scenes
from p2pselect.datasets._trees import drawn, lacking, require
from p2pselect.exceptions import InputError

_N_DIGIT_SCENES = {"train": 4000, "test": 1000}
# How the paper's released code cuts test images; those of ImageNet-9 are used as they are.
_RESIZED_CROP = CenterCrop(224, resized=256)
_CROP = CenterCrop(224)


@dataclass(frozen=True)
class Dataset:
    """A data set that can be loaded by split, and looked for.

    Parameters
    ----------
    loader : callable
        ``loader(folder, split, random_state)`` returns a Bunch with ``images``, ``target``,
        ``target_names`` and ``masks`` (or None).  ``folder`` is where the set lies, None for
        one that is generated.  Give a function of a module rather than a lambda, so that
        worker processes can be sent it.
    image_size : int
        Side in pixels at which the set is used.
    folder : str, default None
        Name of the set's folder; None for one that is generated.
    tree : str, default ""
        What the folder holds, as text for people.
    needs : tuple of str, default ()
        Files and folders, relative to the set's folder, without which it is not there; of
        alternatives, ``"a|b"``, one is enough.
    paper : bool, default False
        Whether results may stand beside the paper's.

    Examples
    --------
    A data set of one's own:

    >>> from p2pselect.datasets import Dataset, make_digit_scenes
    >>> def load(folder, split, random_state):
    ...     return make_digit_scenes(20, 32, split=split, random_state=random_state)
    >>> tiny = Dataset(load, image_size=32)
    >>> tiny.is_present(None), len(tiny.load(None, "test", 0).images)
    (True, 20)
    """

    loader: Callable[[Path | None, str, Any], Bunch]
    image_size: int
    folder: str | None = None
    tree: str = ""
    needs: tuple[str, ...] = ()
    paper: bool = False

    def is_present(self, root: str | os.PathLike[str] | None) -> bool:
        """Whether the set lies under ``root``.

        Parameters
        ----------
        root : str, path-like or None
            Folder that holds the folders of the sets.

        Returns
        -------
        bool
            Always True for a set that is generated.
        """
        if self.folder is None:
            return True
        if root is None:
            return False
        return not lacking(Path(root, self.folder), self.needs or (".",))

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
            Folder that holds the folders of the sets; of no use to one that is generated.
        split : str, default "train"
            "train" or "test", and what else the set has.
        random_state : int, RandomState or None, default None
            For what is drawn at random: a set that is generated, or a sample of a set.

        Returns
        -------
        Bunch
            ``images``, ``target`` (n,), ``target_names``, ``masks`` (True where the
            evidence for ``target`` is) or None.

        Raises
        ------
        InputError
            When the set is not there; the message shows what was expected.
        """
        folder = None
        if self.folder is not None:
            if root is None:
                raise InputError(f"root is None; {self}")
            folder = require(Path(root, self.folder), self.needs or (".",), self.tree)
        data = self.loader(folder, split, random_state)
        return Bunch(**{"masks": None, **data})

    def __str__(self) -> str:
        """The tree that is expected under ``root``."""
        if self.folder is None:
            return "generated, needs no files"
        return f"expected under root:\n{drawn(self.folder, self.tree)}"


def _digits(split: Any, random_state: Any, **options: Any) -> Bunch:
    n_images = _N_DIGIT_SCENES.get(split, 1)  # a wrong split is refused by the maker
    return make_digit_scenes(n_images, split=split, random_state=random_state, **options)


def _digit_scenes(folder: Path | None, split: str, random_state: Any) -> Bunch:
    return _digits(split, random_state)


def _digit_scenes_scene(folder: Path | None, split: str, random_state: Any) -> Bunch:
    return _scene_as_evidence(_digits(split, random_state, target="scene"))


def _emoji_object(folder: Path | None, split: str, random_state: Any) -> Bunch:
    return load_emoji_scenes(folder or ".", split)


def _emoji_scene(folder: Path | None, split: str, random_state: Any) -> Bunch:
    return _scene_as_evidence(load_emoji_scenes(folder or ".", split, target="scene"))


def _cifar10(folder: Path | None, split: str, random_state: Any) -> Bunch:
    data = cifar10.load_cifar10(folder or ".", split)
    return cropped(data, _RESIZED_CROP) if split == "test" else data


def _imagenet(folder: Path | None, split: str, random_state: Any) -> Bunch:
    data = imagenet.load_imagenet(folder or ".", split)
    return cropped(data, _RESIZED_CROP) if split == "test" else data


def _imagenet9(folder: Path | None, split: str, random_state: Any) -> Bunch:
    data = imagenet9.load_imagenet9(folder or ".", split)
    return cropped(data, _RESIZED_CROP) if split == "val" else data


def _coco10(folder: Path | None, split: str, random_state: Any) -> Bunch:
    data = coco10.load_coco10(folder or ".", split)
    return cropped(data, _RESIZED_CROP) if split == "test" else data


def _bam_object(folder: Path | None, split: str, random_state: Any) -> Bunch:
    data = bam.load_bam(folder or ".", split)
    return cropped(data, _CROP) if split == "test" else data


def _bam_scene(folder: Path | None, split: str, random_state: Any) -> Bunch:
    data = bam.load_bam(folder or ".", split, target="scene")
    return _scene_as_evidence(cropped(data, _CROP)) if split == "test" else data


def _scene_as_evidence(data: Bunch) -> Bunch:
    """Where the scene is the class, the evidence is all that the object leaves visible."""
    data.masks = ~data.masks
    return data


_EMOJI_TREE = """
labels.csv          split,image,mask,object,scene
train/
  images/CLASS/*.png
  masks/CLASS/*.png
test/               and any other split of labels.csv
  images/CLASS/*.png
  masks/CLASS/*.png
"""

#: Data sets by name.
DATASETS: dict[str, Dataset] = {
    "digit_scenes": Dataset(_digit_scenes, image_size=64),
    "digit_scenes_scene": Dataset(_digit_scenes_scene, image_size=64),
    "emoji_object": Dataset(
        _emoji_object, 96, "emoji_scenes", _EMOJI_TREE, needs=("labels.csv",)
    ),
    "emoji_scene": Dataset(
        _emoji_scene, 96, "emoji_scenes", _EMOJI_TREE, needs=("labels.csv",)
    ),
    "cifar10": Dataset(_cifar10, 224, "cifar10", cifar10.TREE, cifar10.NEEDS, paper=True),
    "coco10": Dataset(_coco10, 224, "coco", coco10.TREE, coco10.NEEDS, paper=True),
    "imagenet": Dataset(_imagenet, 224, "imagenet", imagenet.TREE, imagenet.NEEDS, paper=True),
    "imagenet9": Dataset(
        _imagenet9, 224, "imagenet9", imagenet9.TREE, imagenet9.NEEDS, paper=True
    ),
    "bam_object": Dataset(
        _bam_object, 224, "bam", bam.TREES["object"], bam.NEEDS["object"], paper=True
    ),
    "bam_scene": Dataset(
        _bam_scene, 224, "bam", bam.TREES["scene"], bam.NEEDS["scene"], paper=True
    ),
}
