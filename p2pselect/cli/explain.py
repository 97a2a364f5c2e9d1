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
    unique_stems,
    write_json,
)
from p2pselect.exceptions import InputError


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
    exp = model.explain(images)
    stems = unique_stems(files)
    if options.html:
        options.html.parent.mkdir(parents=True, exist_ok=True)
        exp.to_html(options.html, names=files)
        print(options.html)
    if options.png:
        options.png.mkdir(parents=True, exist_ok=True)
        for number, stem in enumerate(stems):
            exp.plot(number).savefig(options.png / f"{stem}.png", dpi=110)
        print(f"{len(stems)} figures in {options.png}")
    if options.masks:
        from PIL import Image

        options.masks.mkdir(parents=True, exist_ok=True)
        for stem, mask in zip(stems, exp.pixel_masks, strict=True):
            Image.fromarray(mask.astype(np.uint8) * 255).save(options.masks / f"{stem}.png")
        print(f"{len(stems)} masks in {options.masks}")
    rows = [
        {
            "image": file,
            "prediction": str(exp.predicted[i]),
            "certainty": float(exp.certainty[i]),
            "certainty_reached": bool(exp.certainty_reached[i]),
            "tau": float(exp.tau[i]),
            "kept_fraction": float(exp.kept_fraction[i]),
        }
        for i, file in enumerate(files)
    ]
    write_json(options.json, rows)
    print(
        f"{len(files)} images: kept {exp.kept_fraction.mean():.1%} of the pixels, "
        f"certain on {exp.certainty_reached.mean():.1%}"
    )
