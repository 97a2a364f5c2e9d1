"""Image files and models that are named on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from p2pselect.exceptions import InputError
from p2pselect.images import ImageSequence, as_images
from p2pselect.images.folders import list_folder, warn_left_out


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


def load_model(path: Path, certainty: float | None) -> Any:
    """A saved model, with another certainty threshold where one is given."""
    from p2pselect.persistence import load

    model = load(path)
    return model if certainty is None else model.set_params(certainty_threshold=certainty)
