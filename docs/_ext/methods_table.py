"""``methods-table``: every method with its class and its source, read from ``METHODS``."""

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

import p2pselect
from p2pselect.methods import METHODS


class MethodsTable(SphinxDirective):
    """One row for each method, in the order of the table."""

    def run(self) -> list[nodes.Node]:
        lines = [".. list-table::", "   :header-rows: 1", ""]
        for cells in (("method", "class", "source"), *self.rows()):
            lines += [f"   {'*' if not i else ' '} - {cell}" for i, cell in enumerate(cells)]
        return self.parse_text_to_nodes(StringList(lines, source="METHODS"))

    def rows(self) -> list[tuple[str, str, str]]:
        found = []
        for method in METHODS.values():
            name = method.cls.__name__
            home = "p2pselect" if name in p2pselect.__all__ else "p2pselect.methods"
            variant = f"; a variant of ``{method.variant_of}``" if method.variant_of else ""
            found.append((method.label, f":class:`~{home}.{name}`", method.source + variant))
        return found


def setup(app):
    app.add_directive("methods-table", MethodsTable)
    return {"parallel_read_safe": True}
