"""What the estimators accept as images, regions and labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import compute_class_weight

from p2pselect._labels import encode_labels
from p2pselect.exceptions import HOW_TO_ROUTE, InputError, UnknownNameError, brief
from p2pselect.images import ImageSequence, as_images
from p2pselect.images._geometry import NO_REGION, Grid
from p2pselect.regions._container import ImagesWithRegions
from p2pselect.regions._engines import ENGINES, check_engine
from p2pselect.regions._labels import check_label_map, check_label_maps, without_gaps
from p2pselect.regions._transformer import SuperpixelTransformer


def read_images(
    X: Any, regions: Any, *, meaning: dict[str, Any], grid: Grid
) -> tuple[ImageSequence, np.ndarray | None]:
    """Take X apart into images and, where given, label maps (n, h, w) on the grid."""
    if isinstance(X, ImagesWithRegions):
        X, regions = X.images, X.regions if regions is None else regions
    images = as_images(X, **meaning)
    if regions is None:
        return images, None
    return images, _fit_to_grid(regions, images, grid)


def check_channels(images: Any, estimator: Any) -> None:
    """Refuse images with other channels than the networks see.

    So are gray arrays where colors were learned from arrays, and the other way round.

    An array with one channel in the place of one with three is an oversight more often than
    not.  Files say nothing of the kind: they are decoded to three channels in any case.
    """
    if images.seen_channels != estimator.n_channels_seen_:
        raise InputError(
            f"{type(estimator).__name__} was fitted on images of "
            f"{estimator.n_channels_seen_} channels, and X has {images.seen_channels}"
        )
    given, fitted = images.stored_channels, estimator.n_channels_in_
    if given is None or fitted is None or (given == 1) == (fitted == 1):
        return
    remedy = (
        "repeat the channel, X.reshape(n, h, w, 1).repeat(3, axis=3), if this is meant"
        if given == 1
        else "fit on color images, or convert these to gray"
    )
    raise InputError(
        f"X has {given} channel{'s' * (given != 1)}, but {type(estimator).__name__} was "
        f"fitted on images of {fitted}: {remedy}"
    )


def propose_all(
    regions: SuperpixelTransformer, images: ImageSequence, grid: Grid, step: int = 256
) -> np.ndarray:
    """Label maps (n, h, w), int32, of all images, which are read in batches."""
    maps = np.empty((len(images), *grid.size), np.int32)
    for start in range(0, len(images), step):
        batch, sizes = images._on_grid(slice(start, start + step), grid)
        maps[start : start + step] = regions.propose_batch(batch, grid.contents(sizes))
    return maps


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


def _fit_to_grid(regions: Any, images: ImageSequence, grid: Grid) -> np.ndarray:
    """Label maps (n, h, w), int32, of maps of the images' own sizes or of the grid's."""
    if not hasattr(regions, "__len__") or isinstance(regions, str | dict):
        raise InputError(f"regions must be one label map per image, got {brief(regions)}")
    if len(regions) != len(images):
        raise InputError(
            f"regions must be one label map per image: got {len(regions)} label maps "
            f"for {len(images)} images"
        )
    sizes = images.sizes()
    if getattr(regions, "shape", ())[1:] == grid.size and grid.contents(sizes) is None:
        return check_label_maps(regions)
    maps = np.empty((len(images), *grid.size), dtype=np.int32)
    for number, (given, shape) in enumerate(zip(regions, sizes.tolist(), strict=True)):
        name = f"regions of image {number}"
        labels = check_label_map(given, name)
        placement = grid.place(shape)
        if labels.shape == grid.size:
            maps[number] = without_gaps(placement.padded(labels, NO_REGION))
            continue
        if not _belongs_to(labels, shape, images):
            raise InputError(
                f"{name} must have the image's shape {tuple(shape)} or the model's "
                f"{grid.size}, got {labels.shape}"
            )
        # Regions that are lost between the pixels of the grid leave gaps.
        maps[number] = without_gaps(placement.onto_grid(labels, NO_REGION))
    return maps


def _belongs_to(labels: np.ndarray, shape: list[int], images: ImageSequence) -> bool:
    """Whether a label map can be the image's: files may have been made smaller for it."""
    if images.image_shape is not None:
        return labels.shape == tuple(shape)
    first, second = labels.shape[0] * shape[1], labels.shape[1] * shape[0]
    # The sides of a smaller copy are rounded, so that its shape is only about the same.
    return abs(first - second) <= 0.05 * max(first, second)


def resolve_regions(regions: Any, n_jobs: int | None) -> SuperpixelTransformer:
    """The transformer behind the ``regions`` parameter: a name, a callable or a transformer."""
    if isinstance(regions, SuperpixelTransformer):
        own = clone(regions).set_params(output="labels")
        own._validate_params()
        check_engine(own.engine)
        return own
    if callable(regions) or regions in ENGINES:
        return SuperpixelTransformer(engine=regions, n_jobs=n_jobs)
    raise UnknownNameError(
        f"regions must be a SuperpixelTransformer, a callable or one of {sorted(ENGINES)}, "
        f"got {brief(regions)}"
    )


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
