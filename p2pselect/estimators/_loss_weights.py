"""What images, classes and labels weigh in the loss."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import compute_class_weight

from p2pselect._labels import encode_labels
from p2pselect._targets import encode_targets
from p2pselect.exceptions import InputError, brief


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


def weigh(
    class_weight: Any, given: Any, classes: np.ndarray, is_part: bool = False
) -> np.ndarray:
    """What classes weigh in the loss, (n_classes,); or labels, (n_labels, 2).

    ``given`` are the training images; ``is_part`` says that other images come later.
    """
    target = encode_targets(given.labels, classes)
    if target.ndim == 2:
        return check_label_weight(class_weight, None if is_part else target, len(classes))
    weight = check_class_weight(class_weight, classes, None if is_part else target)
    if is_part:
        # Of the classes, not of this call's images: a call of rare ones alone must count.
        return weight / weight.mean()
    of_images = given.weight * weight[target]
    check_sample_weight(of_images, len(target))
    # Of mean 1 again, so that class weights do not change the scale of the loss.
    return weight / of_images.mean()


def check_label_weight(
    class_weight: Any, target: np.ndarray | None, n_labels: int
) -> np.ndarray:
    """The weights of the absence and the presence of every label in the loss, (n_labels, 2).

    ``"balanced"`` lets both count the same, as in a model for this label alone; ``target``
    (n, n_labels) counts the images, as that of :func:`check_class_weight`.
    """
    if class_weight is None:
        return np.ones((n_labels, 2))
    if class_weight != "balanced":
        raise InputError(
            'class_weight must be None or "balanced" where images have several labels, got '
            f"{brief(class_weight)}"
        )
    if target is None:
        raise _counts_all(class_weight)
    present = target.mean(axis=0)
    # A label that never changes teaches nothing, whatever it weighs.
    shares = np.stack([1 - present, present], axis=1)
    return np.where(shares > 0, 0.5 / np.where(shares > 0, shares, 1), 1)


def _counts_all(class_weight: str, hint: str = "") -> InputError:
    return InputError(
        f"class_weight={brief(class_weight)} needs all training images at once, and "
        f"partial_fit gets them in parts{hint}"
    )


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
            raise _counts_all(class_weight, "; pass a dict of class to weight")
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
