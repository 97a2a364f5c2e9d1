"""Files and folders that are there whole or not at all, whenever the process ends.

Nothing here knows of other processes: each one that writes to a place replaces all of it,
so a reader finds what one of them wrote.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import IO, Any

from p2pselect.exceptions import InputError, brief, brief_path

# Linux: the flag of renameat2(2), and "relative to the working directory".
_RENAME_EXCHANGE, _AT_FDCWD = 2, -100


def check_writable_file(path: str | os.PathLike[str], name: str = "path") -> Path:
    """Make sure that a file can be written, before the work whose result it will hold.

    It may exist, and its folders may be missing.  ``name`` is what messages call the path.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{name}: {path} is a folder, expected the name of a file")
    if not path.name:
        raise InputError(f"{name}: {brief_path(path)} is not the name of a file")
    if path.exists() and not os.access(path, os.W_OK):
        raise InputError(f"{name}: {path} exists and is write-protected")
    _check_parent(_target(path).parent, path, name)
    return path


def check_writable_folder(path: str | os.PathLike[str], name: str = "path") -> Path:
    """Make sure that files can be written into a folder, which need not exist yet."""
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise InputError(f"{name}: {path} is a file, expected a folder")
    _check_parent(path, path, name)
    return path


def check_replaceable(path: Path, files: Sequence[str], kind: str, name: str = "path") -> None:
    """Make sure that a folder of some kind can be written, in place of another of that kind.

    ``files`` are all that such a folder can have, the one that each of them has comes first,
    and ``kind`` is what messages call it.  Anything else that is there, an empty folder
    excepted, is never touched.
    """
    if path.exists() and not is_empty_folder(path):
        if not (path / files[0]).is_file():
            raise InputError(f"{name}: {path} exists and is not {kind}: it is not overwritten")
        others = sorted(each.name for each in path.iterdir() if each.name not in files)
        if others:
            raise InputError(
                f"{name}: {path} is {kind} with other files in its folder, which would be "
                f"lost: it is not overwritten, see {brief(others)}"
            )
    _check_parent(_target(path).parent, path, name)


def is_empty_folder(path: Path) -> bool:
    """Whether there is a folder with nothing in it."""
    return path.is_dir() and not any(path.iterdir())


def _check_parent(folder: Path, wanted: Path, name: str) -> None:
    """Make sure that the nearest folder that exists can take new files."""
    existing = folder.absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        raise InputError(f"{name}: {wanted} cannot be written: {existing} is not a folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(
            f"{name}: {wanted} cannot be written: no permission to write into {existing}"
        )


def _target(path: Path) -> Path:
    """The file itself where ``path`` is a link to it, so that the link is kept."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


@contextmanager
def atomic_open(
    path: str | os.PathLike[str], mode: str = "w", **options: Any
) -> Iterator[IO[Any]]:
    """Open a file that takes the place of ``path`` in one step when the block has ended well.

    A reader sees the old file or the new one, and after an error the old one is as it was.
    Missing folders are made, text is UTF-8, and what is not a file, such as ``/dev/stdout``, is
    written to directly.
    """
    path = _target(check_writable_file(path))
    if "b" not in mode:
        options = {"encoding": "utf-8", **options}
    if path.exists() and not path.is_file():
        with path.open(mode, **options) as file:
            yield file
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own for every writer, and a short one: that of the file may be as long as
    # names can be.
    beside = path.with_name(f".{token_hex(8)}.part")
    try:
        with beside.open(mode, **options) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_json(path: str | os.PathLike[str], content: Any, indent: int | None = 1) -> None:
    """Write a file of strict JSON, see :func:`strict_json`."""
    with atomic_open(path) as file:
        file.write(strict_json(content, indent) + "\n")


def strict_json(content: Any, indent: int | None = None) -> str:
    r"""The text of strict JSON, with null for NaN and infinities.

    Examples
    --------
    >>> strict_json({"accuracy": float("nan"), "class": "猫"})
    '{"accuracy": null, "class": "猫"}'

    Bytes of a file name that are not UTF-8 become escapes, which decode to the same name:

    >>> strict_json("caf\udce9.png")
    '"caf\\udce9.png"'
    """
    text = json.dumps(_finite(content), indent=indent, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _finite(content: Any) -> Any:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return content


@contextmanager
def atomic_folder(
    path: str | os.PathLike[str], files: Sequence[str], kind: str
) -> Iterator[Path]:
    """Make a new folder that takes the place of ``path`` when the block has ended well.

    What is there is replaced if :func:`check_replaceable` allows it.
    """
    check_replaceable(Path(path), files, kind)
    path = _target(Path(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".p2pselect-") as made:
        new = Path(made, "new")
        new.mkdir()
        yield new
        _take_place(new, path)


def _take_place(new: Path, path: Path) -> None:
    old = new.with_name("old")
    try:
        while True:
            try:
                new.rename(path)  # fails if a folder with content is there
                return
            except OSError:
                if not path.is_dir():
                    raise
            if _exchange(new, path):
                return
            # Two steps; another process may have taken the first one.
            with suppress(FileNotFoundError):
                path.rename(old)
    finally:
        if old.exists() and not path.exists():
            old.rename(path)


def _exchange(new: Path, old: Path) -> bool:
    """Let two folders change places in one step; False where the system cannot."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None) if os.name == "posix" else None
    if rename is None:
        return False
    names = os.fsencode(new), os.fsencode(old)
    done: int = rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE)
    return done == 0
