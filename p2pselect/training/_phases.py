"""Phases of training: which modules learn from which objective, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from p2pselect.nn._image_network import ImageNetwork
from p2pselect.training._objective import Objective


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs with one objective.

    Attributes
    ----------
    name : str
    epochs : int
    objective : callable
        See :data:`p2pselect.training._objective.Objective`.  What it learns outside of the model
        belongs into an attribute ``memory`` with ``state_dict`` and ``load_state_dict``.
    trainable : tuple of str
        Sub-modules of the model that learn; all others are frozen and in eval mode, so
        that their batch statistics stay as they are too.
    begin : callable, optional
        ``(model, training data) -> None``, called before the first epoch of the phase.
    before_epoch : callable, optional
        ``(model, training data) -> None``, called before every other epoch of the phase: a
        ``fit`` that continues, or ``partial_fit``, can have brought other data.
    """

    name: str
    epochs: int
    objective: Objective
    trainable: tuple[str, ...]
    begin: Callable[[Any, Any], None] | None = None
    before_epoch: Callable[[Any, Any], None] | None = None


def phase_at(phases: Sequence[Phase], epoch: int) -> tuple[Phase, int]:
    """The phase that ``epoch`` (from 0) belongs to, and its first epoch.

    Epochs past the end belong to the last phase: that is what ``partial_fit`` continues.
    """
    first = 0
    for phase in phases:
        if epoch < first + phase.epochs or phase is phases[-1]:
            return phase, first
        first += phase.epochs
    raise ValueError("no phases")


def phases_after(phases: Sequence[Phase], phase: Phase) -> list[Phase]:
    """Those of some phases that come after one of them and have epochs."""
    at = [other is phase for other in phases].index(True)
    return [later for later in phases[at + 1 :] if later.epochs]


def set_training(module: nn.Module, phase: Phase) -> None:
    """Put the phase's modules into training mode; freeze the others, and first layers."""
    module.eval()
    for name, child in module.named_children():
        learns = name in phase.trainable
        child.train(learns)
        child.requires_grad_(learns)
    for network in module.modules():
        if isinstance(network, ImageNetwork):
            network.freeze()
