"""``recorded``: a table of figures, read from the files that a benchmark wrote.

A figure in the documentation is one that a committed file under ``benchmarks/results``
holds, beside the command that wrote it; nothing is typed in.
"""

import json
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"


class Recorded(SphinxDirective):
    """Rows are the figures and columns the files, unless ``rows`` names prefixes.

    With ``rows``, ``test_0.8`` is a row, and every figure ``test_0.8_NAME`` of a file goes
    into its column ``NAME``.
    """

    required_arguments = 1
    final_argument_whitespace = True
    option_spec = {"command": directives.unchanged_required, "rows": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        names = self.arguments[0].split()
        files = [RESULTS / f"{name}.json" for name in names]
        for file in files:
            self.env.note_dependency(str(file))
        command = nodes.literal_block(self.options["command"], self.options["command"])
        found = {
            name: json.loads(file.read_text(encoding="utf-8"))
            for name, file in zip(names, files, strict=True)
            if file.is_file()
        }
        if not found:
            return [command, nodes.paragraph(text="No figures are recorded yet.")]
        prefixes = self.options.get("rows", "").split()
        rows = by_prefix(found, prefixes) if prefixes else by_file(found)
        return [command, table(rows)]


def by_file(found: dict[str, dict]) -> list[list[str]]:
    """One row per figure, one column per file."""
    keys = list(dict.fromkeys(key for figures in found.values() for key in figures))
    # Seconds tell about the machine, and what else ran on it, more than about the program.
    keys = [key for key in keys if key != "seconds"]
    head = ["", *found] if len(found) > 1 else ["", "value"]
    return [head] + [[k, *(shown(figures.get(k)) for figures in found.values())] for k in keys]


def by_prefix(found: dict[str, dict], prefixes: list[str]) -> list[list[str]]:
    """One row per file and prefix, one column per rest of a figure's name."""
    cells = {
        (name, prefix): {
            key.removeprefix(f"{prefix}_"): value
            for key, value in figures.items()
            if key.startswith(f"{prefix}_")
        }
        for name, figures in found.items()
        for prefix in prefixes
    }
    columns = list(dict.fromkeys(key for row in cells.values() for key in row))
    several = len(found) > 1
    head = [""] * (1 + several) + columns
    return [head] + [
        [*([name] if several else []), prefix, *(shown(row.get(c)) for c in columns)]
        for (name, prefix), row in cells.items()
        if row
    ]


def shown(value: object) -> str:
    """A figure as text; an absent one is empty."""
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 100 else f"{value:.0f}"
    return "" if value is None else str(value)


def table(rows: list[list[str]]) -> nodes.table:
    """A docutils table whose first row is the head."""
    width = len(rows[0])
    group = nodes.tgroup(cols=width)
    group += [nodes.colspec(colwidth=1) for _ in range(width)]
    head, body = nodes.thead(), nodes.tbody()
    for part, some in ((head, rows[:1]), (body, rows[1:])):
        for row in some:
            line = nodes.row()
            for text in row:
                line += nodes.entry("", nodes.paragraph(text=text.replace("_", " ")))
            part += line
        group += part
    return nodes.table("", group)


def setup(app):
    app.add_directive("recorded", Recorded)
    return {"parallel_read_safe": True}
