"""Test whether a model predicts from regions, or from which regions it shows.

A judge, which has learned from random masks, reads the masked images, too.
See https://p2pselect.readthedocs.io/en/stable/how-to/audit.html

examples:
  p2pselect audit leaves.model leaves/train leaves/test --figure audit.png
  p2pselect audit leaves.model leaves/train leaves/test --masks-dir leaves/masks
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from p2pselect.atomic_write import write_json
from p2pselect.cli._arguments import add_shared, check_outputs
from p2pselect.exceptions import InputError


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
    add_shared(
        parser,
        "--epochs",
        help="the most epochs of the judge (default: ten times those of the model)",
    )
    add_shared(parser, "--seed", default=0, help="seed of the judge (default: 0)")
    add_shared(parser, "--max-pixels")


def run(options: argparse.Namespace) -> None:
    """Do what ``p2pselect audit`` says."""
    check_outputs(options, files=["--json", "--figure"])
    from p2pselect import audit, datasets
    from p2pselect.cli._files import load_model
    from p2pselect.methods import JudgeClassifier

    model = load_model(options.model, None)
    images, labels = _load(options.train, model)
    test_images, test_labels = _load(options.test, model)
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


def _load(folder: Path, model: Any) -> tuple[Any, Any]:
    """Images, and the classes of the model that their folders are named after."""
    import numpy as np

    from p2pselect import datasets
    from p2pselect.cli._files import hint_at_skipping

    images, names = datasets.load_image_folder(folder)
    with hint_at_skipping():
        images.check_readable(progress=True)
    known = {str(label): label for label in model.classes_.tolist()}
    if unknown := sorted(set(names.tolist()) - set(known)):
        raise InputError(
            f"{folder} has classes that the model does not know: {unknown[:5]}; "
            f"it knows {[*known][:10]}"
        )
    return images, np.array([known[name] for name in names.tolist()])
