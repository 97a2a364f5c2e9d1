"""Predict the classes of images, as CSV or JSON.

p2pselect predict leaves.model photos/ > predictions.csv
p2pselect predict leaves.model one.jpg two.png --format json
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path

from p2pselect.cli.files import (
    add_certainty,
    add_on_error,
    file_names,
    find_images,
    load_model,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``p2pselect predict``."""
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("images", nargs="+", metavar="IMAGES", help="files or folders")
    parser.add_argument("--format", choices=("csv", "json"), default="csv")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: standard output")
    add_certainty(parser)
    add_on_error(parser)


def run(options: argparse.Namespace) -> None:
    """Do what ``p2pselect predict`` says."""
    model = load_model(options.model, options.certainty)
    images = find_images(options.images, options.on_error)
    proba = model.predict_proba(images)
    names = [str(label) for label in model.classes_]
    rows = [
        {
            "image": file,
            "prediction": names[int(p.argmax())],
            "certainty": round(float(p.max()), 6),
            **{
                f"p({name})": round(float(value), 6)
                for name, value in zip(names, p, strict=True)
            },
        }
        for file, p in zip(file_names(images), proba, strict=True)
    ]
    if options.out is None:
        _write(sys.stdout, rows, options.format)
    else:
        with options.out.open("w", encoding="utf-8", newline="") as file:
            _write(file, rows, options.format)


def _write(file, rows: list[dict], form: str) -> None:  # type: ignore[no-untyped-def]
    if form == "json":
        json.dump(rows, file, indent=1, ensure_ascii=False)
        file.write("\n")
        return
    writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
