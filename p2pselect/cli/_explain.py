"""Show what a model looked at: an HTML report, PNG figures, mask files.

examples:
  p2pselect explain leaves.model photos/ --html report.html
  p2pselect explain leaves.model photos/ --png figures/ --certainty .9
"""

from __future__ import annotations

import argparse
import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from p2pselect._optional import need
from p2pselect.atomic_write import atomic_open, write_json
from p2pselect.cli._arguments import add_shared, check_outputs
from p2pselect.cli._outputs import check_apart, output_files, write_png
from p2pselect.exceptions import InputError

if TYPE_CHECKING:
    import numpy as np

    from p2pselect import Explanation

#: What a row of the JSON calls the file that an option wrote.
_ROWS = {"--png": "figure", "--masks": "mask"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``p2pselect explain``."""
    add_shared(parser, "model", "images")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write one interactive page")
    parser.add_argument("--png", type=Path, metavar="DIR", help="write a figure for each image")
    parser.add_argument(
        "--masks",
        type=Path,
        metavar="DIR",
        help="write a mask for each image, of the same size, white where pixels are kept",
    )
    add_shared(parser, "--json", help="write the numbers of each image")
    add_shared(parser, "--certainty", "--on-error", "--max-pixels")


def run(options: argparse.Namespace) -> None:
    """Do what ``p2pselect explain`` says."""
    if not (options.html or options.png or options.masks or options.json):
        raise InputError(
            "say what to write: --html FILE, --png DIR, --masks DIR or --json FILE"
        )
    check_outputs(options, files=["--html", "--json"], folders=["--png", "--masks"])
    if options.png:
        need("matplotlib", "--png", "p2pselect[plots]")
    from p2pselect.cli._files import find_images, load_model

    model = load_model(options.model, options.certainty)
    images, files = find_images(options.images, options.on_error)
    written = {
        option: output_files(folder, files, options.images)
        for option, folder in (("--png", options.png), ("--masks", options.masks))
        if folder
    }
    single = {"--html": options.html, "--json": options.json}
    check_apart({option: [file] for option, file in single.items() if file} | written, files)
    exp = model.explain(images)
    labels = labels_of(files, exp.classes)
    if options.html:
        exp.to_html(options.html, y=labels, names=files)
        print(options.html)
    for option, write in (("--png", write_figure), ("--masks", write_mask)):
        for number, file in enumerate(written.get(option, ())):
            write(file, exp[number])
        if option in written:
            print(f"{len(files)} {_ROWS[option]}s in {getattr(options, option[2:])}")
    if options.json:
        write_json(options.json, _rows(exp, files, labels, written))
    print(
        f"{len(files)} images: kept {exp.kept_fraction.mean():.1%} of the pixels, "
        f"certain about {exp.certainty_reached.mean():.1%} of the images"
    )


def labels_of(files: Sequence[str], classes: np.ndarray) -> np.ndarray | None:
    """The true labels (n,), if every image is in a folder that is named like a class."""
    place = {unicodedata.normalize("NFC", str(name)): i for i, name in enumerate(classes)}
    # Absolute paths, because "1.jpg" may have been named from within its folder.
    folders = [Path(os.path.abspath(file)).parent.name for file in files]  # noqa: PTH100
    names = [unicodedata.normalize("NFC", name) for name in folders]
    return classes[[place[name] for name in names]] if place.keys() >= {*names} else None


def write_figure(file: Path, exp: Explanation) -> None:
    """Write the panels of one image, with the aspect ratio of the image."""
    height, width = exp.original_sizes[0].tolist()  # type: ignore[index]
    with atomic_open(file, "wb") as opened:
        exp.plot(0, size=(height, width)).savefig(opened, format="png", dpi=110)


def write_mask(file: Path, exp: Explanation) -> None:
    """Write what was kept of one image, in the size of the image."""
    (mask,) = exp.masks_at_original_size()
    write_png(file, mask.astype("uint8") * 255)


def _rows(
    exp: Explanation,
    files: Sequence[str],
    labels: np.ndarray | None,
    written: dict[str, list[Path]],
) -> list[dict[str, Any]]:
    predicted, kept = exp.predicted, exp.kept_fraction
    return [
        {
            "image": file,
            "prediction": str(predicted[i]),
            **({} if labels is None else {"label": str(labels[i])}),
            "certainty": float(exp.certainty[i]),
            "certainty_reached": bool(exp.certainty_reached[i]),
            "tau": float(exp.tau[i]),
            "kept_fraction": float(kept[i]),
            **{_ROWS[option]: str(paths[i]) for option, paths in written.items()},
        }
        for i, file in enumerate(files)
    ]
