"""``command-help``: what every command says about itself, read from the parser."""

import argparse
import os
from collections.abc import Iterator

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from p2pselect.cli._entrypoint import _parser


class CommandHelp(SphinxDirective):
    """A section for each command and action, with its ``--help``."""

    def run(self) -> list[nodes.Node]:
        # Which says how wide a terminal is.
        os.environ["COLUMNS"] = "90"
        return [_section(parser) for parser in _all_of(_parser())]


def _section(parser: argparse.ArgumentParser) -> nodes.section:
    section = nodes.section(ids=[nodes.make_id(parser.prog)], names=[parser.prog])
    help_text = parser.format_help()
    block = nodes.literal_block(help_text, help_text, language="text")
    section += [nodes.title("", parser.prog), block]
    return section


def _all_of(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _all_of(command)


def setup(app):
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True}
