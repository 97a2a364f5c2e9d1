"""B-cos networks: conversion of ordinary ones, and what every pixel contributes to a logit.

Bohle et al., CVPR 2022 and TPAMI 2024; conversion: Arya et al., NeurIPS 2024.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from p2pselect.exceptions import InputError

_EPS = 1e-12


class Dynamic(nn.Module):
    """A layer that is linear in its input while it explains: its factors are constants."""

    explaining = False

    def constant(self, factor: Tensor) -> Tensor:
        return factor.detach() if self.explaining else factor


class BcosConv2d(Dynamic):
    r"""B-cos form (B = 2) of a convolution: :math:`(w \cdot x)\,|w \cdot x| / \|x\|`."""

    def __init__(self, convolution: nn.Conv2d):
        super().__init__()
        convolution.register_parameter("bias", None)
        self.linear = convolution
        # The same convolution, padding and all, that sums the squares of a patch.
        self.square_sum = copy.deepcopy(convolution)
        ones = torch.ones_like(convolution.weight[: convolution.groups])
        del self.square_sum.weight
        self.square_sum.register_buffer("weight", ones, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to (n, c', h', w')."""
        out = self.linear(x)
        norm = (self.square_sum(x.square()) + _EPS).sqrt()
        repeats = out.shape[1] // norm.shape[1]
        return out * self.constant(out.abs() / norm.repeat_interleave(repeats, dim=1))


