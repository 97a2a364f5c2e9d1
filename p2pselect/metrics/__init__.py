"""Scores of explanations: plain functions, and scorers for scikit-learn's model selection.

Names ending in ``_score`` are better when greater, in ``_error`` when less; scorer objects
are signed so that greater is always better.
"""

from p2pselect.metrics._certainty import (
    RiskCoverageCurve,
    aurc,
    certainty_reached,
    expected_calibration_error,
    risk_coverage_curve,
)
from p2pselect.metrics._fidelity import (
    FidelityCurve,
    deletion_fidelity_curve,
    insertion_fidelity_curve,
)
from p2pselect.metrics._localization import (
    localization_score,
    mask_iou_score,
    mask_recall_score,
    pixel_average_precision_score,
    pointing_game_score,
)
from p2pselect.metrics._object_masks import check_object_masks
from p2pselect.metrics._ordering import PAPER_GRID
from p2pselect.metrics._perturbation import (
    comprehensiveness,
    deletion_auc,
    insertion_auc,
    sufficiency,
)
from p2pselect.metrics._reveal import RememberingClassifier
from p2pselect.metrics._rows import center_localization, random_localization
from p2pselect.metrics._scorers import (
    ExplanationScorer,
    ExplanationScorers,
    get_scorer,
    get_scorer_names,
    make_explanation_scorer,
)
from p2pselect.metrics._sparsity import kept_fraction, n_empty_masks, n_selected_regions

__all__ = [
    "PAPER_GRID",
    "ExplanationScorer",
    "ExplanationScorers",
    "FidelityCurve",
    "RememberingClassifier",
    "RiskCoverageCurve",
    "aurc",
    "center_localization",
    "certainty_reached",
    "check_object_masks",
    "comprehensiveness",
    "deletion_auc",
    "deletion_fidelity_curve",
    "expected_calibration_error",
    "get_scorer",
    "get_scorer_names",
    "insertion_auc",
    "insertion_fidelity_curve",
    "kept_fraction",
    "localization_score",
    "make_explanation_scorer",
    "mask_iou_score",
    "mask_recall_score",
    "n_empty_masks",
    "n_selected_regions",
    "pixel_average_precision_score",
    "pointing_game_score",
    "random_localization",
    "risk_coverage_curve",
    "sufficiency",
]
