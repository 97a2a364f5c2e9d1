"""Test whether a model predicts from regions, or from which regions it shows.

A judge, which has learned from random masks, reads the masked images, too.
See https://p2pselect.readthedocs.io/en/stable/how-to/audit.html

examples:
  p2pselect audit leaves.model leaves/train leaves/test --html audit.html
  p2pselect audit leaves.model leaves/train leaves/test --masks-dir leaves/masks
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from p2pselect.atomic_write import write_json
from p2pselect.cli._arguments import add_shared, check_outputs


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
    add_shared(parser, "--seed", default=0, help="seed of the judge (default: 0)")
    add_shared(parser, "--on-error", "--max-pixels")


def run(options: argparse.Namespace) -> None:
    """Do what ``p2pselect audit`` says."""
    check_outputs(options, files=["--json", "--figure", "--html"])
    from p2pselect import audit, datasets
    from p2pselect.cli._explain import short_names
    from p2pselect.cli._files import labeled_for, load_model
    from p2pselect.methods import JudgeClassifier

    model = load_model(options.model, None)
    images, _, labels = labeled_for(model, options.train, options.on_error)
    test_images, _, test_labels = labeled_for(model, options.test, options.on_error)
    masks = None
    if options.masks_dir is not None:
        masks = datasets.load_mask_folder(
            options.masks_dir,
            test_images,
            model.image_size,
            resize=model.resize,
            missing="skip",
        )
    epochs = {} if options.epochs is None else {"max_epochs": options.epochs}
    judge = JudgeClassifier.like(model, random_state=options.seed, verbose=1, **epochs)
    found = audit(model, images, labels, test_images, test_labels, masks=masks, judge=judge)
    print(found)
    if options.json:
        write_json(options.json, found.to_dict(), indent=2)
    if options.figure:
        display: Any = found.plot()
        display.figure_.savefig(options.figure, dpi=150, bbox_inches="tight")
    if options.html:
        model.explain(test_images).to_html(
            options.html,
            y=test_labels,
            names=short_names(test_images.files.tolist()),
            object_masks=masks,
            audit=found,
        )
