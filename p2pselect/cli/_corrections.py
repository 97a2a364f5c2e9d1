"""Corrections on the command line: masks to learn from, and a model to go on from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from p2pselect.cli._files import Labeled
from p2pselect.datasets import Correction, correction_masks
from p2pselect.exceptions import InputError

if TYPE_CHECKING:
    from p2pselect import P2PClassifier

#: A model that goes on needs this share of the epochs that it has been trained for.
SHARE_OF_EPOCHS = 0.25


def model_to_correct(path: Path, given: dict[str, Any]) -> P2PClassifier:
    """A saved model, ready to go on with the settings that are given."""
    from p2pselect import P2PClassifier

    clf = P2PClassifier.load(path)
    epochs = max(1, round(SHARE_OF_EPOCHS * clf.max_epochs))
    clf.set_params(**{"max_epochs": epochs, **given}, warm_start=True)
    print(f"going on from {path}, for {clf.max_epochs} epochs")
    return clf


def masks_for(
    clf: P2PClassifier, corrections: list[Correction], found: Labeled
) -> list[np.ndarray | None]:
    """Masks of the corrected images, which are trained on rather than held out."""
    regions = None
    if any(one.regions is not None for one in corrections):
        from p2pselect.estimators._inputs import propose_all, resolve_regions

        proposer = resolve_regions(clf.regions, clf.n_jobs)
        regions = propose_all(proposer, found.images, clf._grid)
    masks = correction_masks(corrections, found.images, regions, resize=clf.resize)
    corrected = np.array([mask is not None for mask in masks])
    if not corrected.any():
        raise InputError("--corrections: the file has no entry")
    clf.set_params(validation=_without(corrected, clf.validation, found))
    print(f"{corrected.sum()} images are corrected")
    return masks


def _without(corrected: np.ndarray, validation: Any, found: Labeled) -> Any:
    """The same images are held out, except for corrected ones and those of their groups."""
    from sklearn.model_selection import PredefinedSplit

    from p2pselect.training._validation import given_apart, split_rows

    if validation is None or given_apart(validation):
        return validation
    held_out = np.zeros(len(corrected), bool)
    held_out[split_rows(validation, found.labels, found.groups)[1]] = True
    if found.groups is not None:
        corrected = np.isin(found.groups, found.groups[corrected])
    if not (held_out & corrected).any():
        return validation
    print(f"{(held_out & corrected).sum()} images that would be held out teach, too")
    rest = held_out & ~corrected
    return PredefinedSplit(np.where(rest, 0, -1)) if rest.any() else None
