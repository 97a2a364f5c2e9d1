"""Audits, cross-validation of explanations, settings that cost no training, learning rates."""

from p2pselect.model_selection._audit import audit
from p2pselect.model_selection._audit_result import Audit
from p2pselect.model_selection._cross_validation import (
    CertaintySearchCV,
    cross_validate_explanations,
)
from p2pselect.model_selection._learning_rate import LearningRateDisplay, find_learning_rate
from p2pselect.model_selection._randomization import RandomizedSelections, randomize_selector

__all__ = [
    "Audit",
    "CertaintySearchCV",
    "LearningRateDisplay",
    "RandomizedSelections",
    "audit",
    "cross_validate_explanations",
    "find_learning_rate",
    "randomize_selector",
]
