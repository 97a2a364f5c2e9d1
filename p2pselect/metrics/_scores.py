"""The scores that scorers have names for: functions of an explanation, and what they need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.metrics import _certainty as certainty
from p2pselect.metrics import _fidelity as fidelity
from p2pselect.metrics import _localization as localization
from p2pselect.metrics import _perturbation as perturbation
from p2pselect.metrics import _rows as rows
from p2pselect.metrics._reveal import PredictProba

NEEDS = ("masks", "valid", "y", "predict_proba")
"""What a score may need besides the explanation."""


def _localization(exp: ExplanationArrays, masks: np.ndarray, valid: np.ndarray | None) -> Any:
    return localization.localization_score(exp.pixel_masks, masks, valid=valid)


def _mask_iou(exp: ExplanationArrays, masks: np.ndarray, valid: np.ndarray | None) -> Any:
    return localization.mask_iou_score(exp.pixel_masks, masks, valid=valid)


def _mask_recall(exp: ExplanationArrays, masks: np.ndarray, valid: np.ndarray | None) -> Any:
    return localization.mask_recall_score(exp.pixel_masks, masks, valid=valid)


def _pointing_game(exp: ExplanationArrays, masks: np.ndarray, valid: np.ndarray | None) -> Any:
    return localization.pointing_game_score(exp.heat_maps, masks, valid=valid)


def _pixel_ap(exp: ExplanationArrays, masks: np.ndarray, valid: np.ndarray | None) -> float:
    return localization.pixel_average_precision_score(exp.heat_maps, masks, valid=valid)


def _random_row(exp: ExplanationArrays, masks: np.ndarray, valid: np.ndarray | None) -> Any:
    return rows.random_localization(masks, valid=valid)


def _center_row(exp: ExplanationArrays, masks: np.ndarray, valid: np.ndarray | None) -> Any:
    return rows.center_localization(exp.pixel_masks, masks, valid=valid)


def _insertion(exp: ExplanationArrays, predict_proba: PredictProba) -> float:
    return fidelity.insertion_fidelity_curve(exp, predict_proba).area


def _deletion(exp: ExplanationArrays, predict_proba: PredictProba) -> float:
    return fidelity.deletion_fidelity_curve(exp, predict_proba).area


def _insertion_auc(exp: ExplanationArrays, predict_proba: PredictProba) -> float:
    return perturbation.insertion_auc(exp, predict_proba).area


def _deletion_auc(exp: ExplanationArrays, predict_proba: PredictProba) -> float:
    return perturbation.deletion_auc(exp, predict_proba).area


def _kept_fraction(exp: ExplanationArrays) -> float:
    return float(exp.kept_fraction.mean())


def _n_selected_regions(exp: ExplanationArrays) -> float:
    return float(exp.region_masks.sum(axis=1).mean())


def _n_empty(exp: ExplanationArrays) -> float:
    return float((~exp.region_masks.any(axis=1)).sum())


def _certainty_reached(exp: ExplanationArrays) -> float:
    return float(exp.certainty_reached.mean())


def _calibration_error(exp: ExplanationArrays, y: np.ndarray) -> float:
    return certainty.expected_calibration_error(exp.predicted == y, exp.certainty)


def _aurc(exp: ExplanationArrays, y: np.ndarray) -> float:
    return certainty.aurc(exp.predicted == y, exp.certainty)


_MASKS = ("masks", "valid")
_MODEL = ("predict_proba",)
SCORES: dict[str, tuple[Callable[..., Any], tuple[str, ...], bool]] = {
    # name: function, what it needs, whether greater is better
    "localization": (_localization, _MASKS, True),
    "mask_iou": (_mask_iou, _MASKS, True),
    "mask_recall": (_mask_recall, _MASKS, True),
    "pointing_game": (_pointing_game, _MASKS, True),
    "pixel_average_precision": (_pixel_ap, _MASKS, True),
    "random_localization": (_random_row, _MASKS, True),
    "center_localization": (_center_row, _MASKS, True),
    "insertion_fidelity": (_insertion, _MODEL, True),
    "neg_deletion_fidelity": (_deletion, _MODEL, False),
    "insertion_auc": (_insertion_auc, _MODEL, True),
    "neg_deletion_auc": (_deletion_auc, _MODEL, False),
    "sufficiency": (perturbation.sufficiency, _MODEL, True),
    "comprehensiveness": (perturbation.comprehensiveness, _MODEL, True),
    "neg_kept_fraction": (_kept_fraction, (), False),
    "neg_n_selected_regions": (_n_selected_regions, (), False),
    "neg_n_empty": (_n_empty, (), False),
    "certainty_reached": (_certainty_reached, (), True),
    "neg_calibration_error": (_calibration_error, ("y",), False),
    "neg_aurc": (_aurc, ("y",), False),
}
