"""What the estimators accept as images, regions and labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from p2pselect.exceptions import HOW_TO_ROUTE, InputError, UnknownNameError
from p2pselect.images import ImageSequence, as_images
from p2pselect.images.pixels import resize_nearest
from p2pselect.regions.container import ImagesWithRegions
from p2pselect.regions.engines import ENGINES
from p2pselect.regions.labels import check_label_maps, relabel
from p2pselect.regions.transformer import SuperpixelTransformer


def read_images(
    X: Any,
    regions: Any,
    *,
    channels: Any,
    image_shape: tuple[int, ...] | None,
    image_size: int,
) -> tuple[ImageSequence, np.ndarray | None]:
    """Take X apart into images and, where they were given, label maps of the model's grid.

    Returns
    -------
    images : ImageSequence
    regions : ndarray of shape (n, image_size, image_size), int32, or None
    """
    if isinstance(X, ImagesWithRegions):
        X, regions = X.images, X.regions if regions is None else regions
    images = as_images(X, channels=channels, image_shape=image_shape)
    if regions is None:
        return images, None
    return images, _fit_to_grid(regions, images, image_size)


def refuse_metadata(metadata: dict[str, Any]) -> None:
    """Say where it belongs what fit cannot use.

    Raises
    ------
    InputError
        If there is any metadata.
    """
    if not metadata:
        return
    names = ", ".join(metadata)
    if {"masks", "valid"} & set(metadata):
        raise InputError(
            f"fit does not learn from {names}: object masks are for scoring, and reach a "
            f"scorer only while metadata routing is switched on; write\n  {HOW_TO_ROUTE}"
        )
    raise InputError(f"fit takes sample_weight and regions beside X and y; got {names} too")


def _fit_to_grid(regions: Any, images: ImageSequence, size: int) -> np.ndarray:
    if len(regions) != len(images):
        raise InputError(
            f"regions must be one label map per image: got {len(regions)} label maps "
            f"for {len(images)} images"
        )
    for number, labels in enumerate(regions if images.image_shape is not None else ()):
        if np.shape(labels) not in (images.image_shape, (size, size)):
            raise InputError(
                f"regions of image {number} must have the image's shape "
                f"{images.image_shape} or the model's {(size, size)}, got {np.shape(labels)}"
            )
    if isinstance(regions, np.ndarray) and regions.shape[1:] == (size, size):
        return check_label_maps(regions)
    maps = [check_label_maps(np.asarray(labels)[None])[0] for labels in regions]
    return np.stack([relabel(resize_nearest(labels, (size, size))) for labels in maps])


def resolve_regions(regions: Any, n_jobs: int | None) -> SuperpixelTransformer:
    """The transformer behind the ``regions`` parameter: a name, a callable or a transformer."""
    if isinstance(regions, SuperpixelTransformer):
        own = clone(regions).set_params(output="labels")
        own._validate_params()
        return own
    if callable(regions) or regions in ENGINES:
        return SuperpixelTransformer(engine=regions, n_jobs=n_jobs)
    raise UnknownNameError(
        f"regions must be a SuperpixelTransformer, a callable or one of {sorted(ENGINES)}, "
        f"got {regions!r}"
    )


def encode_labels(y: Any, n_images: int) -> tuple[LabelEncoder, np.ndarray]:
    """Check labels and number them from 0.

    Raises
    ------
    InputError
        If their number differs from the images', or all are of one class.
    """
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    labels = column_or_1d(y, warn=True)
    check_classification_targets(labels)
    if len(labels) != n_images:
        raise InputError(
            f"X and y must have the same length: got {n_images} images and {len(labels)} labels"
        )
    encoder = LabelEncoder().fit(labels)
    if len(encoder.classes_) < 2:
        raise InputError(
            "y must have at least two classes to tell apart, got one class only: "
            f"{encoder.classes_[0]!r}"
        )
    return encoder, encoder.transform(labels).astype(np.int64)


def check_sample_weight(sample_weight: Any, n_images: int) -> np.ndarray:
    """Weights as float array of mean 1; ones where none are given."""
    if sample_weight is None:
        return np.ones(n_images, dtype=np.float32)
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n_images,):
        raise InputError(f"sample_weight must have shape ({n_images},), got {weight.shape}")
    if not np.isfinite(weight).all() or (weight < 0).any() or weight.sum() == 0:
        raise InputError("sample_weight must be finite, not negative and not all zero")
    return (weight / weight.mean()).astype(np.float32)
