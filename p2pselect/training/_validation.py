"""Which of the images are held out of a training, to measure it on."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from p2pselect._labels import as_labels
from p2pselect.exceptions import InputError, brief

#: What ``"auto"`` holds out: this share of the images, up to a limit, and nothing
#: where they would be too few: among 50 images, an accuracy of .9 has a standard error of .04.
_SHARE, _FEWEST, _MOST = 0.1, 50, 2000
#: The same images are held out whatever the ``random_state``, so that trainings can be compared
#: and a training that goes on from a checkpoint never sees the ones that it was measured on.
_SEED = 0

_NO_ROWS = np.empty(0, int)


def given_apart(validation: Any) -> bool:
    """Whether the held-out images are none of the training images: a pair (X, y)."""
    return isinstance(validation, tuple)


def needs_rows(validation: Any) -> bool:
    """Whether a part of the training images has to be held out, in any order."""
    return not (validation is None or validation == "auto" or given_apart(validation))


def split_rows(
    validation: Any, labels: np.ndarray, groups: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on, and rows to hold out, both rising.

    Images with the same entry of ``groups`` (n,) are never on both sides.
    """
    n = len(labels)
    if groups is not None:
        groups = as_labels(groups, "groups")
        if len(groups) != n:
            raise InputError(f"groups must have one entry per image: got {len(groups)} for {n}")
    nothing = np.arange(n), _NO_ROWS
    if validation is None or given_apart(validation):
        return nothing
    if validation == "auto":
        share = min(_SHARE, _MOST / n)
        train, held_out = _by_share(share, labels, groups)
        enough = len(held_out) >= _FEWEST and _has_every(labels, train)
        return (train, held_out) if enough else nothing
    if hasattr(validation, "split"):
        train, held_out = _by_splitter(validation, labels, groups)
    else:
        train, held_out = _by_share(float(validation), labels, groups)
    name = f"validation={brief(validation)}"
    if not len(held_out):
        raise InputError(f"{name} holds out none of the {n} images")
    if np.intersect1d(train, held_out).size:
        raise InputError(f"{name} trains on images that it holds out")
    if not _has_every(labels, train):
        missing = np.setdiff1d(labels, labels[train])
        raise InputError(
            f"{name} leaves no image of class {brief(missing[0].item())} to train on"
        )
    return train, held_out


def _has_every(labels: np.ndarray, rows: np.ndarray) -> bool:
    return len(np.unique(labels[rows])) == len(np.unique(labels))


def _by_share(share: float, labels: np.ndarray, groups: Any) -> tuple[np.ndarray, np.ndarray]:
    """A share of every class, of which one image is always trained on; or whole groups."""
    n = len(labels)
    if groups is not None:
        if len(np.unique(groups)) < 2:
            return np.arange(n), _NO_ROWS
        splitter = GroupShuffleSplit(1, test_size=share, random_state=_SEED)
        return _by_splitter(splitter, labels, groups)
    rng = np.random.default_rng(_SEED)
    held_out = np.zeros(n, bool)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        held_out[rows[: min(round(share * len(rows)), len(rows) - 1)]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _by_splitter(
    splitter: Any, labels: np.ndarray, groups: Any
) -> tuple[np.ndarray, np.ndarray]:
    """The first of the splits of a scikit-learn splitter."""
    given = {} if groups is None else {"groups": groups}
    try:
        train, held_out = next(iter(splitter.split(np.zeros(len(labels)), labels, **given)))
        rows = np.arange(len(labels))
        return np.sort(rows[train]), np.sort(rows[held_out])
    # A splitter of the user can raise anything.
    except Exception as error:
        hint = "" if given else "; groups are passed to fit, as groups="
        raise InputError(
            f"validation={brief(splitter)} cannot split these images "
            f"({type(error).__name__}: {error}){hint}"
        ) from error
