"""Files and folders that are there whole or not at all, whenever the process ends."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from p2pselect.exceptions import InputError
from p2pselect.processes import together


@contextmanager
def written_whole(path: Path, mode: str = "w", **options: Any) -> Iterator[IO[Any]]:
    """Open a file that takes the place of ``path`` in one step when the block has ended well.

    A reader sees the old file or the new one; after an error the old one is as it was.  Of
    several processes that work together, the first one writes.

    Parameters
    ----------
    path : Path
        In a folder that exists.
    mode : {"w", "wb"}, default "w"
    **options
        As for :func:`open`; text is UTF-8.

    Yields
    ------
    file
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    if "b" not in mode:
        options = {"encoding": "utf-8", **options}
    if together().rank > 0:
        # Not os.devnull, which has no position for a zip archive to come back to.
        with tempfile.TemporaryFile(mode, **options) as file:
            yield file
        return
    try:
        with beside.open(mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def written_whole_folder(path: Path, sign: str, kind: str) -> Iterator[Path]:
    """A new folder that takes the place of ``path`` when the block has ended well.

    Of several processes that work together, the first one writes.

    Parameters
    ----------
    path : Path
        New, or a folder of the same kind, which is replaced.
    sign : str
        File that such a folder has.
    kind : str
        What such a folder is called, for the message.

    Yields
    ------
    Path

    Raises
    ------
    InputError
        If ``path`` is something else.
    """
    if together().rank > 0:
        with tempfile.TemporaryDirectory(prefix="p2pselect-") as unused:
            yield Path(unused)
        return
    if path.exists() and not (path.is_dir() and (path / sign).is_file()):
        raise InputError(f"{path} exists and is not {kind}: it is not overwritten")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".p2pselect-") as made:
        new = Path(made, "new")
        new.mkdir()
        yield new
        if path.exists():
            path.rename(Path(made, "old"))
        new.rename(path)
