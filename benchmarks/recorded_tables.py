"""Recorded figures as tables of texts, for the documentation and for the programs themselves.

Figures are a flat mapping of names to numbers or words.  ``"about"`` in it says which code made
them, and is not a figure.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Figures = Mapping[str, Any]


def table_of(found: Mapping[str, Figures], prefixes: Sequence[str] = ()) -> list[list[str]]:
    """The head and the rows of a table of figures by file.

    Rows are the figures and columns the files, unless there are prefixes.  With them,
    ``test_0.8`` is a row, and each figure ``test_0.8_NAME`` goes into its column ``NAME``;
    a prefix without any figure is an error.
    """
    figures = {
        name: {key: value for key, value in of_file.items() if key != "about"}
        for name, of_file in found.items()
    }
    return _by_prefix(figures, prefixes) if prefixes else _by_file(figures)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table as Markdown, whose columns are aligned for people who read it as text."""
    texts = [[cell.replace("_", " ") for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    head, *body = (
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |"
        for row in texts
    )
    return "\n".join([head, "|" + "|".join("-" * (w + 2) for w in widths) + "|", *body])


def _by_file(found: Mapping[str, Figures]) -> list[list[str]]:
    """One row per figure, one column per file."""
    # Seconds tell more about the machine, and what else ran on it, than about the program.
    keys = dict.fromkeys(
        key for figures in found.values() for key in figures if key != "seconds"
    )
    head = ["", *found] if len(found) > 1 else ["", "value"]
    return [head] + [[k, *(number(f.get(k)) for f in found.values())] for k in keys]


def _by_prefix(found: Mapping[str, Figures], prefixes: Sequence[str]) -> list[list[str]]:
    """One row per file and prefix, one column per rest of a figure's name."""
    rows = {
        (name, prefix): {
            key.removeprefix(f"{prefix}_"): value
            for key, value in figures.items()
            if key.startswith(f"{prefix}_")
        }
        for name, figures in found.items()
        for prefix in prefixes
    }
    absent = [p for p in prefixes if not any(rows[name, p] for name in found)]
    if absent:
        raise ValueError(f"{', '.join(found)}: no figures of {', '.join(absent)}")
    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    several = len(found) > 1
    head = [""] * (1 + several) + columns
    return [head] + [
        [*([name] if several else []), prefix, *(number(row.get(c)) for c in columns)]
        for (name, prefix), row in rows.items()
        if row
    ]


def number(value: object) -> str:
    """A figure as text; an absent one is empty."""
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 100 else f"{value:.0f}"
    return "" if value is None else str(value)
