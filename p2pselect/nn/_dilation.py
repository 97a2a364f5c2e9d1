"""Dilated depthwise convolutions as undilated ones, whose backward pass is far faster.

On a CPU, torch's backward pass of a depthwise convolution takes twenty times its forward pass
where there is dilation, and four times without.  Segmentation backbones are dilated in their
last, widest blocks.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PhasedConv2d(nn.Conv2d):
    """A depthwise convolution of stride 1 that computes a dilated one phase by phase.

    The pixels in every ``dilation``-th row and column form a small image of their own, on
    which the same weights act without dilation: the same sums, in the same order.
    """

    @staticmethod
    def can_stand_for(module: nn.Module) -> TypeGuard[nn.Conv2d]:
        """Whether this class gives the same results and gradients as a module."""
        return (
            type(module) is nn.Conv2d  # a subclass may compute something else
            and module.dilation != (1, 1)
            and module.groups == module.in_channels
            and module.stride == (1, 1)
            and module.padding_mode == "zeros"
            and not isinstance(module.padding, str)
            and all(
                padding == dilation * (side // 2)
                for padding, dilation, side in zip(
                    module.padding, module.dilation, module.kernel_size, strict=True
                )
            )
        )

    @classmethod
    def like(cls, conv: nn.Conv2d) -> PhasedConv2d:
        """The same convolution, with the same parameters."""
        phased = cls(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,  # type: ignore[arg-type]
            padding=conv.padding,  # type: ignore[arg-type]
            dilation=conv.dilation,  # type: ignore[arg-type]
            groups=conv.groups,
            bias=conv.bias is not None,
            device="meta",  # no memory for weights that are replaced at once
        )
        phased.weight, phased.bias = conv.weight, conv.bias
        return phased.train(conv.training)

    def forward(self, input: Tensor) -> Tensor:
        """Map (n, c, h, w) to (n, c', h, w)."""
        # Only a backward pass on a CPU is slow with dilation.
        if input.device.type != "cpu" or not torch.is_grad_enabled():
            return super().forward(input)
        h, w = input.shape[-2:]
        down, across = self.dilation
        rows, columns = -(-h // down), -(-w // across)
        # What is padded to whole phases is zero, as everything beyond the border.
        padded = F.pad(input, (0, columns * across - w, 0, rows * down - h))
        phases = padded.unflatten(3, (columns, across)).unflatten(2, (rows, down))
        # Channels come last in memory, as in the networks around.
        phases = phases.permute(0, 3, 5, 2, 4, 1).reshape(-1, rows, columns, input.shape[1])
        sides = (self.kernel_size[0] // 2, self.kernel_size[1] // 2)
        seen = F.conv2d(
            phases.permute(0, 3, 1, 2),
            self.weight,
            self.bias,
            padding=sides,
            groups=self.groups,
        )
        seen = seen.permute(0, 2, 3, 1).unflatten(0, (-1, down, across))
        seen = seen.permute(0, 3, 1, 4, 2, 5).flatten(3, 4).flatten(1, 2)
        return seen[:, :h, :w].permute(0, 3, 1, 2)


def without_dilation(network: nn.Module) -> nn.Module:
    """A network with a :class:`PhasedConv2d` for every convolution that it can stand for.

    It is a copy, or ``network`` itself where there is nothing to replace.
    """
    if not any(map(PhasedConv2d.can_stand_for, network.modules())):
        return network
    network = deepcopy(network)
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if PhasedConv2d.can_stand_for(child):
                setattr(parent, name, PhasedConv2d.like(child))
    return network
