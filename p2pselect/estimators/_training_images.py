"""The images that a training learns from, and those held out: read, divided and weighed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from math import prod
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import compute_class_weight
from torch.utils.data import IterableDataset

from p2pselect._labels import as_labels, encode_known, encode_labels
from p2pselect.estimators._inputs import propose_all
from p2pselect.exceptions import (
    HOW_TO_ROUTE,
    InputError,
    P2PSelectError,
    P2PSelectWarning,
    brief,
)
from p2pselect.images import ImageSequence
from p2pselect.images._meaning import measure_channels
from p2pselect.images._torch_datasets import is_map_style, labels_of
from p2pselect.training._callbacks import check_callbacks
from p2pselect.training._data import REGION_MEMORY, TrainingData, Views
from p2pselect.training._stream import StreamContents, TrainingStream
from p2pselect.training._validation import given_apart, split_rows


@dataclass(frozen=True)
class Labeled:
    """Training images with all that was given for them."""

    images: Any  # ImageSequence or StreamContents
    regions: np.ndarray | None  # (n, h, w), int32
    labels: np.ndarray  # (n,)
    weight: np.ndarray  # (n,), float32, of mean 1

    def part(self, rows: np.ndarray) -> Labeled:
        """Those of some rows."""
        regions = None if self.regions is None else self.regions[rows]
        return Labeled(self.images[rows], regions, self.labels[rows], self.weight[rows])


@dataclass(frozen=True)
class Division:
    """Images to train on, and those held out, if any."""

    train: Labeled
    held_out: Labeled | None = None
    #: Of the images that were given, those held out.
    rows: np.ndarray = field(default_factory=lambda: np.empty(0, int))

    @classmethod
    def by_rows(cls, given: Labeled, rows: tuple[np.ndarray, np.ndarray]) -> Division:
        """Divide images into rows to train on and rows to hold out."""
        if not len(rows[1]):
            return cls(given)
        return cls(given.part(rows[0]), given.part(rows[1]), rows[1])

    def counts(self, classes: np.ndarray) -> dict[str, list[int]]:
        """Images of each class in either part, 0 without held-out ones."""
        found = {}
        for name, part in (("trained", self.train), ("held_out", self.held_out)):
            labels: Any = [] if part is None else encode_labels(part.labels, classes)
            count = np.bincount(np.asarray(labels, int), minlength=len(classes))
            found[name] = count.tolist()
        return found


def read_labeled(
    estimator: Any,
    X: Any,
    y: Any,
    meaning: dict[str, Any],
    sample_weight: Any = None,
    regions: Any = None,
    groups: Any = None,
) -> Labeled:
    """Everything that can be said about training images before their classes are known."""
    images: ImageSequence | StreamContents
    if isinstance(X, IterableDataset):
        rows = {"y": y, "sample_weight": sample_weight, "regions": regions}
        refuse_rows(estimator._needs_rows_for(), **rows, groups=groups)
        images = StreamContents(X, meaning, estimator._training_options.num_workers)
        maps, y = None, images.labels
    else:
        images, maps = estimator._read(X, regions, meaning)
    labels = as_labels(labels_of(X) if y is None and is_map_style(X) else y)
    if len(labels) != len(images):
        raise InputError(
            f"X and y must have the same length: got {len(images)} images and "
            f"{len(labels)} labels"
        )
    return Labeled(images, maps, labels, check_sample_weight(sample_weight, len(images)))


def divide(
    estimator: Any,
    given: Labeled,
    classes: np.ndarray,
    groups: Any = None,
    is_part: bool = False,
) -> Division:
    """Set apart what is held out; ``is_part`` says that other images come later."""
    validation: Any = estimator.validation
    if validation == "auto" and (is_part or isinstance(given.images, StreamContents)):
        validation = None
    if given_apart(validation):
        meaning = estimator._meaning(False, given.images.value_range)
        held_out = _read_validation(estimator, *_pair(validation), classes, meaning)
        division = Division(given, held_out)
    else:
        division = Division.by_rows(given, split_rows(validation, given.labels, groups))
    training, has_some = estimator._training_options, division.held_out is not None
    if estimator._search_options.calibration == "held_out" and not has_some and not is_part:
        few = "the images are too few for" if validation == "auto" else "there are none with"
        warnings.warn(
            "search__calibration='held_out' needs held-out images, and "
            f"{few} validation={brief(estimator.validation)}: certainty is the classifier's "
            "own word",
            P2PSelectWarning,
            stacklevel=5,
        )
    check_callbacks(training.callbacks, has_some)
    if training.patience is not None and not has_some and not is_part:
        raise InputError(
            f"training__patience={training.patience} looks at held-out images, but there are "
            f"none with validation={brief(estimator.validation)}; set it to 0.2, for example"
        )
    return division


def _read_validation(
    estimator: Any, X: Any, y: Any, classes: np.ndarray, meaning: dict[str, Any]
) -> Labeled:
    """Images that are held out, and no part of the training images."""
    if isinstance(X, IterableDataset):
        raise InputError("validation: held-out images cannot be a stream")
    try:
        held_out = read_labeled(estimator, X, y, meaning)
    except P2PSelectError as error:
        raise type(error)(f"validation: {error}") from error
    encode_known(held_out.labels, classes, "the y of validation")
    return held_out


def normalization_of(images: ImageSequence | StreamContents, estimator: Any) -> Any:
    """Mean and standard deviation of the channels, where networks shall use them."""
    if estimator._image_options.normalization == "pretrained":
        return None
    if isinstance(images, StreamContents):
        raise InputError(
            'images__normalization="measured" needs images in any order, not a stream'
        )
    return measure_channels(images)


def training_data(
    estimator: Any, division: Division, class_weight: np.ndarray
) -> tuple[TrainingData | TrainingStream, TrainingData | None]:
    """What the networks are trained on, and what they are measured on, if anything."""
    views = Views(
        estimator.regions_.propose_batch,
        estimator._grid,
        estimator.augment,
        estimator._n_views(),
    )
    images = division.train.images
    if views.need_originals and images.seen_channels != 3:
        raise InputError(
            f"augment={brief(estimator.augment)} changes hue and saturation, which images of "
            f'{images.seen_channels} channels do not have; "affine+tint" is like it'
        )
    train: TrainingData | TrainingStream
    if isinstance(images, StreamContents):
        # Images of a stream have the weight of their class.
        of_class = class_weight.astype(np.float32)
        train = TrainingStream(images, estimator.classes_, views, of_class, estimator._seed)
    else:
        train = _data_in_rows(estimator, division.train, class_weight, views)
    if division.held_out is None:
        return train, None
    held_out = _data_in_rows(estimator, division.held_out, class_weight, views.unchanged())
    # No two images of a training have the same number.
    held_out.first = len(train)
    return train, held_out


def _data_in_rows(
    estimator: Any, given: Labeled, class_weight: np.ndarray, views: Views
) -> TrainingData:
    images, regions = given.images, given.regions
    # All damaged files are named now, rather than the first one in the middle of training.
    images.check_readable(progress=estimator.verbose > 0)
    if callable(views.augment):
        # On two images, to find a fault before the regions of all images are proposed.
        views(images[:2], None if regions is None else regions[:2], 0, 0, np.arange(2))
    # int32 labels; random crops of the originals need regions of their own every time.
    small_enough = len(images) * prod(estimator._grid.size) * 4 <= REGION_MEMORY
    if regions is None and small_enough and not views.need_originals:
        regions = propose_all(estimator.regions_, images, estimator._grid)
    target = encode_labels(given.labels, estimator.classes_)
    weight = (given.weight * class_weight[target]).astype(np.float32)
    return TrainingData(images, target, views, regions, weight, estimator._seed)


def _pair(validation: tuple[Any, ...]) -> tuple[Any, Any]:
    if len(validation) != 2:
        raise InputError(
            f"validation: held-out images are a pair (X, y), got a tuple of {len(validation)}"
        )
    return validation


def refuse_metadata(metadata: dict[str, Any]) -> None:
    """Refuse what ``fit`` cannot use, and say where it belongs."""
    if not metadata:
        return
    names = ", ".join(metadata)
    if {"masks", "valid"} & set(metadata):
        raise InputError(
            f"fit does not learn from {names}: object masks are for scoring, and reach a "
            f"scorer only while metadata routing is switched on; write\n  {HOW_TO_ROUTE}"
        )
    raise InputError(
        f"fit takes sample_weight, regions and groups beside X and y; got {names} too"
    )


def refuse_rows(need: str | None, **given: Any) -> None:
    """Refuse what belongs to rows beside a stream, or a need for images in any order."""
    if named := [name for name, value in given.items() if value is not None]:
        raise InputError(
            f"X is an IterableDataset, which has its labels in it and no rows that "
            f"{' and '.join(named)} could belong to"
        )
    if need is not None:
        raise InputError(
            f"X is an IterableDataset, but {need} needs images in any order; "
            "p2pselect.datasets.load_tar_shards gives them"
        )


def check_sample_weight(sample_weight: Any, n_images: int) -> np.ndarray:
    """Weights as float array of mean 1; ones where none are given."""
    if sample_weight is None:
        return np.ones(n_images, dtype=np.float32)
    try:
        weight = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"sample_weight must be numbers: {error}") from error
    if weight.shape != (n_images,):
        raise InputError(f"sample_weight must have shape ({n_images},), got {weight.shape}")
    if not np.isfinite(weight).all() or (weight < 0).any() or weight.sum() == 0:
        raise InputError("sample_weight must be finite, not negative and not all zero")
    return (weight / weight.mean()).astype(np.float32)


def check_class_weight(
    class_weight: Any, classes: np.ndarray, target: np.ndarray | None
) -> np.ndarray:
    """The weight of each class in the loss, (n_classes,); ``target`` counts the images.

    ``target`` is None where these are only some of the training images, which ``"balanced"``
    cannot count.  A class that a dict does not name has the weight 1.
    """
    if class_weight is None:
        return np.ones(len(classes))
    if isinstance(class_weight, str):
        if target is None:
            raise InputError(
                f"class_weight={brief(class_weight)} needs all training images at once, and "
                "partial_fit gets them in parts; pass a dict of class to weight"
            )
        return compute_class_weight("balanced", classes=classes, y=classes[target])
    # The None keeps numpy from turning keys that are tuples into a second dimension.
    known = encode_labels(np.array([*class_weight, None], object)[:-1], classes)
    # A key too many alone is a class that these images happen not to have.
    if (known < 0).any() and len(set(known.tolist()) - {-1}) < len(classes):
        unknown = [key for key, place in zip(class_weight, known, strict=True) if place < 0]
        raise InputError(
            f"class_weight has the key {brief(unknown[0])}, which is not one of the classes "
            f"{brief(classes.tolist())}"
        )
    weight = np.ones(len(classes))
    for place, value in zip(known, class_weight.values(), strict=True):
        if not (isinstance(value, Real) and 0 <= float(value) < np.inf):
            raise InputError(f"class_weight must hold numbers from 0 on, got {brief(value)}")
        if place >= 0:
            weight[place] = value
    return weight
