"""A moving average of the weights, which is measured and predicts in the place of them."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from p2pselect.nn._frozen import frozen_parameters


class WeightAverage:
    r"""Exponential moving average :math:`\bar w \leftarrow \beta \bar w + (1 - \beta) w`.

    An epoch trains the weights themselves; once it has, the mean is in their place, for
    held-out images and whoever else looks at the networks between two epochs.  Buffers, such as
    batch statistics, are those of the last step, and so are frozen layers.
    """

    def __init__(self, module: nn.Module, decay: float):
        self.averaged = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(decay))
        #: The weights themselves, while the mean is in their place.
        self.own: dict[str, Any] | None = None

    def update(self, module: nn.Module) -> None:
        """Count the weights after a step."""
        self.averaged.update_parameters(module)

    def take_over(self, module: nn.Module) -> None:
        """Put the mean in the place of the weights, if there was a step at all."""
        if self.own is None and self.averaged.n_averaged:
            self.own = {name: value.clone() for name, value in module.state_dict().items()}
            # What was copied into them when a phase began has to stay as it was copied.
            frozen = frozen_parameters(module)
            mean = self.averaged.module.state_dict().items()
            module.load_state_dict({k: v for k, v in mean if k not in frozen}, strict=False)

    def give_back(self, module: nn.Module) -> None:
        """Put the weights themselves back."""
        if self.own is not None:
            module.load_state_dict(self.own)
            self.own = None

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"averaged": self.averaged.state_dict(), "own": self.own}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what a checkpoint has kept."""
        self.averaged.load_state_dict(state["averaged"])
        self.own = state["own"]
