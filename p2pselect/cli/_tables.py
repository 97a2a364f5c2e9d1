"""Rows of a table, which take the place of a folder on the command line.

Nothing here loads NumPy until a table is read, so wrong arguments are answered at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from p2pselect.cli._outputs import check_apart
from p2pselect.exceptions import InputError, UnknownNameError

if TYPE_CHECKING:
    from sklearn.utils import Bunch

    from p2pselect.datasets._image_table import ImageTable

_KINDS = ("path", "label", "split", "group", "mask")
#: Options that name a file or folder to write, in any of the commands.
_OUTPUTS = ("out", "json", "html", "figure", "coco")


class _InsteadOf(argparse.Action):
    """Once it is given, the positional arguments that it replaces are not required."""

    def __init__(self, *, replaced: Sequence[argparse.Action], **settings: Any):
        super().__init__(**settings)
        self.replaced = replaced

    def __call__(
        self, parser: argparse.ArgumentParser, options: Any, value: Any, *_: Any
    ) -> None:
        for action in self.replaced:
            action.required = False
        setattr(options, self.dest, value)


def add_table(
    parser: argparse.ArgumentParser, *instead_of: str, usual: str | None = None
) -> None:
    """Declare the options that name rows instead of these positional arguments.

    ``usual`` is the split that is taken unless another is named; without it, none can be named.
    """
    replaced = [action for action in parser._actions if action.dest in instead_of]
    names = " and ".join(str(action.metavar) for action in replaced)
    group = parser.add_argument_group(f"a table instead of {names}")
    group.add_argument(
        "--table",
        action=_InsteadOf,
        replaced=replaced,
        type=Path,
        metavar="CSV",
        help="file with a row for each image, whose columns path (or file, filename, image), "
        "label (or class), split, group and mask are found by their names; only path and, "
        "where labels are needed, label must be there; paths are relative to its folder",
    )
    group.add_argument(
        "--column",
        type=column,
        action="append",
        default=[],
        metavar="WHAT=NAME",
        help="which column holds the path, label, split, group or mask, for example "
        "label=species; group= stands for no column; label=rust,miner names several columns of "
        "0 and 1, one for each label that an image can have",
    )
    if usual is not None:
        group.add_argument(
            "--split",
            metavar="NAME",
            help=f"which rows, by the column of splits (default: {usual})",
        )


def column(text: str) -> tuple[str, str | None]:
    """An argument type: what a column holds, and its name."""
    kind, sign, name = text.partition("=")
    if not sign or kind not in _KINDS:
        raise argparse.ArgumentTypeError(
            f"must be WHAT=NAME, with one of {', '.join(_KINDS)} as WHAT, got {text}"
        )
    return kind, name or None


@dataclass(frozen=True)
class Rows:
    """Rows of a table: those of ``split``, or those of ``usual`` if there are splits."""

    file: Path
    columns: Mapping[str, Any]
    split: str | None = None
    usual: str | None = None

    def __str__(self) -> str:
        return f"{self.file} ({self._chosen})" if self._chosen else str(self.file)

    @cached_property
    def table(self) -> ImageTable:
        """The table, which is read once."""
        from p2pselect.datasets._image_table import ImageTable

        return ImageTable(self.file, self.columns)

    @property
    def _chosen(self) -> str | None:
        return self.split or (self.usual if self.table.splits else None)

    def of_split(self, split: str) -> Rows | None:
        """Other rows of the same table, if there are any."""
        return replace(self, split=split) if split in self.table.splits else None

    def load(self, **how: Any) -> Bunch:
        """Images, labels, groups and masks; says which rows they are, and how many others."""
        try:
            found = self.table.load(self._chosen, **how)
        except UnknownNameError as error:
            hint = "" if self.split else "; --split chooses another"
            raise UnknownNameError(f"{error}{hint}") from error
        others = ", ".join(f"{name} {n}" for name, n in self.table.splits.most_common(8))
        among = f" of {self._chosen} (the table has {others})" if self._chosen else ""
        # To standard error, because standard output may be a table itself.
        print(f"{self.file}: {len(found.images)} rows{among}", file=sys.stderr)
        return found


def rows_of(
    options: argparse.Namespace, *instead_of: str, usual: str | None = None
) -> Rows | None:
    """The rows that the options name, or None if they name no table."""
    split = getattr(options, "split", None)
    if options.table is None:
        if split or options.column:
            name = "--split" if split else "--column"
            raise InputError(f"{name} is about a table: pass --table CSV too")
        return None
    if any(getattr(options, name) for name in instead_of):
        raise InputError("--table names the images already: leave out the folders and files")
    outputs = {name: getattr(options, name, None) for name in _OUTPUTS}
    check_apart({f"--{k}": [file] for k, file in outputs.items() if file}, [str(options.table)])
    return Rows(options.table, dict(options.column), split, usual)
