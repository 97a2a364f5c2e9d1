"""Image files named on the command line, and figures written for other programs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from p2pselect.exceptions import InputError
from p2pselect.images import ImageSequence, as_images
from p2pselect.images.folders import list_folder, warn_left_out


def add_on_error(parser: argparse.ArgumentParser) -> None:
    """Declare ``--on-error`` and ``--max-pixels``, of every command that reads images."""
    parser.add_argument(
        "--on-error",
        choices=("raise", "skip"),
        default="raise",
        help="an image that cannot be read ends the command, or is named and left out "
        "(default: raise)",
    )
    parser.add_argument(
        "--max-pixels",
        type=int,
        action=_RaiseLimit,
        metavar="N",
        help="most pixels of an image, against files that fill the memory (default: 89478485; "
        "a JPEG may have four times as many)",
    )


class _RaiseLimit(argparse.Action):
    """Sets Pillow's limit, for the whole process: whatever opens images obeys it."""

    def __call__(
        self, parser: argparse.ArgumentParser, options: Any, value: Any, *_: Any
    ) -> None:
        if value < 1:
            parser.error(f"argument --max-pixels: must be at least 1, got {value}")
        from PIL import Image

        Image.MAX_IMAGE_PIXELS = value


def find_images(places: Sequence[str], on_error: Any) -> ImageSequence:
    """Images at these places: files as they are, folders with all images below them."""
    files: list[str] = []
    for place in places:
        if not Path(place).is_dir():
            files.append(place)
            continue
        listing = list_folder(place)
        if not listing.files:
            left_out = listing.left_out()
            but = f", but {left_out}" if left_out else ""
            raise InputError(f"{place} holds no images{but}")
        warn_left_out(listing)
        files += listing.paths()
    images = as_images(files, on_error=on_error)
    return images if on_error == "raise" else images[_readable(images)]


def drop_unreadable(
    images: ImageSequence, labels: np.ndarray, on_error: str
) -> tuple[ImageSequence, np.ndarray]:
    """Leave out, with their labels, images that cannot be read, where that is wanted."""
    if on_error == "raise":
        return images, labels
    readable = _readable(images)
    return images[readable], labels[readable]


def _readable(images: ImageSequence) -> np.ndarray:
    readable = images.readable()
    if not readable.any():
        raise InputError("none of the images can be read")
    return readable


def file_names(images: ImageSequence) -> list[str]:
    """The files of a sequence that came from files."""
    if images.files is None:
        raise InputError("these images are not files")
    return [str(file) for file in images.files]


def write_json(path: Path | None, figures: Any) -> None:
    """Write figures as JSON, where a file was named."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def load_model(path: Path, certainty: float | None) -> Any:
    """A saved model, with another certainty threshold where one is given."""
    from p2pselect.persistence import load

    if certainty is not None and not 0 < certainty <= 1:
        raise InputError(f"--certainty must be in (0, 1], got {certainty}")
    model = load(path)
    return model if certainty is None else model.set_params(certainty_threshold=certainty)


def add_certainty(parser: argparse.ArgumentParser) -> None:
    """Declare ``--certainty``."""
    parser.add_argument(
        "--certainty",
        type=float,
        metavar="P",
        help="show regions until the largest class probability is P (default: the model's)",
    )
