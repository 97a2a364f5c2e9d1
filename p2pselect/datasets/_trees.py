"""What lies on disk against what was expected there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from p2pselect.exceptions import InputError, UnknownNameError, brief, did_you_mean


def lacking(folder: str | os.PathLike[str], needs: Sequence[str]) -> list[str]:
    """Which of the needed files and folders are not there.

    Parameters
    ----------
    folder : str or path-like
    needs : sequence of str
        Paths relative to ``folder``; of alternatives, ``"a|b"``, one is enough.

    Returns
    -------
    list of str
    """
    return [
        needed
        for needed in needs
        if not any(Path(folder, name).exists() for name in needed.split("|"))
    ]


def require(folder: str | os.PathLike[str], needs: Sequence[str], tree: str) -> Path:
    """Raise an error that shows the expected tree unless all that is needed is there.

    Parameters
    ----------
    folder : str or path-like
    needs : sequence of str
        As for :func:`lacking`.
    tree : str
        What the folder should hold, as text for people.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
    """
    missing = lacking(folder, needs)
    if missing:
        wanted = ", ".join(needed.replace("|", " or ") for needed in missing)
        raise InputError(f"{Path(folder)} lacks {wanted}; expected\n{drawn(folder, tree)}")
    return Path(folder)


def drawn(folder: str | os.PathLike[str], tree: str) -> str:
    """A tree below its folder's name, for messages."""
    lines = tree.strip("\n").splitlines()
    return "\n".join([f"  {Path(folder)}/", *(f"    {line}" for line in lines)])


def check_split(split: str, splits: Sequence[str]) -> None:
    """Raise an UnknownNameError unless there is such a split."""
    if split not in splits:
        raise UnknownNameError(
            f"there is no split {brief(split)}, only {', '.join(splits)}"
            f"{did_you_mean(split, splits)}"
        )
