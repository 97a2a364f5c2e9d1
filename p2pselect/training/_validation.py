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

    ``labels`` are those of the images (n,), or 0 and 1 for each of their labels (n, n_labels).
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
        enough = len(held_out) >= _FEWEST and _lost(labels, train) is None
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
    if (lost := _lost(labels, train)) is not None:
        raise InputError(f"{name} leaves no image {lost} to train on")
    return train, held_out


def _lost(labels: np.ndarray, rows: np.ndarray) -> str | None:
    """The first class, or label, that none of these rows has; None if they have them all."""
    if labels.ndim == 2:
        lost = np.flatnonzero(labels.any(axis=0) & ~labels[rows].any(axis=0))
        return f"with the label in column {lost[0]}" if len(lost) else None
    missing = np.setdiff1d(labels, labels[rows])
    return f"of class {brief(missing[0].item())}" if len(missing) else None


def strata(labels: np.ndarray, share: float) -> np.ndarray:
    """What an equal share is held out of, a number (n,) for every image: its class.

    If images have several labels, it is their set of labels; but a set that is too rare for one
    of its images to be held out goes with the rarest of its labels.
    """
    if labels.ndim == 1:
        return np.asarray(np.unique(labels, return_inverse=True)[1])
    sets, own, count = np.unique(labels, axis=0, return_inverse=True, return_counts=True)
    # A set without labels has no rarest one, and becomes a stratum in any case.
    frequent = np.where(sets > 0, labels.sum(axis=0), len(labels) + 1)
    rare = (np.round(share * count) < 1) & sets.any(axis=1)
    stratum = np.where(rare, len(sets) + frequent.argmin(axis=1), np.arange(len(sets)))
    return np.asarray(stratum[own.ravel()])


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
    stratum = strata(labels, share)
    for number in np.unique(stratum):
        rows = rng.permutation(np.flatnonzero(stratum == number))
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
