"""Describe a saved model, in the words of its model card.

examples:
  p2pselect info leaves.model
"""

from __future__ import annotations

import argparse

from p2pselect.atomic_write import write_json
from p2pselect.cli._arguments import add_shared, check_outputs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``p2pselect info``."""
    add_shared(parser, "model", "--json")


def run(options: argparse.Namespace) -> None:
    """Do what ``p2pselect info`` says."""
    check_outputs(options, files=["--json"])
    from p2pselect._model_card import in_words
    from p2pselect.persistence import describe

    facts = describe(options.model)
    print(in_words(facts), end="")
    if options.json:
        write_json(options.json, facts, indent=2)
