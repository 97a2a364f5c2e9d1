"""Test whether a model predicts from regions, or from which regions it shows.

A judge, which has learned from random masks, reads the masked images, too.
See https://p2pselect.readthedocs.io/en/stable/how-to/audit.html

examples:
  p2pselect audit leaves.model leaves/train leaves/test --html audit.html
  p2pselect audit leaves.model leaves/train leaves/test --masks-dir leaves/masks
  p2pselect audit leaves.model --table leaves/labels.csv
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from p2pselect.atomic_write import write_json
from p2pselect.cli._arguments import add_shared, check_outputs
from p2pselect.cli._tables import add_table, rows_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``p2pselect audit``."""
    add_shared(parser, "model")
    for name, whose in (("train", "that the judge learns from"), ("test", "new to the model")):
        parser.add_argument(
            name,
            type=Path,
            metavar=name.upper(),
            help=f"folder of images {whose}, with a subfolder per class",
        )
    add_shared(parser, "--masks-dir", "--json", "--figure")
    parser.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="also write one interactive page: the test images, and what the audit has found",
    )
    add_shared(
        parser,
        "--epochs",
        help="the most epochs of the judge (default: ten times those of the model)",
    )
    parser.add_argument(
        "--roar",
        action="store_true",
        help="also remove the model's regions from all images, and train classifiers on what "
        "is left: three for each area, and one more, each of which takes as long as the judge",
    )
    add_shared(parser, "--seed", default=0, help="seed of the judge (default: 0)")
    add_shared(parser, "--on-error", "--max-pixels")
    add_table(parser, "train", "test")


def run(options: argparse.Namespace) -> None:
    """Do what ``p2pselect audit`` says."""
    check_outputs(options, files=["--json", "--figure", "--html"])
    table = rows_of(options, "train", "test")
    places = [
        getattr(options, split) if table is None else replace(table, split=split)
        for split in ("train", "test")
    ]
    from p2pselect import audit
    from p2pselect.cli._explain import short_names
    from p2pselect.cli._files import labeled_for, load_model, object_masks
    from p2pselect.methods import JudgeClassifier

    model = load_model(options.model, None)
    (learned, labels), (new, test_labels) = (
        labeled_for(model, place, options.on_error) for place in places
    )
    if model.multilabel_:
        # The judge shall know them by the same names.
        labels = learned.target
    images, test_images = learned.images, new.images
    masks = object_masks(model, new, options.masks_dir)
    epochs = {} if options.epochs is None else {"max_epochs": options.epochs}
    judge = JudgeClassifier.like(model, random_state=options.seed, verbose=1, **epochs)
    found = audit(
        model,
        images,
        labels,
        test_images,
        test_labels,
        masks=masks,
        groups=new.groups,
        judge=judge,
        roar=options.roar,
    )
    print(found)
    if options.json:
        write_json(options.json, found.to_dict(), indent=2)
    if options.figure:
        display: Any = found.plot()
        display.figure_.savefig(options.figure, dpi=150, bbox_inches="tight")
    if options.html:
        assert test_images.files is not None
        model.explain(test_images).to_html(
            options.html,
            y=test_labels,
            names=short_names(test_images.files.tolist()),
            object_masks=masks,
            audit=found,
        )
