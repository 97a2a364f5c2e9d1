"""A planted fault: one text of one file, what takes its place, and the tests that notice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class StaleFault(Exception):
    """The text to be replaced is gone, or is there more than once."""


@dataclass(frozen=True)
class Fault:
    """A wrong version of the package.

    Attributes
    ----------
    file : str
        Relative to the package.
    old, new : str
        ``old`` occurs in the file exactly once.
    tests : tuple of str
        Files and node ids; at least one of these tests fails on the wrong version.
    """

    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def __str__(self) -> str:
        old, new = (" ".join(text.split()) or "(nothing)" for text in (self.old, self.new))
        return f"{self.file}: {old} -> {new}"

    def changed(self, root: Path) -> str:
        """The file below the checkout ``root`` with the fault in it.

        Raises
        ------
        StaleFault
        """
        file = root / "p2pselect" / self.file
        if not file.is_file():
            raise StaleFault(f"{self}: there is no such file")
        text = file.read_text(encoding="utf-8")
        if (count := text.count(self.old)) != 1:
            raise StaleFault(f"{self}: the old text is there {count} times, not once")
        return text.replace(self.old, self.new)

    def plant(self, root: Path) -> None:
        """Write the fault into the copy of a checkout."""
        (root / "p2pselect" / self.file).write_text(self.changed(root), encoding="utf-8")


def planted(file: str, tests: str, changes: Mapping[str, str]) -> list[Fault]:
    """Faults of one file that the same tests notice.

    Parameters
    ----------
    file : str
        Relative to the package.
    tests : str
        Files below ``tests/``, perhaps with the name of a test, separated by white space.
    changes : mapping of str to str
        New text by old text.
    """
    names = tuple(f"tests/{name}" for name in tests.split())
    return [Fault(file, old, new, names) for old, new in changes.items()]
