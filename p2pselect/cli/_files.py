"""The images and models that are named on the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from p2pselect.exceptions import ImageReadError, InputError
from p2pselect.images import ImageSequence, as_images
from p2pselect.images._folders import endings_of, list_folder, warn_left_out
from p2pselect.images._meaning import Meaning


def find_images(
    places: Sequence[str], on_error: Any, **meaning: Any
) -> tuple[ImageSequence, list[str]]:
    """The images at these places, and their paths: files, and everything below folders.

    ``meaning`` is what ``as_images`` is told about them.
    """
    files: list[str] = []
    said, first = Meaning(**meaning), (meaning.get("channel_files") or [""])[0]
    for place in places:
        if not Path(place).is_dir():
            files.append(place)
            continue
        listing = list_folder(place, endings_of(said.is_of_stored))
        if not listing.files:
            left_out = listing.left_out()
            but = f", but {left_out}" if left_out else ""
            raise InputError(f"{place} holds no images{but}")
        warn_left_out(listing)
        files += [path for path in listing.paths() if first in Path(path).name]
    with hint_at_skipping():
        images = as_images(files, on_error=on_error, **meaning)
        if on_error == "raise":
            images.check_readable(progress=True)
        else:
            images = images[_readable(images)]
    assert images.files is not None
    return images, images.files.tolist()


def labeled_images(folder: Path, **meaning: Any) -> tuple[ImageSequence, np.ndarray]:
    """The images of a folder with a subfolder per class, and their labels.

    ``meaning`` is what ``as_images`` is told about them.
    """
    from p2pselect import datasets

    images, labels = datasets.load_image_folder(
        folder,
        extensions=endings_of(Meaning(**meaning).is_of_stored),
        channel_files=meaning.get("channel_files"),
    )
    return as_images(images, on_error="skip", **meaning), labels


def labeled_for(
    model: Any, folder: Path, on_error: str, *, other_classes: bool = False
) -> tuple[ImageSequence, np.ndarray, list[Any]]:
    """Images as a model reads them, the names of their folders, and their labels.

    All of the images can be read.  A label is the class of the model that the folder is named
    after, which may be a number; with ``other_classes``, folders may also have other names.
    """
    images, names = labeled_images(folder, **model._meaning(fitted=True))
    known = {str(label): label for label in model.classes_.tolist()}
    unknown = sorted(set(names.tolist()) - set(known))
    if unknown and not other_classes:
        raise InputError(
            f"{folder} has classes that the model does not know: {unknown[:5]}; "
            f"it knows {[*known][:10]}"
        )
    if on_error == "skip":
        images, names = drop_unreadable(images, names)
    else:
        with hint_at_skipping():
            images.check_readable(progress=True)
    return images, names, [known.get(name, name) for name in names.tolist()]


def drop_unreadable(
    images: ImageSequence, labels: np.ndarray
) -> tuple[ImageSequence, np.ndarray]:
    """Leave out damaged images and their labels, unless a whole class would be lost."""
    readable = _readable(images)
    lost = sorted(set(labels.tolist()) - set(labels[readable].tolist()))
    if lost:
        raise InputError(f"every image of these classes is damaged: {', '.join(lost)}")
    return images[readable], labels[readable]


@contextmanager
def hint_at_skipping() -> Iterator[None]:
    """Add to an error about damaged images how to leave them out."""
    try:
        yield
    except ImageReadError as error:
        raise ImageReadError(f"{error}\n(--on-error skip leaves these out)") from error


def _readable(images: ImageSequence) -> np.ndarray:
    readable = images.readable(progress=True)
    if not readable.any():
        raise InputError("none of the images can be read")
    return readable


def load_model(path: Path, certainty: float | None) -> Any:
    """A saved model, with another certainty threshold if one is given."""
    from p2pselect.persistence import load

    model = load(path)
    return model if certainty is None else model.set_params(certainty_threshold=certainty)
