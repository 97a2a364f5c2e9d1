"""Show what a model looked at: an HTML report, PNG panels, mask files.

p2pselect explain leaves.model photos/ --html report.html
p2pselect explain leaves.model photos/ --png panels/ --masks masks/ --certainty .9
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from p2pselect.cli.files import (
    add_certainty,
    add_on_error,
    file_names,
    find_images,
    load_model,
    write_json,
)
from p2pselect.cli.outputs import check_apart, output_files
from p2pselect.exceptions import InputError

#: What a row of the JSON calls the file that an option wrote.
_ROWS = {"--png": "figure", "--masks": "mask"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``p2pselect explain``."""
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("images", nargs="+", metavar="IMAGES", help="files or folders")
    parser.add_argument("--html", type=Path, metavar="FILE", help="one interactive page")
    parser.add_argument("--png", type=Path, metavar="DIR", help="one figure per image")
    parser.add_argument(
        "--masks", type=Path, metavar="DIR", help="one mask per image, kept white"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="figures of every image")
    add_certainty(parser)
    add_on_error(parser)


def run(options: argparse.Namespace) -> None:
    """Do what ``p2pselect explain`` says."""
    if not (options.html or options.png or options.masks or options.json):
        raise InputError(
            "say what to write: --html FILE, --png DIR, --masks DIR or --json FILE"
        )
    model = load_model(options.model, options.certainty)
    images = find_images(options.images, options.on_error)
    files = file_names(images)
    written = {
        option: output_files(folder, files, options.images)
        for option, folder in (("--png", options.png), ("--masks", options.masks))
        if folder
    }
    check_apart(written)
    exp = model.explain(images)
    if options.html:
        options.html.parent.mkdir(parents=True, exist_ok=True)
        exp.to_html(options.html, names=files)
        print(options.html)
    if options.png:
        for number, file in enumerate(written["--png"]):
            file.parent.mkdir(parents=True, exist_ok=True)
            exp.plot(number).savefig(file, dpi=110)
        print(f"{len(files)} figures in {options.png}")
    if options.masks:
        from PIL import Image

        for file, mask in zip(written["--masks"], exp.pixel_masks, strict=True):
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask.astype(np.uint8) * 255).save(file)
        print(f"{len(files)} masks in {options.masks}")
    rows = [
        {
            "image": file,
            "prediction": str(exp.predicted[i]),
            "certainty": float(exp.certainty[i]),
            "certainty_reached": bool(exp.certainty_reached[i]),
            "tau": float(exp.tau[i]),
            "kept_fraction": float(exp.kept_fraction[i]),
            **{_ROWS[option]: str(paths[i]) for option, paths in written.items()},
        }
        for i, file in enumerate(files)
    ]
    write_json(options.json, rows)
    print(
        f"{len(files)} images: kept {exp.kept_fraction.mean():.1%} of the pixels, "
        f"certain on {exp.certainty_reached.mean():.1%}"
    )