class BcosLinear(Dynamic):
    r"""B-cos form (B = 2) of a linear layer: :math:`(w \cdot x)\,|w \cdot x| / \|x\|`."""

    def __init__(self, linear: nn.Linear):
        super().__init__()
        linear.register_parameter("bias", None)
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., c) to (..., c')."""
        out = self.linear(x)
        norm = (x.square().sum(dim=-1, keepdim=True) + _EPS).sqrt()
        return out * self.constant(out.abs() / norm)


class UncentredBatchNorm(Dynamic):
    """Batch normalisation that divides only: no mean, no bias, hence linear."""

    running_var: Tensor

    def __init__(self, norm: nn.BatchNorm2d):
        super().__init__()
        self.eps, self.momentum = norm.eps, norm.momentum or 0.1
        self.weight = nn.Parameter(norm.weight.detach().clone())
        self.register_buffer("running_var", torch.ones_like(self.weight))
        if norm.running_var is not None:
            self.running_var.copy_(norm.running_var)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        variance = self.running_var
        if self.training:
            variance = x.var(dim=(0, 2, 3), unbiased=False)
            with torch.no_grad():
                self.running_var.lerp_(variance, self.momentum)
        return x * (self.weight * (variance + self.eps).rsqrt())[:, None, None]


class BcosLayerNorm(Dynamic):
    """Layer normalisation without a bias, over the last axis or over channels."""

    def __init__(self, norm: nn.LayerNorm, axis: int = -1):
        super().__init__()
        self.eps, self.axis = norm.eps, axis
        self.weight = nn.Parameter(norm.weight.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Map any shape to itself."""
        centred = x - x.mean(dim=self.axis, keepdim=True)
        variance = centred.square().mean(dim=self.axis, keepdim=True)
        weight = self.weight if self.axis == -1 else self.weight[:, None, None]
        return centred * self.constant((variance + self.eps).rsqrt()) * weight


class Gated(Dynamic):
    """An activation f with f(0) = 0 as a gate f(x) / x on its input."""

    def __init__(self, activation: nn.Module):
        super().__init__()
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Map any shape to itself."""
        if not self.explaining:
            return self.activation(x)
        safe = torch.where(x == 0, torch.ones_like(x), x)
        return x * self.constant(self.activation(safe.clone()) / safe)


class Weights(Dynamic):
    """A module whose result weighs other values: constant while explaining."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """Whatever the module gives."""
        return self.constant(self.module(x))


_ACTIVATIONS = (nn.ReLU6, nn.GELU, nn.SiLU, nn.Hardswish, nn.ReLU, nn.LeakyReLU)
_WEIGHTS = (nn.Sigmoid, nn.Hardsigmoid, nn.Softmax)
#: Projections of attention that stay linear, and what of them only weighs values.
_PLAIN, _WEIGHING = ("qkv", "q", "k", "v"), ("q_norm", "k_norm")


def _converted(name: str, module: nn.Module) -> nn.Module | None:
    """The B-cos form of a module, or None where its parts are to be converted."""
    from timm.layers.norm import LayerNorm2d

    if name in _WEIGHING:
        return Weights(module)
    if isinstance(module, nn.BatchNorm2d):
        after = [part for part in ("drop", "act") if hasattr(module, part)]
        parts = [to_bcos(nn.Sequential(getattr(module, part))) for part in after]
        return nn.Sequential(UncentredBatchNorm(module), *parts)
    if isinstance(module, nn.LayerNorm):
        return BcosLayerNorm(module, axis=1 if isinstance(module, LayerNorm2d) else -1)
    if isinstance(module, nn.Linear):
        if name in _PLAIN:
            module.register_parameter("bias", None)
            return module
        return BcosLinear(module)
    rules: tuple[tuple[tuple[type[nn.Module], ...], Callable[..., nn.Module]], ...] = (
        ((nn.Conv2d,), BcosConv2d),
        (_ACTIVATIONS, Gated),
        (_WEIGHTS, Weights),
    )
    return next((make(module) for kinds, make in rules if isinstance(module, kinds)), None)


def to_bcos(network: nn.Module) -> nn.Module:
    """Replace the layers of a network by their B-cos forms, weights kept, biases dropped."""
    for name, module in list(network.named_children()):
        new = _converted(name, module)
        if new is None:
            to_bcos(module)
        else:
            setattr(network, name, new)
    return network


def _widen_first_convolution(network: nn.Module) -> None:
    """Let the first convolution read [x, -x] as it read x."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.in_channels == 3 and module.groups == 1:
            weight = module.weight.detach()
            module.weight = nn.Parameter(torch.cat([weight, -weight], dim=1) / 2)
            module.in_channels = 6
            return
    raise InputError("classifier: B-cos needs a network that begins with a 2-D convolution")


class BcosNetwork(nn.Module):
    """A classifier in B-cos form, which sees every colour and its inverse.

    Parameters
    ----------
    network : Module
        Maps images (n, 3, h, w) to logits (n, n_classes); it is changed.
    mean, std : Tensor of shape (3, 1, 1)
        Normalisation that its weights expect.
    n_classes : int
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: Tensor, std: Tensor, n_classes: int):
        super().__init__()
        _widen_first_convolution(network)
        self.network = to_bcos(network)
        self.register_buffer("mean", torch.cat([mean, 1 - mean]), persistent=False)
        self.register_buffer("std", torch.cat([std, std]), persistent=False)
        self.logit_bias = -math.log(max(1, n_classes - 1))

    def encode(self, images: Tensor) -> Tensor:
        """Six channels [x, 1 - x], normalised."""
        return (torch.cat([images, 1 - images], dim=1) - self.mean) / self.std

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, n_classes) of images (n, 3, h, w) in [0, 1]."""
        return self.network(self.encode(images)) + self.logit_bias

    def contributions(self, images: Tensor) -> Tensor:
        """What every pixel adds to the largest logit, (n, h, w), of either sign.

        The sum is the logit itself as far as the network has no input-independent parts
        (position codes, class tokens, the bias of the logits).
        """
        with torch.inference_mode(False), torch.enable_grad(), explaining(self.network):
            encoded = self.encode(images.clone()).detach().requires_grad_()
            largest = self.network(encoded).amax(dim=1)
            (weight,) = torch.autograd.grad(largest.sum(), encoded)
        return (encoded * weight).sum(dim=1).detach()

    @torch.inference_mode()
    def explained_share(self, images: Tensor) -> float:
        """Share of the largest logits that the contributions make up, over all images."""
        logits = self.network(self.encode(images)).amax(dim=1)
        return float(self.contributions(images).sum() / logits.sum())


@contextmanager
def explaining(network: nn.Module) -> Iterator[None]:
    """Make a B-cos network linear in its input; to be entered before the forward pass."""
    layers = [module for module in network.modules() if isinstance(module, Dynamic)]
    for layer in layers:
        layer.explaining = True
    try:
        yield
    finally:
        for layer in layers:
            layer.explaining = False
