"""Which column of a table holds what: found by its usual names, or by the one that is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from p2pselect.exceptions import InputError, UnknownNameError, brief, did_you_mean

#: What columns can hold, and the names, in lower case, by which such columns are found.
COLUMNS = {
    "path": ("path", "file", "filename", "image"),
    "label": ("label", "class"),
    "split": ("split",),
    "group": ("group",),
    "mask": ("mask",),
}


@dataclass(frozen=True)
class Header:
    """The first line of a table: the names of its columns."""

    file: str
    names: list[str]

    def find(self, kind: str, wanted: str | None) -> int | None:
        """The number of the column that holds this; ``wanted`` is a name, "auto" or None."""
        if wanted is None:
            return None
        if wanted == "auto":
            found = [name for name in self.names if name.casefold() in COLUMNS[kind]]
        else:
            found = [name for name in self.names if name == wanted]
            if not found:
                raise UnknownNameError(
                    f"{self.file} has no column {brief(wanted)}, only {brief(self.names)}"
                    f"{did_you_mean(wanted, self.names)}"
                )
        if len(found) > 1:
            raise InputError(
                f"{self.file} has several columns that could hold the {kind}, {brief(found)}: "
                f"{_how_to_name(kind)}"
            )
        return self.names.index(found[0]) if found else None

    def several(self, wanted: str | Sequence[str] | None) -> list[str] | None:
        """The names of the columns of labels, if several of them are wanted."""
        if isinstance(wanted, str):
            if "," not in wanted or wanted in self.names:
                return None
            wanted = [name.strip() for name in wanted.split(",")]
        if wanted is None:
            return None
        if len(set(wanted)) < max(len(wanted), 2):
            raise InputError(
                f"several columns of labels are at least two, each named once: got "
                f"{brief(list(wanted))}"
            )
        return list(wanted)

    def lacks(self, kind: str) -> InputError:
        """The error that no column holds this."""
        divided = any(mark in name for name in self.names for mark in ";\t")
        hint = "; cells have to be divided by commas" if divided else ""
        return InputError(
            f"{self.file} has no column called {' or '.join(COLUMNS[kind])}, only "
            f"{brief(self.names)}; {_how_to_name(kind)}{hint}"
        )


def _how_to_name(kind: str) -> str:
    return f"pass {kind}_column= (on the command line, --column {kind}=NAME)"
