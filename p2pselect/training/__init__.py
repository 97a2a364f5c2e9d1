"""Training: what an objective sees and says, phases of epochs, and the terms of losses.

A method returns :class:`Phase` objects; each has an objective that maps a :class:`Step` to
terms of the loss.
"""

from typing import TYPE_CHECKING

from p2pselect._lazy import lazy_names

if TYPE_CHECKING:
    from p2pselect.training._loss_terms import (
        covariance_penalty,
        evidence_penalty,
        expected_kept_fraction,
        geometric_schedule,
        monte_carlo_cross_entropy,
        sparsity_hinge,
        sparsity_schedule,
    )
    from p2pselect.training._options import TrainingOptions
    from p2pselect.training._phases import Phase, Step

__all__ = [
    "Phase",
    "Step",
    "TrainingOptions",
    "covariance_penalty",
    "evidence_penalty",
    "expected_kept_fraction",
    "geometric_schedule",
    "monte_carlo_cross_entropy",
    "sparsity_hinge",
    "sparsity_schedule",
]

_FILES = {"Phase": "_phases", "Step": "_phases", "TrainingOptions": "_options"}
# Lazy, so that settings of training can be made without torch.
__getattr__, __dir__ = lazy_names(
    globals(),
    {name: f"p2pselect.training.{_FILES.get(name, '_loss_terms')}" for name in __all__},
)
