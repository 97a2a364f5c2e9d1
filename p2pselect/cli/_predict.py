"""Predict the classes of images, with the share that was seen, as CSV or JSON.

examples:
  p2pselect predict leaves.model photos/ > predictions.csv
  p2pselect predict leaves.model one.jpg two.png --format json
  p2pselect predict leaves.model photos/ --certainty .99 --reject "not answered"
  p2pselect predict leaves.model --table leaves/labels.csv > predictions.csv
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from p2pselect.atomic_write import atomic_open, strict_json
from p2pselect.cli._answers import answers_in_words, label_cells
from p2pselect.cli._arguments import add_shared, check_outputs
from p2pselect.cli._explain import true_labels_of
from p2pselect.cli._outputs import check_apart
from p2pselect.cli._tables import add_table, rows_of

if TYPE_CHECKING:
    from p2pselect.images import ImageSequence

_BATCHES = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``p2pselect predict``."""
    add_shared(parser, "model", "images")
    parser.add_argument("--format", choices=("csv", "json"), default="csv", help="default: csv")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: standard output")
    parser.add_argument(
        "--reject",
        metavar="LABEL",
        help="what to write as the prediction for images that are not answered (default: their "
        "most probable class)",
    )
    add_shared(parser, "--certainty", "--on-error", "--max-pixels")
    add_table(parser, "images", usual="test")


def run(options: argparse.Namespace) -> None:
    """Do what ``p2pselect predict`` says."""
    check_outputs(options, files=["--out"])
    places = rows_of(options, "images", usual="test") or options.images
    from p2pselect.cli._files import find_images, known_rows, load_model

    model = load_model(options.model, options.certainty)
    places = known_rows(model, places)
    found = find_images(places, options.on_error, **model._meaning(fitted=True))
    if options.out:
        check_apart({"--out": [options.out]}, found.files)
    rows = list(_rows(model, found.images, found.files))
    labels = true_labels_of(model, found.files, found.labels)
    said = _said(rows, None if labels is None else label_cells(labels, model.classes_))
    if options.reject is not None:
        rows = [
            row if row["answered"] else {**row, "prediction": options.reject} for row in rows
        ]
    if options.out is None:
        _write(sys.stdout, rows, options.format)
        sys.stdout.flush()
    else:
        # File names that are not UTF-8 come out byte for byte.
        with atomic_open(options.out, newline="", errors="surrogateescape") as file:
            _write(file, rows, options.format)
    # To standard error, because standard output may be the table.
    print(said, file=sys.stderr)


def _rows(model: Any, images: ImageSequence, files: Sequence[str]) -> Iterator[dict[str, Any]]:
    names = [str(label) for label in model.classes_]
    # A few batches at a time: an explanation holds the pixels of its images.
    step = _BATCHES * model.batch_size
    for start in range(0, len(images), step):
        exp = model.explain(images[start : start + step])
        # Computed for all images of the batches whenever it is asked for.
        predicted = label_cells(exp.predicted, exp.classes)
        certainty, kept = exp.certainty, exp.kept_fraction
        reasons = exp.unanswered_reasons
        for i in range(len(exp)):
            yield {
                "image": files[start + i],
                "prediction": predicted[i],
                "certainty": round(float(certainty[i]), 6),
                "answered": bool(exp.answered[i]),
                "unanswered_reasons": reasons[i],
                "kept_fraction": round(float(kept[i]), 6),
                **{
                    f"p({name})": round(float(value), 6)
                    for name, value in zip(names, exp.proba[i], strict=True)
                },
                **_set_of(exp, i, names),
            }


def _said(rows: Sequence[dict[str, Any]], true: Sequence[Any] | None) -> str:
    """One line about all rows, and what is right of them if the true labels are known."""
    import numpy as np

    answered, kept = (
        np.array([row[name] for row in rows]) for name in ("answered", "kept_fraction")
    )
    right = None
    if true is not None:
        right = np.array(
            [row["prediction"] == own for row, own in zip(rows, true, strict=True)]
        )
    return f"{len(rows)} images: {answers_in_words(answered, kept, right)}"


def _set_of(exp: Any, image: int, names: Sequence[str]) -> dict[str, list[str]]:
    """A column only of models that are calibrated for it."""
    if exp.prediction_sets is None:
        return {}
    members = zip(names, exp.prediction_sets[image], strict=True)
    return {"prediction_set": [name for name, is_in in members if is_in]}


def _write(file: IO[Any], rows: Sequence[dict[str, Any]], form: str) -> None:
    if form == "json":
        file.write(strict_json(rows, indent=1) + "\n")
        return
    writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: "|".join(v) if isinstance(v, list) else v for k, v in row.items()})
