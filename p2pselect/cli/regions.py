"""Look at the regions that images are divided into, before training anything.

p2pselect regions photos/ --out borders/ --segments 60
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from p2pselect.cli.files import add_on_error, file_names, find_images
from p2pselect.cli.outputs import output_files
from p2pselect.exceptions import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``p2pselect regions``."""
    parser.add_argument("images", nargs="+", metavar="IMAGES", help="files or folders")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="for PNG files")
    parser.add_argument("--engine", default="slic", help="default: slic")
    parser.add_argument("--segments", type=int, default=100, metavar="N", help="default: 100")
    parser.add_argument("--compactness", type=float, default=14.0, help="default: 14")
    parser.add_argument("--image-size", type=int, default=224, metavar="PIXELS")
    add_on_error(parser)


def run(options: argparse.Namespace) -> None:
    """Do what ``p2pselect regions`` says."""
    from PIL import Image
    from skimage.segmentation import mark_boundaries

    from p2pselect import SuperpixelTransformer

    if options.image_size < 1:
        raise InputError(f"--image-size must be at least 1, got {options.image_size}")
    images = find_images(options.images, options.on_error)
    transformer = SuperpixelTransformer(
        engine=options.engine, n_segments=options.segments, compactness=options.compactness
    )
    pictures = output_files(options.out, file_names(images), options.images)
    counts = []
    for number, file in enumerate(pictures):
        image = images.batch([number], options.image_size)
        labels = transformer.fit(image).propose_batch(image)[0]
        counts.append(int(labels.max()) + 1)
        drawn = mark_boundaries(image[0], labels, color=(1, 1, 0))
        picture = np.round(drawn * 255).astype(np.uint8)
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(file)
    print(
        f"{len(counts)} pictures in {options.out}; {min(counts)} to {max(counts)} regions each"
    )
