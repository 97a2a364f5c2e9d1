"""A training at rising learning rates: the range test."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from skorch.callbacks import Callback

from p2pselect.training._callbacks import StopTraining

#: A smoothed loss this many times the lowest one shows that training has come apart.
_TOO_LARGE = 4.0
#: Weight of the losses before in the smoothed one.
_MEMORY = 0.9


@dataclass
class RangeTest(Callback):
    """Raises the rate from step to step, geometrically, and records the smoothed loss.

    It trains in the phase in which most of the modules learn, and stops after ``n_steps``, or
    when the loss has grown to a multiple of the lowest one (Smith 2017, section 3.3).
    """

    low: float
    high: float
    n_steps: int
    rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        # Nothing before that phase prepares for it, and its schedules stay at their start.
        net.phases = [max(net.phases, key=lambda phase: len(phase.trainable))]
        self.mean_ = 0.0

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        done = len(self.rates) / max(1, self.n_steps - 1)
        self.rates.append(self.low * (self.high / self.low) ** done)
        for group in net.optimizer_.param_groups:
            group["lr"] = self.rates[-1] * group.get("lr_share", 1.0)

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        loss = net.history[-1, "batches", -1, "train_loss"]
        self.mean_ = _MEMORY * self.mean_ + (1 - _MEMORY) * loss
        # Divided by the sum of the weights, which is not yet 1 at the start.
        self.losses.append(self.mean_ / (1 - _MEMORY ** len(self.rates)))
        worst = _TOO_LARGE * min(self.losses)
        if len(self.losses) >= self.n_steps or self.losses[-1] > worst:
            raise StopTraining
