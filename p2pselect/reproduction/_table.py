"""A table, independent of how it is written down."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from p2pselect.reproduction._paper_numbers import PaperNumber
from p2pselect.reproduction._scores import Entry

Entries = list[Entry | PaperNumber | None]


@dataclass(frozen=True)
class Column:
    """A column, of percentages or other numbers.

    ``better`` is 1 or -1 if more or less is better, and 0 to mark nothing.
    """

    title: str
    better: int = 0
    percent: bool = True


@dataclass
class Line:
    """A line of a table, with one entry for each column.

    Its entries are marked as best or second only if it ``competes``.
    """

    label: str
    entries: Entries
    competes: bool = True


@dataclass
class Table:
    """Columns, and lines with an entry for each; ``key`` is a valid file name."""

    key: str
    title: str
    columns: list[Column]
    lines: list[Line] = field(default_factory=list)
    note: str = ""

    def marks(self, column: int) -> dict[int, str]:
        """Numbers of the lines that are "best" or "second" in a column."""
        better = self.columns[column].better
        # Rounded, so that means that differ only by rounding errors share a rank.
        ranked = {
            i: -better * round(entry.mean, 6)
            for i, line in enumerate(self.lines)
            if isinstance(entry := line.entries[column], Entry) and line.competes
        }
        if not better or len(ranked) < 2:
            return {}
        names = dict(zip(sorted({*ranked.values()}), ("best", "second"), strict=False))
        return {i: names[value] for i, value in ranked.items() if value in names}

    def without_empty(self) -> Table:
        """The same table without its empty columns."""
        full = [
            k for k in range(len(self.columns)) if any(line.entries[k] for line in self.lines)
        ]
        lines = [replace(line, entries=[line.entries[k] for k in full]) for line in self.lines]
        return replace(self, columns=[self.columns[k] for k in full], lines=lines)
