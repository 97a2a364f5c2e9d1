"""Sets of photographs as folders: what to learn from, what to be measured on, and the masks.

The layout is ``SET/SPLIT/images/CLASS/FILE`` with masks beside the images, of one or more
kinds, ``SET/SPLIT/KIND/CLASS/FILE.png``, where KIND ends in "masks" and an image may lack one.
A column ``group`` of ``SET/labels.csv`` names images that belong together, such as near
duplicates.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from p2pselect import ImageSequence, datasets

#: Validation holds out one of this many parts of the training images.
HELD_OUT = 5


@dataclass(frozen=True)
class Part:
    """Photographs of one split of a set, or some of them."""

    root: Path
    images: ImageSequence
    labels: np.ndarray
    groups: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: np.ndarray) -> Part:
        return replace(
            self, images=self.images[rows], labels=self.labels[rows], groups=self.groups[rows]
        )

    @property
    def names(self) -> list[str]:
        """The images' paths below the split's folder of images, which tell them apart."""
        return [Path(file).relative_to(self.root / "images").as_posix() for file in self._files]

    @property
    def _files(self) -> list[str]:
        assert self.images.files is not None
        return self.images.files.tolist()

    def object_masks(self) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Masks by kind and size: (kind, rows of the images, masks (n, h, w) at their size)."""
        names, sizes = self.names, self.images.sizes()
        for folder in sorted(self.root.glob("*masks")):
            has_mask = np.array([_mask_file(folder, name).is_file() for name in names], bool)
            for size in np.unique(sizes[has_mask], axis=0):
                rows = np.flatnonzero(has_mask & (sizes == size).all(axis=1))
                masks = datasets.load_mask_folder(folder, self.images[rows], tuple(size))
                yield folder.name, rows, masks

    @contextmanager
    def as_folder(self) -> Iterator[Path]:
        """A folder with a subfolder per class, as ``p2pselect fit`` takes it: links."""
        with TemporaryDirectory() as folder:
            for name, file in zip(self.names, self._files, strict=True):
                link = Path(folder, name)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(Path(file).resolve())
            yield Path(folder)


def _mask_file(folder: Path, name: str) -> Path:
    return (folder / name).with_suffix(".png")


def load_split(root: Path, split: str) -> Part:
    """All photographs of a split."""
    folder = root / split
    images, labels = datasets.load_image_folder(folder / "images")
    part = Part(folder, images, labels, np.arange(len(labels)))
    groups = _groups(root / "labels.csv", split)
    if not groups:
        return part
    return replace(part, groups=np.array([groups[name] for name in part.names]))


def _groups(table: Path, split: str) -> dict[str, str]:
    """The group of every image of a split, by its name; empty where there are no groups."""
    if not table.is_file():
        return {}
    with table.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split and "group" in row]
    return {row["image"].partition("images/")[2]: row["group"] for row in rows}


def train_and_measured(root: Path, split: str, seed: int) -> tuple[Part, dict[str, Part]]:
    """What to learn from, and the parts to be measured on, by name.

    ``"test"``: every split whose name begins with "test".  ``"validation"``: a fifth of the
    training images that the seed holds out, with the classes' shares kept and no group divided.
    """
    train = load_split(root, "train")
    if split == "test":
        names = sorted(path.parent.name for path in root.glob("test*/images"))
        return train, {name: load_split(root, name) for name in names}
    folds = StratifiedGroupKFold(HELD_OUT, shuffle=True, random_state=seed)
    rows, held_out = next(folds.split(train.labels, train.labels, train.groups))
    return train[rows], {"validation": train[held_out]}
