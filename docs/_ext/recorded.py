"""Directives that show figures of ``benchmarks/results``, and which code made them.

Nothing is typed in: ``recorded`` shows JSON files beside the command that wrote them,
``recorded-history`` the last ratios of the history, and ``paper-tables`` and ``paper-claims``
what follows from a CSV file of the paper's evaluation.
"""

import json
import sys
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from p2pselect.reproduction._claims import claims
from p2pselect.reproduction._scores import Results, read_scores
from p2pselect.reproduction._table import Table
from p2pselect.reproduction._table_formats import shown
from p2pselect.reproduction._tables import tables

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))

from provenance import in_words  # noqa: E402
from recorded_tables import table_of  # noqa: E402

RESULTS = BENCHMARKS / "results"
MARKS = {"best": nodes.strong, "second": nodes.emphasis}


class FromResults(SphinxDirective):
    """Shows the command, and says so if there are no figures yet."""

    final_argument_whitespace = True
    option_spec = {"command": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        files = self.files()
        for file in files:
            self.env.note_dependency(str(file))
        command = self.options.get("command")
        before = [nodes.literal_block(command, command)] if command else []
        present = [file for file in files if file.is_file()]
        if not present:
            return [*before, nodes.paragraph(text="No figures are recorded yet.")]
        return before + self.show(present)


class Recorded(FromResults):
    """Rows are the figures and columns the files, unless ``rows`` names prefixes.

    With ``rows``, ``test_0.8`` is a row, and each figure ``test_0.8_NAME`` of a file goes into
    its column ``NAME``.
    """

    required_arguments = 1
    option_spec = {"command": directives.unchanged_required, "rows": directives.unchanged}

    def files(self) -> list[Path]:
        return [RESULTS / f"{name}.json" for name in self.arguments[0].split()]

    def show(self, files: list[Path]) -> list[nodes.Node]:
        found = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}
        rows = table_of(found, self.options.get("rows", "").split())
        return [table(*rows), *abouts(found)]


class RecordedHistory(FromResults):
    """The last record of each machine."""

    def files(self) -> list[Path]:
        return [RESULTS / "history.json"]

    def show(self, files: list[Path]) -> list[nodes.Node]:
        history = json.loads(files[0].read_text(encoding="utf-8"))
        last = {record["machine"]: record for record in history}.values()
        names = list(dict.fromkeys(name for record in last for name in record["ratios"]))
        head = ["", *(f"{record['date']}, {record['machine']}" for record in last)]
        rows = [
            [name, *(ratio(record["ratios"].get(name)) for record in last)] for name in names
        ]
        return [table(head, *rows)]


class PaperTables(FromResults):
    """Tables whose key begins with one of the prefixes in ``only``."""

    required_arguments = 1
    option_spec = {"command": directives.unchanged, "only": directives.unchanged}

    def files(self) -> list[Path]:
        return [RESULTS / f"{self.arguments[0]}.csv"]

    def show(self, files: list[Path]) -> list[nodes.Node]:
        prefixes = tuple(self.options.get("only", "").split()) or ("",)
        chosen = [t for t in tables(results(files)) if t.key.startswith(prefixes)]
        beside = json.loads(files[0].with_suffix(".json").read_text(encoding="utf-8"))
        made = abouts({files[0].stem: beside})
        return [node for one in chosen for node in paper_table(one)] + made


class PaperClaims(PaperTables):
    """Which claims hold."""

    def show(self, files: list[Path]) -> list[nodes.Node]:
        head = ["data", "claim", "holds", "percent"]
        return [table(head, *(list(claim) for claim in claims(results(files))))]


def abouts(found: dict[str, dict]) -> list[nodes.Node]:
    """Which code made the figures of some files, said once for all that agree."""
    facts = {name: figures["about"] for name, figures in found.items()}
    if len(facts) == 1 and "date" not in (parts := next(iter(facts.values()))):
        facts = parts  # a file whose parts different code has made
    made: dict[str, list[str]] = {}
    for name, fact in facts.items():
        made.setdefault(in_words(fact), []).append(name)
    return [
        nodes.paragraph(text=words if len(made) == 1 else f"{', '.join(names)}: {words}")
        for words, names in made.items()
    ]


def results(files: list[Path]) -> Results:
    return Results(read_scores(files[0]))


def paper_table(made: Table) -> list[nodes.Node]:
    marks = [made.marks(k) for k in range(len(made.columns))]
    rows = [
        [line.label]
        + [
            MARKS.get(marks[k].get(i, ""), nodes.inline)("", shown(entry, made.columns[k]))
            for k, entry in enumerate(line.entries)
        ]
        for i, line in enumerate(made.lines)
    ]
    title = nodes.paragraph("", "", nodes.strong("", made.title))
    head = ["%", *(column.title for column in made.columns)]
    return [title, table(head, *rows), nodes.paragraph(text=made.note)]


def ratio(entry: dict | None) -> str:
    return "" if entry is None else f"{entry['value']:.2f} ± {entry['spread']:.2f}"


def table(head: list, *body: list) -> nodes.table:
    """A docutils table of texts or nodes."""
    group = nodes.tgroup(cols=len(head))
    group += [nodes.colspec(colwidth=1) for _ in head]
    for part, rows in ((nodes.thead(), [head]), (nodes.tbody(), body)):
        for row in rows:
            line = nodes.row()
            for entry in row:
                if isinstance(entry, str):
                    entry = nodes.inline("", entry.replace("_", " "))
                line += nodes.entry("", nodes.paragraph("", "", entry))
            part += line
        group += part
    return nodes.table("", group)


def setup(app):
    app.add_directive("recorded", Recorded)
    app.add_directive("recorded-history", RecordedHistory)
    app.add_directive("paper-tables", PaperTables)
    app.add_directive("paper-claims", PaperClaims)
    return {"parallel_read_safe": True}
