"""Train, predict and explain real images, in a few minutes on a laptop.

Trains a small P2PClassifier and the same classifier on whole images, prints how
they compare on test images, and writes explanations as a PNG and as an
interactive HTML page. Without --data it generates its images: handwritten
digits pasted on photographs.

examples:
  p2pselect demo --out results
  p2pselect demo --data emoji_scenes --target scene --epochs 30
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from p2pselect._optional import need
from p2pselect.atomic_write import atomic_open, write_json
from p2pselect.cli._arguments import add_shared, check_outputs
from p2pselect.cli._evaluate import localization_figures
from p2pselect.exceptions import InputError

if TYPE_CHECKING:
    import numpy as np

#: Number of digit scenes that the demo generates, by split.
SIZES: tuple[tuple[int, Literal["train", "test"]], ...] = ((4000, "train"), (500, "test"))
#: Number of test images on the HTML page.
HTML_IMAGES = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``p2pselect demo``."""
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="a folder with labels.csv, train/ and test/ (the layout of emoji_scenes), or one "
        "with a subfolder of images per class (default: generated digit scenes)",
    )
    parser.add_argument(
        "--target",
        choices=("object", "scene"),
        default="object",
        help="what to predict (default: object)",
    )
    add_shared(
        parser,
        "--epochs",
        help="passes over the images (default: 20)",
    )
    add_shared(parser, "--seed", default=0, help="default: 0")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("p2pselect_demo"),
        metavar="DIR",
        help="folder for the PNG and the HTML page (default: p2pselect_demo)",
    )
    add_shared(parser, "--json")


@dataclass
class Split:
    """Images, labels and, if there are any, object masks."""

    images: Any
    target: np.ndarray
    masks: np.ndarray | None


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute in a single thread.

    Networks as small as those of the demo gain nothing from a second one.  With a single one,
    a seed gives the same figures whatever the number of cores: threads would add up numbers
    in another order.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def run(options: argparse.Namespace) -> None:
    """Do what ``p2pselect demo`` says."""
    # Said before the minutes of training, not after them.
    need("matplotlib", "the figures of the demo", "p2pselect[plots]")
    check_outputs(options, files=["--json"], folders=["--out"])
    with one_thread():
        _run(options)


def _run(options: argparse.Namespace) -> None:
    from p2pselect import P2PClassifier, presets
    from p2pselect.methods import BlackboxClassifier

    started = time.perf_counter()
    train, test = load(options.data, options.target, options.seed)
    # The test images are there to measure; every other one is there to learn from.
    settings = presets.SMALL | {
        "validation": None,
        "random_state": options.seed,
        "verbose": 1,
    }
    clf = P2PClassifier(**settings)
    set_epochs(clf, options.epochs or clf.max_epochs)
    print(f"{len(train.target)} training images, {len(test.target)} test images")
    print("P2P: a selector keeps some regions, and a classifier sees only those")
    clf.fit(train.images, train.target)
    print("black box: the same classifier sees whole images")
    blackbox = BlackboxClassifier(**presets.settings_for(BlackboxClassifier, settings))
    blackbox.set_params(max_epochs=clf.max_epochs).fit(train.images, train.target)
    exp = clf.explain(test.images)
    figures = measure(exp, test, blackbox)
    png, html = draw(exp, test, options.out, options.seed)
    figures["seconds"] = time.perf_counter() - started
    print(table(figures))
    print(f"\nLook at {png}\n    and {html}")
    if options.json:
        write_json(options.json, figures, indent=2)


def set_epochs(clf: Any, epochs: int) -> None:
    """Change the number of epochs, but not the share of warm-up: the selector needs it."""
    share = clf.get_params()["objective__warmup_epochs"] / clf.max_epochs
    clf.set_params(max_epochs=epochs, objective__warmup_epochs=round(share * epochs))


def load(root: Path | None, target: str, seed: int) -> tuple[Split, Split]:
    """Training and test images of the demo."""
    import numpy as np
    from sklearn.model_selection import train_test_split

    from p2pselect import datasets

    if root is not None and not (root / "labels.csv").is_file():
        images, labels = datasets.load_image_folder(root)
        rows = np.arange(len(labels))
        try:
            parts = train_test_split(rows, stratify=labels, random_state=seed)
        # A class of one image, for example, cannot be in both parts.
        except ValueError as error:
            raise InputError(f"{root} cannot be split into train and test: {error}") from error
        train, test = (Split(images[part], labels[part], None) for part in parts)
        return train, test
    options: dict[str, Any] = {"target": target}
    if root is None:
        options |= {"image_size": 64, "random_state": seed}
        made = [datasets.make_digit_scenes(n, split=split, **options) for n, split in SIZES]
    else:
        made = [datasets.load_emoji_scenes(root, split, **options) for _, split in SIZES]
    train, test = (
        # Names instead of codes, because figures and page show them.
        Split(part.images, np.asarray(part.target_names)[part.target], part.masks)
        for part in made
    )
    return train, test


def measure(exp: Any, test: Split, blackbox: Any) -> dict[str, float | None]:
    """The figures of the table; without object masks, those that need them are None."""
    import numpy as np

    from p2pselect.metrics._stops import answer_figures

    figures: dict[str, float | None] = {
        **answer_figures(exp.answered, exp.kept_fraction, exp.predicted == test.target),
        "blackbox_accuracy": float(np.mean(blackbox.predict(test.images) == test.target)),
    }
    return figures | localization_figures(exp.pixel_masks, test.masks)


def draw(exp: Any, test: Split, folder: Path, seed: int) -> tuple[Path, Path]:
    """Write the PNG page and the HTML report."""
    from p2pselect.explanations import plot_page

    png, html = folder / "explanations.png", folder / "explanations.html"
    page = plot_page(exp, test.target, random_state=seed, object_masks=test.masks)
    with atomic_open(png, "wb") as file:
        page.savefig(file, format="png", dpi=120)
    exp.to_html(
        html,
        y=test.target,
        object_masks=test.masks,
        max_images=HTML_IMAGES,
        title="p2pselect demo",
    )
    return png, html


def table(figures: dict[str, float | None]) -> str:
    """The figures as text, one per row."""
    rows = [
        ("accuracy, P2P", "accuracy"),
        ("accuracy, the same classifier on whole images", "blackbox_accuracy"),
        ("localization: kept pixels that are on the object", "localization"),
        ("    of a random mask", "random_localization"),
        ("    of a centered disc of the same size", "center_localization"),
        ("pixels kept", "kept_fraction"),
        ("images answered: as certain as was asked", "coverage"),
        ("    accuracy of these", "selective_accuracy"),
        ("    pixels kept of these", "answered_kept_fraction"),
    ]
    width = max(len(words) for words, _ in rows)
    lines = ["", "on the test images", "-" * (width + 9)]
    for words, name in rows:
        value = figures[name]
        # Of nothing that is answered, nothing is right or wrong.
        shown = "no masks" if value is None else "–" if value != value else f"{value:.1%}"
        lines.append(f"{words.ljust(width)} {shown:>8}")
    lines.append(f"{'time'.ljust(width)} {figures['seconds']:>6.0f} s")
    return "\n".join(lines)
