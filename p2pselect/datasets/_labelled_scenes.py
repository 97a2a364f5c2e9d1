"""Image sets with a labels.csv: objects pasted on scenes, with a mask for every image."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Literal

import numpy as np
from sklearn.utils import Bunch

from p2pselect.datasets._mask_files import read_masks
from p2pselect.exceptions import InputError, UnknownNameError, brief
from p2pselect.images import ImageSequence

_COLUMNS = ("split", "image", "mask", "object", "scene")


def load_emoji_scenes(
    root: str | os.PathLike[str],
    split: str = "train",
    *,
    target: Literal["object", "scene"] = "object",
) -> Bunch:
    """Load a split of an image set laid out as emoji_scenes is.

    ``root`` holds ``labels.csv`` with the columns split, image, mask, object, scene, whose
    paths are relative to ``root/SPLIT``.

    Parameters
    ----------
    root : str or path-like
        Folder of the set.
    split : str, default "train"
        A value of the column ``split``; emoji_scenes has "train", "test" (objects' designs
        and photographs never seen in train) and "test_seen_designs".
    target : {"object", "scene"}, default "object"
        Which column becomes ``target``.

    Returns
    -------
    Bunch
        ``images`` : ImageSequence of n files;
        ``target`` : int (n,), indices into ``target_names``;
        ``target_names`` : str, sorted, of the whole set, so that all splits agree;
        ``objects``, ``scenes`` : str (n,);
        ``masks`` : bool (n, h, w), True on the object.

    Raises
    ------
    InputError
        When there is no labels.csv, or it lacks a column.
    UnknownNameError
        When there is no such split.

    Examples
    --------
    >>> data = load_emoji_scenes("emoji_scenes", "test")  # doctest: +SKIP
    """
    if target not in ("object", "scene"):
        raise InputError(f'target must be "object" or "scene", got {brief(target)}')
    table = _read_table(Path(root, "labels.csv"))
    splits = sorted({row["split"] for row in table})
    rows = [row for row in table if row["split"] == split]
    if not rows:
        raise UnknownNameError(
            f"no split {brief(split)} in {root}; there are {', '.join(splits)}"
        )
    folder = Path(root, split)
    names, codes = np.unique([row[target] for row in table], return_inverse=True)
    chosen = np.array([row["split"] == split for row in table])
    return Bunch(
        images=ImageSequence([folder / row["image"] for row in rows]),
        target=codes[chosen],
        target_names=names,
        objects=np.array([row["object"] for row in rows]),
        scenes=np.array([row["scene"] for row in rows]),
        masks=read_masks([folder / row["mask"] for row in rows]),
    )


def _read_table(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise InputError(f"{path} does not exist; expected a table with {', '.join(_COLUMNS)}")
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        lacking = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
        if lacking:
            raise InputError(f"{path} lacks the columns {', '.join(lacking)}")
        return list(reader)
