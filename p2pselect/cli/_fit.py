"""Train a model on a folder of photographs with one subfolder per class.

Two lines say which networks were chosen, and why. A tenth of the photographs is
held out, to say how often the model is right about new ones. A page beside the
model shows what it based its answers on.

examples:
  p2pselect fit leaves
  p2pselect fit leaves/train --validation leaves/val --out leaves.model
  p2pselect fit --table leaves/labels.csv
  p2pselect fit --table leaves/labels.csv --column label=rust,miner,phoma
  p2pselect fit leaves --backbone vit_small_patch14_dinov2 --frozen
  p2pselect fit leaves --weights weights/ --device cpu --seed 0
  p2pselect fit leaves --continue-from old.model --corrections marks.json
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from p2pselect.atomic_write import write_json
from p2pselect.cli._arguments import (
    add_meaning,
    add_shared,
    grid_size,
    held_out,
    meaning_of,
    positive,
    whole,
)
from p2pselect.cli._fit_places import check_places
from p2pselect.cli._tables import Rows, add_table, rows_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``p2pselect fit``."""
    # All of them in one line each would hide what everybody needs.
    parser.usage = "%(prog)s (DIR | --table CSV) [options]"
    add_shared(parser, "folder")
    add_table(parser, "folder", usual="train")
    _add_places(parser.add_argument_group("what is written"))
    _add_networks(parser.add_argument_group("networks"))
    _add_images(parser.add_argument_group("images"))
    _add_training(parser.add_argument_group("training"))


def _add_places(group: Any) -> None:
    group.add_argument(
        "--out",
        type=Path,
        metavar="MODEL",
        help="folder for the model (default: the name of DIR, with .model)",
    )
    group.add_argument(
        "--overwrite",
        action="store_true",
        help="replace the model that MODEL already holds, and its page",
    )
    group.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="page about the held-out images (default: that of MODEL, with .html)",
    )
    add_shared(group, "--json", help="write the history of the training as JSON")
    group.add_argument(
        "--checkpoints",
        type=Path,
        metavar="DIR",
        help="keep the state of training here, so that the same command continues after it "
        "was stopped",
    )


def _add_networks(group: Any) -> None:
    group.add_argument(
        "--preset",
        choices=("auto", "photos", "small", "paper"),
        default="auto",
        help="pretrained networks for photographs, small ones for tiny images, or the method "
        "as it was published, for GPUs (default: auto, which is photos or small)",
    )
    group.add_argument(
        "--backbone", metavar="NAME", help="timm model that both selects and classifies"
    )
    group.add_argument("--selector", metavar="NAME", help="timm model, or the paper's selector")
    group.add_argument("--classifier", metavar="NAME", help="timm model that classifies")
    group.add_argument(
        "--frozen",
        action="store_true",
        help="keep the pretrained weights and train heads alone, which is faster",
    )
    group.add_argument(
        "--label-masks",
        action="store_true",
        help="where images have several labels: give every label a mask of its own",
    )
    group.add_argument(
        "--weights",
        type=Path,
        metavar="DIR",
        help="folder of pretrained weights, named like timm models, for example "
        "mobilenetv2_100.safetensors (default: the local cache, or a download)",
    )
    group.add_argument(
        "--device",
        default="auto",
        metavar="NAME",
        help="cpu, cuda, mps, ... (default: auto, a GPU where there is one)",
    )


def _add_images(group: Any) -> None:
    group.add_argument(
        "--image-size",
        type=grid_size,
        metavar="N|HxW",
        help="side, or height and width, to which images are resized (default: chosen)",
    )
    group.add_argument(
        "--resize",
        choices=("pad", "crop", "stretch"),
        help="what happens to images of another aspect: black borders, cut off ends, or a "
        "changed aspect (default: pad)",
    )
    add_shared(
        group,
        "--segments",
        help="approximate number of regions per image (default: that of the preset)",
    )
    group.add_argument(
        "--flip",
        action="store_true",
        help="mirror images at random, and change them in no other way",
    )
    add_meaning(group)
    group.add_argument(
        "--normalization",
        choices=("pretrained", "measured"),
        help="mean and standard deviation that networks subtract and divide by: those that "
        "pretrained weights expect, or those of each channel of the images (default: "
        "pretrained)",
    )
    add_shared(group, "--fill", "--on-error", "--max-pixels")
    group.add_argument(
        "--workers",
        type=whole(0),
        default=0,
        metavar="N",
        help="number of processes that read images (default: 0, none besides the command)",
    )


