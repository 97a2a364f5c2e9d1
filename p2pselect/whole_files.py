"""Files that are there whole or not at all, whenever the process ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def written_whole(path: Path, mode: str = "w", **options: Any) -> Iterator[IO[Any]]:
    """Open a file that takes the place of ``path`` in one step when the block has ended well.

    A reader sees the old file or the new one; after an error the old one is as it was.

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
    try:
        with beside.open(mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
