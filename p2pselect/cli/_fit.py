"""Train a model on a folder of images with one subfolder per class.

examples:
  p2pselect fit leaves/train --out leaves.model
  p2pselect fit leaves/train --out leaves.model --epochs 40 --image-size 96 --flip
"""

from __future__ import annotations

import argparse
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from p2pselect.atomic_write import check_replaceable, is_empty_folder, write_json
from p2pselect.cli._arguments import add_shared, check_outputs, whole
from p2pselect.exceptions import InputError, P2PSelectWarning

if TYPE_CHECKING:
    import numpy as np

    from p2pselect import ImageSequence, P2PClassifier

#: Networks with random weights need this many steps, however few images there are.
_STEPS = 2000
#: Number of training images that the finished model is tried on; cheaper than an epoch.
_N_TRIED = 64
#: A share of the pixels that is as good as none.
_ALMOST_NONE = 0.005


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``p2pselect fit``."""
    add_shared(parser, "folder")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="MODEL", help="folder for the trained model"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the model that MODEL already holds"
    )
    parser.add_argument(
        "--preset",
        choices=("small", "paper"),
        default="small",
        help="small networks for CPUs, or those of the paper for GPUs (default: small)",
    )
    add_shared(
        parser,
        "--epochs",
        help="passes over the images (default: that of the preset, or more if images are few)",
    )
    add_shared(
        parser,
        "--image-size",
        help="side of the square to which images are resized (default: that of the preset)",
    )
    add_shared(
        parser,
        "--segments",
        help="approximate number of regions per image (default: that of the preset)",
    )
    parser.add_argument(
        "--flip", action="store_true", help="mirror images at random instead of shifting them"
    )
    parser.add_argument(
        "--workers",
        type=whole(0),
        default=0,
        metavar="N",
        help="number of processes that read images (default: 0, none besides the command)",
    )
    add_shared(parser, "--seed")
    parser.add_argument(
        "--checkpoints",
        type=Path,
        metavar="DIR",
        help="keep the state of training here, so that the same command continues after it "
        "was stopped",
    )
    add_shared(parser, "--json", help="write the history of the training as JSON")
    add_shared(parser, "--on-error", "--max-pixels")


def run(options: argparse.Namespace) -> None:
    """Do what ``p2pselect fit`` says."""
    _check_places(options)
    from p2pselect import P2PClassifier, SuperpixelTransformer, datasets, presets
    from p2pselect.cli._files import drop_unreadable, hint_at_skipping

    settings: dict[str, Any] = {
        **(presets.SMALL if options.preset == "small" else {}),
        "random_state": options.seed,
        "training__num_workers": options.workers,
        "training__checkpoint_dir": options.checkpoints,
        "verbose": 1,
    }
    if options.image_size is not None:
        settings["image_size"] = options.image_size
    if options.segments is not None:
        settings["regions"] = SuperpixelTransformer(n_segments=options.segments)
    if options.flip:
        settings["augment"] = "flip"
    images, labels = datasets.load_image_folder(options.folder)
    if options.on_error == "skip":
        images, labels = drop_unreadable(images, labels)
    counts = Counter(labels.tolist())
    named = ", ".join(f"{label} {count}" for label, count in sorted(counts.items()))
    print(f"{len(labels)} images, {len(counts)} classes: {named[:200]}")
    clf = P2PClassifier().set_params(**settings)
    epochs = options.epochs
    if epochs is None and options.preset == "small":
        epochs = max(clf.max_epochs, -(-_STEPS * clf.batch_size // len(labels)))
    if epochs is not None:
        set_epochs(clf, epochs)
    with hint_at_skipping():
        clf.fit(images, labels)
    learned = len(clf.history_)
    if clf.interrupted_ and not learned:
        raise KeyboardInterrupt("interrupted within the first epoch: nothing is saved")
    # Before anything else that could fail: the training may have taken hours.
    clf.save(options.out)
    rows = [
        # A row of the history also lists the batches of its epoch.
        {k: v for k, v in row.items() if isinstance(v, (int, float, str))}
        for row in clf.history_.to_list()
    ]
    if options.json:
        write_json(options.json, rows)
    if clf.interrupted_:
        raise KeyboardInterrupt(
            f"interrupted after {learned} of {clf.max_epochs} epochs; what was learned by then "
            f"is saved in {options.out}"
        )
    say_what_it_learned(clf, images, labels)
    print(f"saved {options.out}; next: p2pselect evaluate {options.out} DIR")


def set_epochs(clf: P2PClassifier, epochs: int) -> None:
    """Change the number of epochs, but not the share of warm-up: the selector needs it."""
    share = clf.get_params()["objective__warmup_epochs"] / clf.max_epochs
    clf.set_params(max_epochs=epochs, objective__warmup_epochs=round(share * epochs))


def say_what_it_learned(clf: P2PClassifier, images: ImageSequence, labels: np.ndarray) -> None:
    """Print how the model does on a few of its training images, and warn if it is useless."""
    import numpy as np

    # Evenly spaced, so that every class takes part: the images are sorted by class.
    rows = np.unique(np.linspace(0, len(labels) - 1, _N_TRIED).round().astype(int))
    exp = clf.explain(images[rows])
    right = np.mean(exp.predicted.astype(str) == labels[rows])
    kept = exp.kept_fraction.mean()
    print(
        f"on {len(rows)} of the training images: {right:.1%} right, "
        f"{kept:.1%} of the pixels kept"
    )
    most = max(Counter(labels[rows].tolist()).values()) / len(rows)
    faults = {
        f"is right no more often than one that always names the same class ({most:.1%})": (
            right <= most
        ),
        "keeps everything, so its masks explain nothing": kept > 1 - _ALMOST_NONE,
        "keeps nothing, so it can only guess": kept < _ALMOST_NONE,
    }
    if found := [words for words, is_so in faults.items() if is_so]:
        warnings.warn(
            f"on its own training images the model {' and '.join(found)}: check the labels, "
            "then try more epochs (--epochs), larger images (--image-size) or other regions "
            "(--segments)",
            P2PSelectWarning,
            stacklevel=2,
        )


def _check_places(options: argparse.Namespace) -> None:
    check_replaceable(options.out, "config.json", "a saved model", "--out")
    if options.out.exists() and not is_empty_folder(options.out) and not options.overwrite:
        raise InputError(
            f"--out: {options.out} already holds a model; --overwrite replaces it once the "
            "new one is trained"
        )
    check_outputs(options, files=["--json"], folders=["--checkpoints"])
