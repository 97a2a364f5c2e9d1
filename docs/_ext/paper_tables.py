"""``paper-tables`` and ``paper-claims``: what a committed benchmark says, from its values.

The argument names a CSV file under ``benchmarks/results``; tables are those whose key begins
with the given prefixes.
"""

from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from recorded import RESULTS
from sphinx.util.docutils import SphinxDirective

from p2pselect.reproduction._claims import claims
from p2pselect.reproduction._scores import Results, read_scores
from p2pselect.reproduction._table_formats import shown
from p2pselect.reproduction._tables import Table, tables

MARKS = {"best": nodes.strong, "second": nodes.emphasis}


class FromValues(SphinxDirective):
    """Reads the file and says so where there is none yet."""

    required_arguments = 1
    option_spec = {"command": directives.unchanged, "only": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        file: Path = RESULTS / f"{self.arguments[0]}.csv"
        self.env.note_dependency(str(file))
        if not file.is_file():
            return [nodes.paragraph(text="No figures are recorded yet.")]
        return self.command() + self.show(Results(read_scores(file)))

    def command(self) -> list[nodes.Node]:
        said = self.options.get("command")
        return [nodes.literal_block(said, said)] if said else []


class PaperTables(FromValues):
    """Tables; bold is best, italics second."""

    def show(self, results: Results) -> list[nodes.Node]:
        prefixes = tuple(self.options.get("only", "").split()) or ("",)
        shown_tables = [t for t in tables(results) if t.key.startswith(prefixes)]
        return [node for table in shown_tables for node in self.one(table)]

    def one(self, table: Table) -> list[nodes.Node]:
        marks = [table.marks(k) for k in range(len(table.columns))]
        head = [[text(word) for word in ("%", *(c.title for c in table.columns))]]
        body = [
            [text(line.label)]
            + [
                MARKS.get(marks[k].get(i, ""), nodes.inline)("", shown(entry))
                for k, entry in enumerate(line.entries)
            ]
            for i, line in enumerate(table.lines)
        ]
        title = nodes.paragraph("", "", nodes.strong("", table.title))
        return [title, grid(head, body), nodes.paragraph(text=table.note)]


class PaperClaims(FromValues):
    """Which claims hold."""

    def show(self, results: Results) -> list[nodes.Node]:
        head = [[text(word) for word in ("data", "claim", "holds", "per cent")]]
        body = [
            [text(c.dataset), text(c.words), text(c.verdict), text(c.numbers)]
            for c in claims(results)
        ]
        return [grid(head, body)]


def text(words: str) -> nodes.inline:
    return nodes.inline("", words.replace("_", " "))


def grid(head: list[list[nodes.Node]], body: list[list[nodes.Node]]) -> nodes.table:
    """A docutils table."""
    group = nodes.tgroup(cols=len(head[0]))
    group += [nodes.colspec(colwidth=1) for _ in head[0]]
    for part, lines in ((nodes.thead(), head), (nodes.tbody(), body)):
        for line in lines:
            row = nodes.row()
            for node in line:
                row += nodes.entry("", nodes.paragraph("", "", node))
            part += row
        group += part
    return nodes.table("", group)


def setup(app):
    app.add_directive("paper-tables", PaperTables)
    app.add_directive("paper-claims", PaperClaims)
    return {"parallel_read_safe": True}