def _add_training(group: Any) -> None:
    add_shared(group, "--epochs", help="passes over the images (default: chosen)")
    group.add_argument(
        "--validation",
        type=held_out,
        default="auto",
        metavar="SHARE|DIR|none",
        help="what is held out to measure the model on: a share of the images, or another "
        "folder with the same classes (default: the validation rows of a table; otherwise a "
        "tenth, if that is at least 50 images)",
    )
    group.add_argument(
        "--lr",
        type=positive,
        metavar="RATE",
        help="largest learning rate (default: that of the preset)",
    )
    group.add_argument(
        "--patience",
        type=whole(1),
        metavar="N",
        help="stop early, after N epochs in which the loss of the held-out images was not the "
        "lowest, and keep the best epoch; the learning rate is then constant",
    )
    group.add_argument(
        "--class-weight",
        choices=("balanced",),
        help="let rare classes count as much as frequent ones",
    )
    group.add_argument(
        "--corrections",
        type=Path,
        metavar="FILE",
        help="learn from what was marked as wrong or missing, in a report or in the app",
    )
    group.add_argument(
        "--continue-from",
        type=Path,
        metavar="MODEL",
        help="go on training this model, by default for a quarter of its epochs",
    )
    add_shared(group, "--seed")


def run(options: argparse.Namespace) -> None:
    """Do what ``p2pselect fit`` says."""
    place = rows_of(options, "folder", usual="train") or options.folder
    out, html = check_places(options)
    from p2pselect import P2PClassifier
    from p2pselect.cli._corrections import masks_for, model_to_correct
    from p2pselect.cli._files import Labeled, drop_unreadable, hint_at_skipping, labeled_images
    from p2pselect.cli._trained import describe_model
    from p2pselect.datasets import read_corrections

    # Before the images, because a mistake in it is found at once.
    corrections = read_corrections(options.corrections) if options.corrections else []
    given, meaning = _given(options), meaning_of(options)

    def read(where: Path | Rows) -> Labeled:
        found = labeled_images(where, options.on_error, **meaning)
        return drop_unreadable(found) if options.on_error == "skip" else found

    found = read(place)
    images, labels, counts = found.images, found.target, found.counts
    apart: Path | Rows | None = None
    if isinstance(options.validation, Path):
        apart = options.validation
    elif options.validation == "auto" and isinstance(place, Rows):
        apart = place.of_split("validation")
    if apart is not None:
        if images.value_range is not None:
            meaning["value_range"] = images.value_range
        held_out = read(apart)
        given["validation"] = held_out.images, held_out.target
    named = ", ".join(f"{label} {count}" for label, count in counts.items())
    kind = "classes" if found.label_names is None else "labels"
    print(f"{len(labels)} images, {len(counts)} {kind}: {named[:200]}")
    if options.continue_from:
        clf = model_to_correct(options.continue_from, given)
    else:
        settings = _chosen(images, labels, options.preset, given)
        clf = P2PClassifier().set_params(**settings)
    masks = masks_for(clf, corrections, found) if options.corrections else None
    before = len(clf.history_) if options.continue_from else 0
    with hint_at_skipping():
        clf.set_params(verbose=1).fit(images, labels, groups=found.groups, masks=masks)
    learned = len(clf.history_) - before
    if clf.interrupted_ and not learned:
        raise KeyboardInterrupt("interrupted within the first epoch: nothing is saved")
    # Before anything else that could fail: the training may have taken hours.
    clf.save(out)
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
            f"is saved in {out}"
        )
    describe_model(clf, images, found.labels, html)
    print(f"saved the model in {out}")
    print(f"next: p2pselect explain {out} PHOTOS --html more.html")


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """Settings that the options name."""
    from p2pselect import SuperpixelTransformer

    settings: dict[str, Any] = {
        "selector": options.selector or options.backbone,
        "classifier": options.classifier or options.backbone,
        "pretrained": options.weights,
        "resize": options.resize,
        "image_size": options.image_size,
        "max_epochs": options.epochs,
        "lr": options.lr,
        "class_weight": options.class_weight,
        "random_state": options.seed,
        "device": options.device,
        "training__num_workers": options.workers,
        "training__patience": options.patience,
        "training__checkpoint_dir": options.checkpoints,
        "augment": "flip" if options.flip else None,
        "networks__frozen_share": 1.0 if options.frozen else None,
        "networks__fill": options.fill,
        "networks__label_masks": options.label_masks or None,
        "images__display_channels": options.display_channels,
        "images__normalization": options.normalization,
        **{f"images__{name}": value for name, value in meaning_of(options).items()},
    }
    if options.segments is not None:
        settings["regions"] = SuperpixelTransformer(n_segments=options.segments)
    if options.patience is not None:
        # A falling rate does its work in the last epochs, which would never come.
        settings["training__lr_schedule"] = "constant"
    given = {name: value for name, value in settings.items() if value is not None}
    # None means something here.
    return given | {"validation": options.validation}


def _chosen(images: Any, labels: Any, preset: str, given: dict[str, Any]) -> dict[str, Any]:
    """All settings: those given, and what goes with them."""
    from p2pselect import presets

    if preset == "paper":
        # The same for all data sets of the paper but two.
        return {**presets.PAPER["coco10"], **given}
    chosen = presets.suited_to(images, labels, preset=preset, **given)
    # Before the progress bar: a training that takes minutes should say what it does.
    print(chosen, flush=True)
    return dict(chosen)
