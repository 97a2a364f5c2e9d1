"""The one table of scores by name: functions of an explanation, and what else they need."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.metrics import _certainty as certainty
from p2pselect.metrics import _fidelity as fidelity
from p2pselect.metrics import _localization as localization
from p2pselect.metrics._perturbed_images import PredictProba

NEEDS = ("masks", "valid", "y", "predict_proba")
"""What a score may need besides the explanation."""


def _of_masks(score: Callable[..., Any], exp: ExplanationArrays, masks: Any, valid: Any) -> Any:
    return score(exp.pixel_masks, masks, valid=valid)


def _of_heat_maps(
    score: Callable[..., Any], exp: ExplanationArrays, masks: Any, valid: Any
) -> Any:
    return score(exp.heat_maps, masks, valid=valid)


def _center(exp: ExplanationArrays, masks: Any, valid: Any) -> Any:
    return localization.center_localization(
        exp.pixel_masks, masks, valid=valid, inside=exp.regions >= 0
    )


def _random(exp: ExplanationArrays, masks: Any, valid: Any) -> Any:
    return localization.random_localization(masks, valid=valid)


def _area(
    curve: Callable[..., fidelity.FidelityCurve],
    exp: ExplanationArrays,
    predict_proba: PredictProba,
) -> float:
    return curve(exp, predict_proba).area


def _of_certainty(score: Callable[..., float], exp: ExplanationArrays, y: np.ndarray) -> float:
    return score(exp._right(y), exp.certainty)


def _kept_fraction(exp: ExplanationArrays) -> float:
    # Not that of the pixel masks: a continuous mask also shows pixels outside them.
    return float(exp.kept_fraction.mean())


def _n_selected_regions(exp: ExplanationArrays) -> float:
    return float(exp.region_masks.sum(axis=1).mean())


def _n_empty(exp: ExplanationArrays) -> float:
    return float((~exp.region_masks.any(axis=1)).sum())


def _coverage(exp: ExplanationArrays) -> float:
    return certainty.coverage_score(exp.answered)


def _selective_accuracy(exp: ExplanationArrays, y: np.ndarray) -> float:
    return certainty.selective_accuracy_score(exp._right(y), exp.answered)


_MASKS = ("masks", "valid")
_MODEL = ("predict_proba",)
# Partial objects of functions that a module has, so that scorers can be pickled.
SCORES: dict[str, tuple[Callable[..., Any], tuple[str, ...], bool]] = {
    # name: function, what it needs, whether greater is better
    "localization": (partial(_of_masks, localization.localization_score), _MASKS, True),
    "mask_iou": (partial(_of_masks, localization.mask_iou_score), _MASKS, True),
    "mask_recall": (partial(_of_masks, localization.mask_recall_score), _MASKS, True),
    "pointing_game": (partial(_of_heat_maps, localization.pointing_game_score), _MASKS, True),
    "pixel_average_precision": (
        partial(_of_heat_maps, localization.pixel_average_precision_score),
        _MASKS,
        True,
    ),
    "random_localization": (_random, _MASKS, True),
    "center_localization": (_center, _MASKS, True),
    "insertion_fidelity": (partial(_area, fidelity.insertion_fidelity_curve), _MODEL, True),
    "neg_deletion_fidelity": (partial(_area, fidelity.deletion_fidelity_curve), _MODEL, False),
    "insertion_auc": (partial(_area, fidelity.insertion_probability_curve), _MODEL, True),
    "neg_deletion_auc": (partial(_area, fidelity.deletion_probability_curve), _MODEL, False),
    "full_image_agreement": (fidelity.full_image_agreement, _MODEL, True),
    "complement_disagreement": (fidelity.complement_disagreement, _MODEL, True),
    "neg_kept_fraction": (_kept_fraction, (), False),
    "neg_n_selected_regions": (_n_selected_regions, (), False),
    "neg_n_empty": (_n_empty, (), False),
    "coverage": (_coverage, (), True),
    "selective_accuracy": (_selective_accuracy, ("y",), True),
    "neg_calibration_error": (
        partial(_of_certainty, certainty.expected_calibration_error),
        ("y",),
        False,
    ),
    "neg_aurc": (partial(_of_certainty, certainty.aurc), ("y",), False),
}
