"""Tables as Markdown, LaTeX, HTML and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from html import escape

from p2pselect.reproduction._paper_numbers import PaperNumber
from p2pselect.reproduction._scores import Entry
from p2pselect.reproduction._table import Column, Table

_LATEX = {"%": r"\%", "&": r"\&", "_": r"\_", "#": r"\#", "±": r"$\pm$", "δ": r"$\delta$"}
_LATEX |= {"τ": r"$\tau$", "p̄": r"$\bar p$"}
_LATEX_MARKS = {"best": r"\textbf{{{}}}", "second": r"\underline{{{}}}"}
# Markdown itself cannot underline.
_MARKDOWN_MARKS = {"best": "**{}**", "second": "<u>{}</u>"}
_HTML_MARKS = {"best": "<b>{}</b>", "second": "<u>{}</u>"}


def shown(entry: Entry | PaperNumber | None, column: Column) -> str:
    """An entry as text: mean ± standard deviation, in percent or as a whole number.

    Examples
    --------
    >>> accuracy, epochs = Column("accuracy"), Column("epochs", percent=False)
    >>> shown(Entry(0.94451, 0.0031, 3), accuracy), shown(Entry(0.5, None, 1), accuracy)
    ('94.5 ± 0.3', '50.0')
    >>> shown(Entry(14.0, 0.0, 3), epochs), shown(None, epochs)
    ('14 ± 0', '')
    """
    if isinstance(entry, Entry):
        scale, digits = (100, 1) if column.percent else (1, 0)
        sd = "" if entry.sd is None else f" ± {scale * entry.sd:.{digits}f}"
        return f"{scale * entry.mean:.{digits}f}{sd}"
    return "" if entry is None else str(entry)


def _lines(table: Table, marks: Mapping[str, str]) -> list[list[str]]:
    """Text of every line, with the best and the second best marked."""
    marked = [table.marks(k) for k in range(len(table.columns))]
    return [
        [line.label]
        + [
            marks.get(marked[k].get(i, ""), "{}").format(shown(entry, table.columns[k]))
            for k, entry in enumerate(line.entries)
        ]
        for i, line in enumerate(table.lines)
    ]


def to_markdown(table: Table) -> str:
    """A pipe table below its title."""
    head = ["%", *(column.title for column in table.columns)]
    lines = [head, ["---"] + ["---:"] * len(table.columns), *_lines(table, _MARKDOWN_MARKS)]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"### {table.title}\n\n{body}\n\n{table.note}\n"


def to_html(table: Table) -> str:
    """A ``figure`` with a ``table``."""
    head = "".join(f"<th>{escape(column.title)}</th>" for column in table.columns)
    body = "".join(
        f"<tr><th>{escape(label)}</th>{''.join(f'<td>{entry}</td>' for entry in entries)}</tr>"
        for label, *entries in _lines(table, _HTML_MARKS)
    )
    return (
        f"<figure><figcaption>{escape(table.title)}, percent. {escape(table.note)}"
        f"</figcaption><table><thead><tr><th></th>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></figure>"
    )


def to_latex(table: Table) -> str:
    """A ``table`` environment for booktabs."""
    head = ["", *(_latex(column.title) for column in table.columns)]
    lines = [
        [_latex(label), *(entry.replace("±", _LATEX["±"]) for entry in entries)]
        for label, *entries in _lines(table, _LATEX_MARKS)
    ]
    first, *rest = (rf"{' & '.join(line)} \\" for line in (head, *lines))
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_latex(table.title)} (\%). {_latex(table.note)}}}",
            rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
            r"\toprule",
            first,
            r"\midrule",
            *rest,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _latex(words: str) -> str:
    for sign, replacement in _LATEX.items():
        words = words.replace(sign, replacement)
    return words


def to_csv(tables: Iterable[Table]) -> str:
    """Every entry of several tables, one a line: ours as fractions, the paper's in percent."""
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
                    source = f"paper, table {entry.table}"
                    writer.writerow([*where, entry.mean, entry.sd, "", source])
                elif entry is not None:
                    sd = "" if entry.sd is None else f"{entry.sd:.6g}"
                    row = [*where, f"{entry.mean:.6g}", sd, entry.n, marks.get(i, "")]
                    writer.writerow(row)
    return file.getvalue()
