"""The images and models that are named on the command line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from p2pselect.cli._tables import Rows
from p2pselect.exceptions import ImageReadError, InputError, brief
from p2pselect.images import ImageSequence, as_images
from p2pselect.images._folders import endings_of, images_below
from p2pselect.images._meaning import Meaning

if TYPE_CHECKING:
    from p2pselect.datasets import MaskSequence


@dataclass(frozen=True)
class Labeled:
    """Images with their labels (n,), and with what a table may say about them besides.

    With ``label_names``, labels are 0 and 1, (n, n_labels).
    """

    images: ImageSequence
    labels: np.ndarray
    label_names: list[str] | None = None
    groups: np.ndarray | None = None
    masks: MaskSequence | None = None

    @property
    def target(self) -> Any:
        """The labels with their names, as ``fit`` takes them."""
        return self.labels if self.label_names is None else LabelTable(self)

    @property
    def counts(self) -> dict[str, int]:
        """How many images there are of every class, or with every label."""
        if self.label_names is None:
            return dict(sorted(Counter(self.labels.tolist()).items()))
        sums = self.labels.sum(axis=0).tolist()
        return dict(zip(self.label_names, sums, strict=True))


@dataclass(frozen=True)
class LabelTable:
    """Several labels of images in the form of a data frame, which needs no pandas."""

    found: Labeled

    @property
    def columns(self) -> list[str] | None:
        """The names of the labels."""
        return self.found.label_names

    def to_numpy(self) -> np.ndarray:
        """0 and 1, (n, n_labels)."""
        return self.found.labels

    def __len__(self) -> int:
        return len(self.found.labels)


class Found(NamedTuple):
    """Images, their paths, and the labels that a table states for all of them, if any."""

    images: ImageSequence
    files: list[str]
    labels: np.ndarray | None = None


def find_images(places: Sequence[str] | Rows, on_error: Any, **meaning: Any) -> Found:
    """The images at these places: files, and everything below folders; or in rows of a table.

    ``meaning`` is what ``as_images`` is told about them.
    """
    with hint_at_skipping():
        if isinstance(places, Rows):
            rows = places.load(with_labels=False, on_error=on_error, **meaning)
            images, labels = rows.images, rows.labels
        else:
            images = as_images(_files_at(places, **meaning), on_error=on_error, **meaning)
            labels = None
        if on_error == "raise":
            images.check_readable(progress=True)
        else:
            readable = _readable(images)
            images, labels = images[readable], None if labels is None else labels[readable]
    assert images.files is not None
    return Found(images, images.files.tolist(), labels)


def _files_at(places: Sequence[str], **meaning: Any) -> list[str]:
    said = Meaning(**meaning)
    each = [images_below(place, said) if Path(place).is_dir() else [place] for place in places]
    return [file for files in each for file in files]


def labeled_images(
    place: Path | Rows,
    on_error: str,
    *,
    size: Any = None,
    resize: str = "stretch",
    **meaning: Any,
) -> Labeled:
    """The images of a folder with a subfolder per class, or of rows, and their labels.

    Rows name missing images unless ``on_error`` is ``"skip"``.  ``size`` and ``resize`` are for
    the masks of a table, and ``meaning`` is what ``as_images`` is told about the images.
    """
    from p2pselect import datasets

    if isinstance(place, Rows):
        place.table.require("label")
        with hint_at_skipping():
            return Labeled(**place.load(size=size, resize=resize, on_error=on_error, **meaning))
    images, labels = datasets.load_image_folder(
        place,
        extensions=endings_of(Meaning(**meaning).is_of_stored),
        channel_files=meaning.get("channel_files"),
    )
    return Labeled(as_images(images, on_error="skip", **meaning), labels)


def labeled_for(
    model: Any, place: Path | Rows, on_error: str, *, other_classes: bool = False
) -> tuple[Labeled, Any]:
    """Images as a model reads them, and the true ones of its classes, which may be numbers.

    All of the images can be read.  With ``other_classes``, folders and rows may also have
    labels that the model does not know.
    """
    place = known_rows(model, place)
    if model.multilabel_ and not (isinstance(place, Rows) and place.table.label_names):
        raise InputError(
            f"{place} must be a table with the columns {brief(model.classes_.tolist())}, the "
            "labels that the model knows: pass --table CSV"
        )
    found = labeled_images(
        place,
        on_error,
        size=model.image_size,
        resize=model.resize,
        **model._meaning(fitted=True),
    )
    known = {str(label): label for label in model.classes_.tolist()}
    unknown = sorted(found.counts.keys() - known.keys())
    if unknown and not other_classes:
        raise InputError(
            f"{place} has classes that the model does not know: {unknown[:5]}; "
            f"it knows {[*known][:10]}"
        )
    if on_error == "skip":
        found = drop_unreadable(found)
    else:
        with hint_at_skipping():
            found.images.check_readable(progress=True)
    if model.multilabel_:
        return found, found.labels
    return found, [known.get(name, name) for name in found.labels.tolist()]


def known_rows(model: Any, place: Any) -> Any:
    """The same place; of a table, with the columns of the labels that a model knows."""
    if not isinstance(place, Rows):
        return place
    known = [str(label) for label in model.classes_.tolist()]
    if model.multilabel_ and "label" not in place.columns and place.table.has(known):
        place = replace(place, columns={**place.columns, "label": known})
    named = place.table.label_names
    if named is not None and not (model.multilabel_ and named == known):
        kind = "labels" if model.multilabel_ else "classes, one for each image,"
        raise InputError(
            f"{place.file}: the columns of labels are {brief(named)}, but the model knows the "
            f"{kind} {brief(known)}"
        )
    return place


def object_masks(model: Any, found: Labeled, folder: Path | None) -> np.ndarray | None:
    """Object masks (n, h, w) in the size of the model: of a folder, else those of the table."""
    from p2pselect import datasets

    if folder is None:
        return None if found.masks is None else np.asarray(found.masks)
    return datasets.load_mask_folder(
        folder, found.images, model.image_size, resize=model.resize, missing="skip"
    )


def drop_unreadable(found: Labeled) -> Labeled:
    """Leave out damaged images and what belongs to them, unless a whole class would be lost."""
    readable = _readable(found.images)
    parts: dict[str, Any] = {
        name: part if part is None else part[readable]
        for name, part in vars(found).items()
        if name != "label_names"
    }
    kept = replace(found, **parts)
    lost = [name for name, n in found.counts.items() if n and not kept.counts.get(name)]
    if lost:
        raise InputError(f"every image of these classes is damaged: {', '.join(lost)}")
    return kept


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
