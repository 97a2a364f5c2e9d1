"""Terms that refer to a black box: what it learns, and how far another classifier is off."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from p2pselect.training._objective import LossTerms, Step

#: Largest difference of probabilities that rounding may have made.
_ROUNDING = 1e-6


def blackbox_objective(step: Step) -> LossTerms:
    """Cross-entropy of the sub-module ``blackbox`` on whole images."""
    logits = step.model.blackbox(step.images)
    return {"cross_entropy": F.cross_entropy(logits, step.target, reduction="none")}


def copy_blackbox(model: Any, data: Any) -> None:
    """Start the classifier from the black box."""
    model.classifier.load_state_dict(model.blackbox.state_dict())


def ask(teacher: torch.nn.Module, images: Tensor) -> Tensor:
    """Logits of a frozen network on images, without a gradient."""
    with torch.no_grad():
        return teacher(images)


def kl_to_teacher(teacher_logits: Tensor, logits: Tensor) -> Tensor:
    r"""Kullback-Leibler divergence :math:`KL(g \,\|\, f)` from a teacher's softmax, (n,)."""
    log_teacher = teacher_logits.log_softmax(dim=1)
    return (log_teacher.exp() * (log_teacher - logits.log_softmax(dim=1))).sum(dim=1)


def l1_distance(logits: Tensor, other_logits: Tensor) -> Tensor:
    """Sum over classes of absolute differences of probabilities, in [0, 2], shape (n,).

    Differences that rounding makes count as none: their gradient would be as large as that of
    any other, in a direction that means nothing.
    """
    apart = (logits.softmax(dim=1) - other_logits.softmax(dim=1)).abs()
    return torch.where(apart > _ROUNDING, apart, 0.0).sum(dim=1)
