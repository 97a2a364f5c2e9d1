"""What images are labeled with: one class each, or any number of labels.

Labels are arrays (n,), or indicator matrices (n, n_labels) of 0 and 1.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from p2pselect._answer_kinds import LABEL_SET, ONE_CLASS, AnswerKind
from p2pselect._labels import (
    as_labels,
    as_true_labels,
    encode_known,
    encode_labels,
    find_classes,
    read_labels,
)
from p2pselect.exceptions import InputError, P2PSelectWarning, brief


def kind_of(labels: np.ndarray) -> AnswerKind:
    """The kind of answers to learn from labels that ``read_labels`` has read."""
    return ONE_CLASS if labels.ndim == 1 else LABEL_SET


def find_targets(labels: np.ndarray, columns: np.ndarray | None, name: str = "y") -> np.ndarray:
    """The classes of the labels of a training, sorted; or the columns, by name or number.

    Warns of a matrix with exactly one label for each image, and of labels that never change.
    """
    if labels.ndim == 1:
        return find_classes(labels, name)
    if (labels == labels[:1]).all():
        raise InputError(f"{name} has the same labels in every row: nothing to tell apart")
    if (labels.sum(axis=1) == 1).all():
        warnings.warn(
            f"{name} has exactly one label for each image: if these exclude each other, pass "
            "one class for each image instead, such as y.argmax(axis=1)",
            P2PSelectWarning,
            stacklevel=3,
        )
    classes = np.arange(labels.shape[1]) if columns is None else columns
    constant = classes[(labels == labels[:1]).all(axis=0)].tolist()
    if constant:
        warnings.warn(
            f"{name}: the labels {brief(constant)} are the same for all images, and cannot be "
            "learned",
            P2PSelectWarning,
            stacklevel=3,
        )
    return classes


def encode_targets(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Labels as answers: the number of the class, -1 for one that is none; or 0 and 1."""
    return encode_labels(labels, classes) if labels.ndim == 1 else labels


def count_targets(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Images of every class, or with every label."""
    if labels.ndim == 2:
        return np.asarray(labels.sum(axis=0))
    return np.bincount(encode_labels(labels, classes), minlength=len(classes))


def true_targets(y: Any, classes: np.ndarray, kind: AnswerKind) -> np.ndarray:
    """True labels, in a form that can be compared with predictions; those of one class may be
    labels that the classifier has never seen.
    """
    if kind == ONE_CLASS:
        return as_true_labels(y, classes)
    labels, columns = read_labels(y)
    check_targets(labels, columns, classes, kind)
    return labels


def check_targets(
    labels: np.ndarray,
    columns: np.ndarray | None,
    classes: np.ndarray,
    kind: AnswerKind,
    name: str = "y",
) -> None:
    """Raise if labels to learn from are of another kind, or not among the classes."""
    if kind == ONE_CLASS:
        encode_known(as_labels(labels, name), classes, name)
        return
    if labels.ndim == 1 or labels.shape[1] != len(classes):
        raise InputError(
            f"{name} must be an indicator matrix with a column for each of the {len(classes)} "
            f"labels {brief(classes.tolist())}, got shape {labels.shape}"
        )
    if columns is not None and columns.tolist() != classes.tolist():
        raise InputError(
            f"{name} has the columns {brief(columns.tolist())}, but the classifier knows the "
            f"labels {brief(classes.tolist())}, in this order"
        )
