"""Objects pasted on scenes, as listed in a table: the layout of emoji_scenes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import numpy as np
from sklearn.utils import Bunch

from p2pselect.datasets._csv_rows import read_csv
from p2pselect.datasets._layout import check_split
from p2pselect.datasets._mask_folder import read_masks
from p2pselect.exceptions import InputError, brief
from p2pselect.images import ImageSequence

_COLUMNS = ("split", "image", "mask", "object", "scene")
NEEDS = ("labels.csv",)
TREE = """
labels.csv          split,image,mask,object,scene
train/
  images/CLASS/*.png
  masks/CLASS/*.png
test/               and any other split of labels.csv
  images/CLASS/*.png
  masks/CLASS/*.png
"""


def load_emoji_scenes(
    root: str | os.PathLike[str],
    split: str = "train",
    *,
    target: Literal["object", "scene"] = "object",
) -> Bunch:
    """Load one split of emoji_scenes, or of another image set with the same layout.

    Parameters
    ----------
    root : str or path-like
        Folder that contains ``labels.csv`` with the columns split, image, mask, object and
        scene, whose paths are relative to ``root/SPLIT``.
    split : str, default "train"
        A value of the column ``split``.  emoji_scenes has "train", "test" (designs of objects
        and photographs that do not occur in "train") and "test_seen_designs".
    target : {"object", "scene"}, default "object"
        Which column becomes ``target``.

    Returns
    -------
    Bunch
        ``images`` : ImageSequence of n files;
        ``target`` : int (n,), indices into ``target_names``;
        ``target_names`` : str, sorted, those of the whole set, so that all splits agree;
        ``objects``, ``scenes`` : str (n,);
        ``masks`` : bool (n, h, w), True on the object.

    Raises
    ------
    InputError
        If there is no labels.csv, or if it lacks a column.
    UnknownNameError
        If there is no such split.

    Examples
    --------
    >>> data = load_emoji_scenes("emoji_scenes", "test")  # doctest: +SKIP
    """
    if target not in ("object", "scene"):
        raise InputError(f'target must be "object" or "scene", got {brief(target)}')
    table = _read_table(Path(root, "labels.csv"))
    check_split(split, sorted({row["split"] for row in table}))
    rows = [row for row in table if row["split"] == split]
    folder = Path(root, split)
    names = sorted({row[target] for row in table})
    return Bunch(
        images=ImageSequence([folder / row["image"] for row in rows]),
        target=np.array([names.index(row[target]) for row in rows]),
        target_names=np.array(names),
        objects=np.array([row["object"] for row in rows]),
        scenes=np.array([row["scene"] for row in rows]),
        masks=read_masks([folder / row["mask"] for row in rows]),
    )


def _read_table(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise InputError(
            f"{path} does not exist; expected a table with the columns {', '.join(_COLUMNS)}"
        )
    header, rows, _ = read_csv(str(path))
    missing = [name for name in _COLUMNS if name not in header]
    if missing:
        raise InputError(f"{path} lacks the columns {', '.join(missing)}")
    return [dict(zip(header, row, strict=True)) for row in rows]
