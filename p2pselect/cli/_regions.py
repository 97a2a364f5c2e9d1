"""Show the regions that images are divided into, before anything is trained.

examples:
  p2pselect regions photos/ --out borders/ --segments 60
  p2pselect regions cells/ --out borders/ --channels 5 --value-range 0:4095
  p2pselect regions --table leaves/labels.csv --out borders/
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from p2pselect.cli._arguments import (
    add_meaning,
    add_shared,
    check_outputs,
    meaning_of,
    not_negative,
)
from p2pselect.cli._outputs import check_apart, output_files, write_png
from p2pselect.cli._tables import add_table, rows_of

#: The longer side of a picture has at most this many pixels, so that the lines are visible.
_MOST_PIXELS = 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``p2pselect regions``."""
    add_shared(parser, "images")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for one PNG per image"
    )
    parser.add_argument(
        "--engine", default="slic", help="algorithm that finds the regions (default: slic)"
    )
    add_shared(parser, "--segments", default=100)
    parser.add_argument(
        "--compactness",
        type=not_negative,
        default=14.0,
        metavar="C",
        help="higher values make regions rounder (default: 14)",
    )
    add_shared(
        parser,
        "--image-size",
        default=224,
        help="side of the square in which regions are found, as in a model (default: 224)",
    )
    add_meaning(parser)
    add_shared(parser, "--on-error", "--max-pixels")
    add_table(parser, "images", usual="train")


def run(options: argparse.Namespace) -> None:
    """Do what ``p2pselect regions`` says."""
    check_outputs(options, folders=["--out"])
    places = rows_of(options, "images", usual="train") or options.images
    import numpy as np
    from skimage.segmentation import mark_boundaries

    from p2pselect import SuperpixelTransformer
    from p2pselect.cli._files import find_images
    from p2pselect.explanations.figures._pixels import to_rgb
    from p2pselect.images._geometry import NO_REGION, Grid
    from p2pselect.images._meaning import check_display_channels

    images, files, _ = find_images(places, options.on_error, **meaning_of(options))
    check_display_channels(options.display_channels, images.seen_channels)
    transformer = SuperpixelTransformer(
        engine=options.engine, n_segments=options.segments, compactness=options.compactness
    )
    pictures = output_files(options.out, files, options.images or files)
    check_apart({"--out": pictures}, files)
    # Regions need no training: this checks the settings before any folder is made.
    transformer.fit(images[:1])
    grid = Grid.of(options.image_size, "pad")
    counts = []
    for number, file in enumerate(pictures):
        image, sizes = images._on_grid([number], grid)
        labels = transformer.propose_batch(image, grid.contents(sizes))[0]
        counts.append(int(labels.max()) + 1)
        shape = _picture_shape(sizes[0], options.image_size)
        large = to_rgb(images.batch([number], shape)[0], options.display_channels)
        borders = grid.place(sizes[0]).back(labels, NO_REGION, shape)
        drawn = mark_boundaries(large, borders, color=(1, 1, 0))
        write_png(file, np.round(drawn * 255).astype(np.uint8))
    print(
        f"{len(counts)} pictures in {options.out}, with {min(counts)} to {max(counts)} regions "
        "each"
    )


def _picture_shape(size: Sequence[int], least: int) -> tuple[int, int]:
    """Height and width of a picture with the shape of its image, neither tiny nor huge."""
    height, width = map(int, size)
    longer = max(height, width)
    scale = max(least, min(_MOST_PIXELS, longer)) / longer
    return max(1, round(scale * height)), max(1, round(scale * width))
