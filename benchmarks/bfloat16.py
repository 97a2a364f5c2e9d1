"""The rounding of ``precision="bf16-mixed"``, for processors that are hopelessly slow at it.

What autocast computes in bfloat16 is computed in 32 bits here, with its inputs and outputs
rounded to bfloat16, forward and backward.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from skorch.callbacks import Callback
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from p2pselect.nn._image_network import ImageNetwork

#: What autocast computes in lower precision, as far as image networks call it.
LOWERED = {torch.conv2d, F.linear, torch.matmul, torch.bmm, F.scaled_dot_product_attention}


def is_fast() -> bool:
    """Whether this machine has instructions for such numbers."""
    return torch.cuda.is_available() or torch.cpu._is_avx512_bf16_supported()


def rounded(value: Any) -> Any:
    """A tensor as bfloat16 holds it, and with it its gradient."""
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.bfloat16().float()
    return value


class Rounding(TorchFunctionMode):
    """Round inputs and outputs of what autocast would compute in bfloat16."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func not in LOWERED:
            return func(*args, **kwargs)
        return rounded(
            func(*map(rounded, args), **{name: rounded(v) for name, v in kwargs.items()})
        )


class RoundNetworks(Callback):
    """Makes the networks of a training compute as with ``precision="bf16-mixed"``."""

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        round_networks(net.module_)


def round_networks(model: nn.Module) -> None:
    """Make the networks of a model compute as with ``precision="bf16-mixed"``."""

    def rounding(forward: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        with Rounding():
            return forward(images)

    for network in model.modules():
        if isinstance(network, ImageNetwork):
            network.forward = partial(rounding, network.forward)
