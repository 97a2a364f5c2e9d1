"""How networks learn: phases of epochs, the step that an objective sees, terms of losses."""

from p2pselect.training._loss_terms import (
    covariance_penalty,
    expected_kept_fraction,
    monte_carlo_cross_entropy,
    sparsity_hinge,
)
from p2pselect.training._phases import Phase, Step

__all__ = [
    "Phase",
    "Step",
    "covariance_penalty",
    "expected_kept_fraction",
    "monte_carlo_cross_entropy",
    "sparsity_hinge",
]
