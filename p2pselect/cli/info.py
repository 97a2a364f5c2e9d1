"""Say what a saved model is.

p2pselect info leaves.model
"""

from __future__ import annotations

import argparse
from pathlib import Path

from p2pselect.cli.files import load_model, write_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``p2pselect info``."""
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write it as JSON")


def run(options: argparse.Namespace) -> None:
    """Do what ``p2pselect info`` says."""
    model = load_model(options.model, None)
    parts = {
        name: sum(p.numel() for p in part.parameters())
        for name, part in model.module_.named_children()
    }
    facts = {
        "class": type(model).__name__,
        "classes": [str(label) for label in model.classes_],
        "image_size": model.image_size,
        "regions": str(model.regions),
        "certainty_threshold": model.certainty_threshold,
        "parameters": parts,
    }
    for name, value in facts.items():
        print(f"{name:20s} {value}")
    write_json(options.json, facts)
