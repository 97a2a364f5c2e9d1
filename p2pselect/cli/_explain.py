"""Show what a model looked at: an HTML report, PNG panels, mask files.

p2pselect explain leaves.model photos/ --html report.html
p2pselect explain leaves.model photos/ --png panels/ --masks masks/ --certainty .9
"""

from __future__ import annotations

import argparse
import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from p2pselect._optional import need
from p2pselect.atomic_write import (
    atomic_open,
    check_writable_file,
    check_writable_folder,
    write_json,
)
from p2pselect.cli._arguments import add_certainty, add_on_error
from p2pselect.cli._outputs import check_apart, output_files
from p2pselect.exceptions import InputError

if TYPE_CHECKING:
    import numpy as np

    from p2pselect import Explanation

#: What a row of the JSON calls the file that an option wrote.
_ROWS = {"--png": "figure", "--masks": "mask"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``p2pselect explain``."""
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("images", nargs="+", metavar="IMAGES", help="files or folders")
    parser.add_argument("--html", type=Path, metavar="FILE", help="one interactive page")
    parser.add_argument("--png", type=Path, metavar="DIR", help="one figure per image")
    parser.add_argument(
        "--masks",
        type=Path,
        metavar="DIR",
        help="one mask per image, of the image's size, white where it is kept",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="numbers of every image")
    add_certainty(parser)
    add_on_error(parser)


def run(options: argparse.Namespace) -> None:
    """Do what ``p2pselect explain`` says."""
    _check_places(options)
    from p2pselect.cli._files import file_names, find_images, load_model

    model = load_model(options.model, options.certainty)
    images = find_images(options.images, options.on_error)
    files = file_names(images)
    written = {
        option: output_files(folder, files, options.images)
        for option, folder in (("--png", options.png), ("--masks", options.masks))
        if folder
    }
    single = {"--html": options.html, "--json": options.json}
    all_files = {option: [file] for option, file in single.items() if file} | written
    check_apart(all_files, files)
    sizes: Any = images.sizes() if written else ()
    exp = model.explain(images)
    labels = labels_of(files, exp.classes)
    if options.html:
        exp.to_html(options.html, y=labels, names=files)
        print(options.html)
    for option, write in (("--png", write_figure), ("--masks", write_mask)):
        for number, file in enumerate(written.get(option, ())):
            write(file, exp[number], sizes[number])
        if option in written:
            print(f"{len(files)} {_ROWS[option]}s in {getattr(options, option[2:])}")
    if options.json:
        write_json(options.json, _rows(exp, files, labels, written))
    print(
        f"{len(files)} images: kept {exp.kept_fraction.mean():.1%} of the pixels, "
        f"certain on {exp.certainty_reached.mean():.1%}"
    )


def _check_places(options: argparse.Namespace) -> None:
    """Find out before the work what could not be written."""
    if not (options.html or options.png or options.masks or options.json):
        raise InputError(
            "say what to write: --html FILE, --png DIR, --masks DIR or --json FILE"
        )
    for option, file in (("--html", options.html), ("--json", options.json)):
        if file:
            check_writable_file(file, option)
    for option, folder in (("--png", options.png), ("--masks", options.masks)):
        if folder:
            check_writable_folder(folder, option)
    if options.png:
        need("matplotlib", "--png", "p2pselect[plots]")


def labels_of(files: Sequence[str], classes: np.ndarray) -> np.ndarray | None:
    """True labels of images in folders that are named like classes of the model.

    Parameters
    ----------
    files : sequence of n str
    classes : ndarray of shape (n_classes,)

    Returns
    -------
    ndarray of shape (n,), or None
        None unless every image is in such a folder.
    """
    place = {unicodedata.normalize("NFC", str(name)): i for i, name in enumerate(classes)}
    # Of the whole path, for "1.jpg" may have been named from inside of its folder.
    folders = [Path(os.path.abspath(file)).parent.name for file in files]  # noqa: PTH100
    names = [unicodedata.normalize("NFC", name) for name in folders]
    return classes[[place[name] for name in names]] if place.keys() >= {*names} else None


def write_figure(file: Path, exp: Explanation, size: tuple[int, int]) -> None:
    """Write the panels of one image, in the shape that the image has."""
    with atomic_open(file, "wb") as opened:
        exp.plot(0, size=size).savefig(opened, format="png", dpi=110)


def write_mask(file: Path, exp: Explanation, size: tuple[int, int]) -> None:
    """Write what was kept of one image, at the size of the image."""
    from PIL import Image

    (mask,) = exp.resized_masks([size])
    with atomic_open(file, "wb") as opened:
        Image.fromarray(mask.astype("uint8") * 255).save(opened, format="png")


def _rows(
    exp: Explanation,
    files: Sequence[str],
    labels: np.ndarray | None,
    written: dict[str, list[Path]],
) -> list[dict[str, Any]]:
    names = [str(name) for name in exp.predicted]
    kept = exp.kept_fraction
    return [
        {
            "image": file,
            "prediction": names[i],
            **({} if labels is None else {"label": str(labels[i])}),
            "certainty": float(exp.certainty[i]),
            "certainty_reached": bool(exp.certainty_reached[i]),
            "tau": float(exp.tau[i]),
            "kept_fraction": float(kept[i]),
            **{_ROWS[option]: str(paths[i]) for option, paths in written.items()},
        }
        for i, file in enumerate(files)
    ]
