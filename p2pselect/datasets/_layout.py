"""The files that the folder of a data set should hold, compared with what is there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from p2pselect.exceptions import InputError, UnknownNameError, brief, did_you_mean


def missing_files(folder: str | os.PathLike[str], needs: Sequence[str]) -> list[str]:
    """Which of the needed files and folders are missing; one of ``"a|b"`` is enough."""
    return [
        needed
        for needed in needs
        if not any(Path(folder, name).exists() for name in needed.split("|"))
    ]


def require_files(folder: str | os.PathLike[str], needs: Sequence[str], tree: str) -> Path:
    """Return the folder; if files are missing, raise an error that shows the expected tree."""
    missing = missing_files(folder, needs)
    if missing:
        wanted = ", ".join(needed.replace("|", " or ") for needed in missing)
        raise InputError(
            f"{Path(folder)} lacks {wanted}; expected\n{indented_tree(folder, tree)}"
        )
    return Path(folder)


def indented_tree(folder: str | os.PathLike[str], tree: str) -> str:
    """The tree below the name of its folder, for messages."""
    lines = tree.strip("\n").splitlines()
    return "\n".join([f"  {Path(folder)}/", *(f"    {line}" for line in lines)])


def check_split(split: str, splits: Sequence[str]) -> None:
    """Raise an UnknownNameError unless the split is one of ``splits``."""
    if split not in splits:
        raise UnknownNameError(
            f"there is no split {brief(split)}, only {', '.join(splits)}"
            f"{did_you_mean(split, splits)}"
        )
