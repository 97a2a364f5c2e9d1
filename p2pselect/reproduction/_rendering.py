"""Tables as Markdown, LaTeX, HTML and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from html import escape

from p2pselect.reproduction._paper_numbers import PaperNumber
from p2pselect.reproduction._results import Entry
from p2pselect.reproduction._tables import Table

_LATEX = {"%": r"\%", "&": r"\&", "_": r"\_", "#": r"\#", "±": r"$\pm$", "δ": r"$\delta$"}
_LATEX |= {"τ": r"$\tau$", "p̄": r"$\bar p$"}
_MARKDOWN = {"best": "**{}**", "second": "<u>{}</u>"}
_HTML = {"best": "<b>{}</b>", "second": "<u>{}</u>"}
_TEX = {"best": r"\textbf{{{}}}", "second": r"\underline{{{}}}"}


def shown(entry: Entry | PaperNumber | None) -> str:
    """An entry as text: per cent, mean ± standard deviation.

    Parameters
    ----------
    entry : Entry, PaperNumber or None

    Returns
    -------
    str

    Examples
    --------
    >>> shown(Entry(0.94451, 0.0031, 3)), shown(Entry(0.5, None, 1)), shown(None)
    ('94.5 ± 0.3', '50.0', '')
    """
    if entry is None:
        return ""
    if isinstance(entry, PaperNumber):
        return str(entry)
    sd = "" if entry.sd is None else f" ± {100 * entry.sd:.1f}"
    return f"{100 * entry.mean:.1f}{sd}"


def cells(table: Table, styles: dict[str, str], plain: dict[str, str]) -> list[list[str]]:
    """Text of every line, with the best and the second marked."""
    marks = [table.marks(k) for k in range(len(table.columns))]

    def text(words: str) -> str:
        for sign, replacement in plain.items():
            words = words.replace(sign, replacement)
        return words

    return [
        [text(line.label)]
        + [
            styles[marks[k][i]].format(text(shown(entry)))
            if i in marks[k]
            else text(shown(entry))
            for k, entry in enumerate(line.entries)
        ]
        for i, line in enumerate(table.lines)
    ]


def to_markdown(table: Table) -> str:
    """A pipe table below its title.

    Parameters
    ----------
    table : Table

    Returns
    -------
    str
    """
    head = ["%", *(column.title for column in table.columns)]
    lines = [head, ["---"] + ["---:"] * len(table.columns), *cells(table, _MARKDOWN, {})]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"### {table.title}\n\n{body}\n\n{table.note}\n"


def to_html(table: Table) -> str:
    """A ``figure`` with a ``table``.

    Parameters
    ----------
    table : Table

    Returns
    -------
    str
    """
    signs = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
    head = "".join(f"<th>{escape(column.title)}</th>" for column in table.columns)
    body = "".join(
        f"<tr><th>{label}</th>{''.join(f'<td>{entry}</td>' for entry in entries)}</tr>"
        for label, *entries in cells(table, _HTML, signs)
    )
    return (
        f"<figure><figcaption>{escape(table.title)}, per cent. {escape(table.note)}"
        f"</figcaption><table><thead><tr><th></th>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></figure>"
    )


def to_latex(table: Table) -> str:
    """A ``table`` environment for booktabs.

    Parameters
    ----------
    table : Table

    Returns
    -------
    str
    """
    titles = [column.title for column in table.columns]
    words = [table.title, table.note, *titles]
    for sign, replacement in _LATEX.items():
        words = [word.replace(sign, replacement) for word in words]
    title, note, *titles = words
    lines = [" & ".join(["", *titles]), *(" & ".join(c) for c in cells(table, _TEX, _LATEX))]
    rows = [rf"{line} \\" for line in lines]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{title} (\%). {note}}}",
            rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
            r"\toprule",
            rows[0],
            r"\midrule",
            *rows[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def to_csv(tables: Iterable[Table]) -> str:
    """Every entry of several tables, one a line, as fractions; the paper's in per cent.

    Parameters
    ----------
    tables : iterable of Table

    Returns
    -------
    str
        Columns ``table, line, column, mean, sd, seeds, mark``.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow("table line column mean sd seeds mark".split())
    for table in tables:
        for k, column in enumerate(table.columns):
            marks = table.marks(k)
            for i, line in enumerate(table.lines):
                entry = line.entries[k]
                where = table.key, line.label, column.title
                if isinstance(entry, PaperNumber):
                    sd = "" if entry.sd is None else entry.sd
                    writer.writerow([*where, entry.mean, sd, "", f"paper, table {entry.table}"])
                elif entry is not None:
                    sd = "" if entry.sd is None else f"{entry.sd:.6g}"
                    mark = marks.get(i, "")
                    writer.writerow([*where, f"{entry.mean:.6g}", sd, entry.n, mark])
    return file.getvalue()
