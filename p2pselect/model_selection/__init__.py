"""Cross-validation of explanations, settings that cost no training, and a learning rate."""

from p2pselect.model_selection._cross_validation import (
    CertaintySearchCV,
    cross_validate_explanations,
)
from p2pselect.model_selection._learning_rate import LearningRateDisplay, find_learning_rate

__all__ = [
    "CertaintySearchCV",
    "LearningRateDisplay",
    "cross_validate_explanations",
    "find_learning_rate",
]
