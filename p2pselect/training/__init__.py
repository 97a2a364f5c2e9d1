"""Training: what an objective sees and says, phases of epochs, and the terms of losses.

A method returns :class:`Phase` objects; each has an objective that maps a :class:`Step` to
terms of the loss.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    # Lazy, so that settings of training can be made without torch.
    if name not in __all__:
        raise AttributeError(f"module 'p2pselect.training' has no attribute {name!r}")
    files = {"Phase": "_phases", "Step": "_phases", "TrainingOptions": "_options"}
    file = files.get(name, "_loss_terms")
    return getattr(import_module(f"p2pselect.training.{file}"), name)
