"""Describe a saved model.

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
    from p2pselect.persistence import describe

    facts = describe(options.model)
    for name, value in facts.items():
        print(f"{name:20s} {value}")
    if options.json:
        write_json(options.json, facts, indent=2)
