"""The mean of the weights over the last steps, which may predict better than the last ones."""

from __future__ import annotations

from typing import Any

from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class WeightAverage(Callback):
    r"""Exponential moving average :math:`\bar w \leftarrow \beta \bar w + (1 - \beta) w`.

    Training goes on with the weights themselves; the mean takes their place at its end.
    Buffers, such as batch statistics, are those of the last step.

    Parameters
    ----------
    module : Module
    decay : float
        beta, in (0, 1); about ``1 / (1 - decay)`` steps count.
    """

    def __init__(self, module: nn.Module, decay: float):
        self.averaged = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(decay))

    def on_batch_end(self, net: NeuralNet, training: bool = False, **kwargs: Any) -> None:
        if training:
            self.averaged.update_parameters(net.module_)

    def take_over(self, module: nn.Module) -> None:
        """Put the mean in the place of the weights, if there was a step at all."""
        if self.averaged.n_averaged:
            module.load_state_dict(self.averaged.module.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return self.averaged.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what a checkpoint has kept."""
        self.averaged.load_state_dict(state)
