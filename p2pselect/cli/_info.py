"""Say what a saved model is.

p2pselect info leaves.model
"""

from __future__ import annotations

import argparse
from pathlib import Path

from p2pselect.atomic_write import check_writable_file, write_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``p2pselect info``."""
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write it as JSON")


def run(options: argparse.Namespace) -> None:
    """Do what ``p2pselect info`` says."""
    if options.json:
        check_writable_file(options.json, "--json")
    from p2pselect.persistence import describe

    facts = describe(options.model)
    for name, value in facts.items():
        print(f"{name:20s} {value}")
    if options.json:
        write_json(options.json, facts, indent=2)
