"""Remove and retrain: what a fresh classifier learns where a model's regions are gone."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import clone

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.exceptions import P2PSelectWarning
from p2pselect.metrics._encoding import first_within, region_orders

#: Orders in which regions are removed: the model's, and two that it had no part in.
_KINDS = ("selected", "scattered", "contiguous")


def retrained_without(
    judge: Any,
    learned: ExplanationArrays,
    y: np.ndarray,
    exp: ExplanationArrays,
    truth: np.ndarray,
    shares: np.ndarray,
    random_state: int,
) -> dict[str, np.ndarray]:
    """How much fresh classifiers get right on images without their first regions (ROAR).

    Each has the settings of the `judge`, learns from the images of `learned` with labels `y`,
    from which the first regions that fit within a share of the area are removed, and answers
    those of `exp`, from which as much is removed; `truth` are the right answers.  Rows by name,
    one column per level: the shares, the stop, of which there is none, and the images as they
    are.
    """
    orders = [region_orders(each, None, random_state) for each in (learned, exp)]

    def right_by(images: np.ndarray, new: np.ndarray) -> np.ndarray:
        answers = exp._kind.answers(_learned(judge, images, y, new))
        return exp._kind.share_right(answers, truth)

    whole = right_by(learned.images, exp.images)
    rows = {}
    for kind in _KINDS:
        right = np.full((len(exp), len(shares) + 2), np.nan)
        for level, share in enumerate(shares):
            old, new = (
                without_first(each, order[kind], share)
                for each, order in zip((learned, exp), orders, strict=True)
            )
            right[:, level] = right_by(old, new)
        right[:, -1] = whole
        rows["retrained" if kind == "selected" else f"retrained: {kind}"] = right
    return rows


def without_first(exp: ExplanationArrays, order: np.ndarray, share: float) -> np.ndarray:
    """Images (n, h, w, c) without the first regions that fit within a share, at least one."""
    return exp.masked_by(~first_within(exp, order, share))


def _learned(judge: Any, images: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Probabilities of a classifier with the settings of the judge that learns from images.

    Both are on the grid of the model, with values as `Explanation.images` has them.
    """
    n_channels = images.shape[-1]
    fresh = clone(judge).set_params(
        images__channels="last",
        images__image_shape=None,
        images__n_channels=None if n_channels == 3 else n_channels,
        images__value_range=None,
        images__pages=None,
        images__channel_files=None,
    )
    # Every random mask of images that are one region shows all of it.
    one_region = np.zeros(images.shape[:3], np.int32)
    with warnings.catch_warnings():
        # To learn nothing from what is left is no mistake here.
        warnings.simplefilter("ignore", P2PSelectWarning)
        fresh.fit(images, y, regions=one_region)
    proba: np.ndarray = fresh.predict_proba_masked(new)
    return proba
