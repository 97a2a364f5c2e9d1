"""The images that a training learns from, and those held out: read, divided and weighed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from torch.utils.data import IterableDataset

from p2pselect._answer_kinds import ONE_CLASS, AnswerKind
from p2pselect._fill import Fill, constant
from p2pselect._labels import as_labels, find_classes, read_labels
from p2pselect._targets import (
    check_targets,
    count_targets,
    encode_targets,
    find_targets,
    kind_of,
)
from p2pselect.estimators._evidence_masks import check_learns_from, read_evidence
from p2pselect.estimators._inputs import propose_all, read_images, refuse_folder
from p2pselect.estimators._loss_weights import check_sample_weight
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
from p2pselect.training._evidence import EvidenceMaps
from p2pselect.training._stream import StreamContents, TrainingStream
from p2pselect.training._validation import given_apart, split_rows


@dataclass(frozen=True)
class Labeled:
    """Training images with all that was given for them."""

    images: Any  # ImageSequence or StreamContents
    regions: np.ndarray | None  # (n, h, w), int32
    labels: np.ndarray  # (n,), or (n, n_labels): 0 and 1
    weight: np.ndarray  # (n,), float32, of mean 1
    columns: np.ndarray | None = None  # (n_labels,): names
    masks: EvidenceMaps | None = None

    @property
    def kind(self) -> AnswerKind:
        """What there is to learn."""
        return kind_of(self.labels)

    def part(self, rows: np.ndarray) -> Labeled:
        """Those of some rows."""
        regions = None if self.regions is None else self.regions[rows]
        labels, weight = self.labels[rows], self.weight[rows]
        masks = None if self.masks is None else self.masks.part(rows)
        return Labeled(self.images[rows], regions, labels, weight, self.columns, masks)


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

    @property
    def taught(self) -> np.ndarray:
        """Of the images that were given, those to train on whose masks teach."""
        if self.train.masks is None:
            return np.empty(0, int)
        n_given = len(self.train.labels) + len(self.rows)
        return np.setdiff1d(np.arange(n_given), self.rows)[self.train.masks.rows]

    def counts(self, classes: np.ndarray) -> dict[str, list[int]]:
        """Images of each class in either part, 0 without held-out ones."""

        def count(part: Labeled | None) -> list[int]:
            if part is None:
                return [0] * len(classes)
            return list(count_targets(part.labels, classes).tolist())

        return {"trained": count(self.train), "held_out": count(self.held_out)}


def read_labeled(
    estimator: Any,
    X: Any,
    y: Any,
    meaning: dict[str, Any],
    sample_weight: Any = None,
    regions: Any = None,
    groups: Any = None,
    masks: Any = None,
) -> Labeled:
    """Everything that can be said about training images before their classes are known."""
    check_learns_from(masks, estimator)
    refuse_folder(X)
    images: ImageSequence | StreamContents
    if not isinstance(X, IterableDataset):
        found, maps = read_images(X, regions, meaning=meaning, grid=estimator._grid)
        images, evidence = found, read_evidence(masks, found, estimator._grid)
    else:
        rows = {"y": y, "sample_weight": sample_weight, "regions": regions}
        refuse_rows(estimator._needs_rows_for(), **rows, groups=groups, masks=masks)
        images = StreamContents(X, meaning, estimator._training_options.num_workers)
        maps, evidence, y = None, None, images.labels
    if y is None and is_map_style(X):
        y = labels_of(X)
    labels, columns = read_labels(y)
    if labels.ndim == 2 and not estimator._several_labels:
        raise InputError(
            f"y has several labels for each image, which {type(estimator).__name__} cannot "
            "learn: its loss is made for one class per image"
        )
    if len(labels) != len(images):
        raise InputError(
            f"X and y must have the same length: got {len(images)} images and "
            f"{len(labels)} labels"
        )
    weight = check_sample_weight(sample_weight, len(images))
    return Labeled(images, maps, labels, weight, columns, evidence)


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
        held_out = _read_validation(estimator, validation, given.kind, classes, meaning)
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
    estimator: Any,
    pair: tuple[Any, ...],
    kind: AnswerKind,
    classes: np.ndarray,
    meaning: dict[str, Any],
) -> Labeled:
    """Images that are held out, and no part of the training images."""
    if len(pair) != 2:
        raise InputError(
            f"validation: held-out images are a pair (X, y), got a tuple of {len(pair)}"
        )
    X, y = pair
    if isinstance(X, IterableDataset):
        raise InputError("validation: held-out images cannot be a stream")
    try:
        held_out = read_labeled(estimator, X, y, meaning)
    except P2PSelectError as error:
        raise type(error)(f"validation: {error}") from error
    labels, columns = held_out.labels, held_out.columns
    check_targets(labels, columns, classes, kind, "the y of validation")
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


def fill_of(images: ImageSequence | StreamContents, estimator: Any) -> Fill:
    """What takes the place of removed pixels."""
    fill = estimator._network_options.fill
    if fill == "mean":
        if isinstance(images, StreamContents):
            raise InputError('networks__fill="mean" needs images in any order, not a stream')
        return measure_channels(images)[0]
    return fill if isinstance(fill, str) else constant(fill, images.seen_channels)


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
        # Images of a stream have the weight of their class; labels, those of the loss.
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
    images, regions, masks = given.images, given.regions, given.masks
    # All damaged files are named now, rather than the first one in the middle of training.
    images.check_readable(progress=estimator.verbose > 0)
    if callable(views.augment):
        # On two images, to find a fault before the regions of all images are proposed.
        two = np.arange(min(2, len(images)))
        said = None if masks is None else masks.batch(two)
        views(images[two], None if regions is None else regions[two], 0, 0, two, said)
    # int32 labels; random crops of the originals need regions of their own every time.
    small_enough = len(images) * prod(estimator._grid.size) * 4 <= REGION_MEMORY
    if regions is None and small_enough and not views.need_originals:
        regions = propose_all(estimator.regions_, images, estimator._grid)
    target = encode_targets(given.labels, estimator.classes_)
    weight = given.weight
    if class_weight.ndim == 1:  # otherwise it is that of labels, which the loss weighs
        weight = weight * class_weight[target]
    weight = weight.astype(np.float32)
    return TrainingData(images, target, views, regions, weight, estimator._seed, masks)


def refuse_metadata(metadata: dict[str, Any]) -> None:
    """Refuse what ``fit`` cannot use, and say where it belongs."""
    if not metadata:
        return
    names = ", ".join(metadata)
    if "valid" in metadata:
        raise InputError(
            f"fit does not learn from {names}: it is for scoring, and reaches a scorer only "
            f"while metadata routing is switched on; write\n  {HOW_TO_ROUTE}"
        )
    raise InputError(
        f"fit takes sample_weight, regions, groups and masks beside X and y; got {names} too"
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


def classes_of_part(
    given: Labeled, classes: Any, first: tuple[AnswerKind, np.ndarray] | None
) -> np.ndarray:
    """The classes of images that are a part of a training: as said, or those of ``first``.

    That is what the first part was about; None if this is the first one.
    """
    kind, known = first or (given.kind, None)
    if classes is None:
        named = find_targets(given.labels, given.columns) if known is None else known
    else:
        named = as_labels(classes, "classes")
        if kind == ONE_CLASS:
            named = find_classes(named, "classes")
        if known is not None and not np.array_equal(known, named):
            raise InputError(
                f"classes must be those of the first call, {brief(known.tolist())}, got "
                f"{brief(named.tolist())}"
            )
    check_targets(given.labels, given.columns, named, kind)
    return named
