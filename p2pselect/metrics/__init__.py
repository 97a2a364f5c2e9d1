"""Scores of explanations: plain functions, and scorers for scikit-learn's model selection.

If a name ends in ``_score``, greater is better; if it ends in ``_error``, less is better.
Scorer objects are signed so that greater is always better.
"""

from p2pselect.metrics._agreement import SelectionAgreement, selection_agreement
from p2pselect.metrics._certainty import (
    ReliabilityCurve,
    RiskCoverageCurve,
    aurc,
    calibration_error_floor,
    coverage_score,
    expected_calibration_error,
    reliability_curve,
    risk_coverage_curve,
    selective_accuracy_score,
)
from p2pselect.metrics._fidelity import (
    FidelityCurve,
    complement_disagreement,
    deletion_fidelity_curve,
    deletion_probability_curve,
    full_image_agreement,
    insertion_fidelity_curve,
    insertion_probability_curve,
)
from p2pselect.metrics._localization import (
    center_localization,
    localization_score,
    mask_iou_score,
    mask_recall_score,
    pixel_average_precision_score,
    pointing_game_score,
    random_localization,
)
from p2pselect.metrics._object_masks import check_object_masks, masks_on_grid
from p2pselect.metrics._perturbed_images import PAPER_GRID, CachedPredictProba
from p2pselect.metrics._scorers import (
    ExplanationScorer,
    ExplanationScorers,
    get_scorer,
    get_scorer_names,
    make_explanation_scorer,
)
from p2pselect.metrics._sparsity import kept_fraction, n_empty_masks, n_selected_regions
from p2pselect.metrics._stops import ThresholdCurve, threshold_curve

__all__ = [
    "PAPER_GRID",
    "CachedPredictProba",
    "ExplanationScorer",
    "ExplanationScorers",
    "FidelityCurve",
    "ReliabilityCurve",
    "RiskCoverageCurve",
    "SelectionAgreement",
    "ThresholdCurve",
    "aurc",
    "calibration_error_floor",
    "center_localization",
    "coverage_score",
    "check_object_masks",
    "complement_disagreement",
    "deletion_fidelity_curve",
    "deletion_probability_curve",
    "expected_calibration_error",
    "full_image_agreement",
    "get_scorer",
    "get_scorer_names",
    "insertion_fidelity_curve",
    "insertion_probability_curve",
    "kept_fraction",
    "localization_score",
    "make_explanation_scorer",
    "mask_iou_score",
    "mask_recall_score",
    "masks_on_grid",
    "n_empty_masks",
    "n_selected_regions",
    "pixel_average_precision_score",
    "pointing_game_score",
    "random_localization",
    "reliability_curve",
    "risk_coverage_curve",
    "selection_agreement",
    "selective_accuracy_score",
    "threshold_curve",
]
