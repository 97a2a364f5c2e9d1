r"""B-cos networks (Bohle et al., CVPR 2022 and TPAMI 2024; B-cosification: Arya et al., 2024).

There is no selector and no mask.  Every linear map becomes
:math:`(w \cdot x)\,|\cos(x, w)|`-scaled, without a bias, on the six channels [x, 1 - x].  For a
given input such a network is linear, so that every pixel contributes a part of the logit.  The
pixels that contribute most are kept in ``transform``; the prediction sees all of them.

Minimized is the binary cross-entropy of the logits of all classes, with target 1 for the true
class and 1 / C for the others; the logits start at log(1 / (C - 1)).

The network is any timm network, converted: weights as they are, not of unit length, and B = 2.
Deviations: batch normalization does not center; attention queries and keys are constants of the
explanation; regions of negative contribution are ranked too, where the original cuts at 0 and
leaves ties; probabilities are the softmax.  The explanation mode is entered before the forward
pass: entered after it, the result would be gradient times input.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from p2pselect.estimators import WholeImageNetworkOptions, setting
from p2pselect.exceptions import InputError, P2PSelectWarning, brief
from p2pselect.methods._base import BaselineClassifier
from p2pselect.methods._blackbox import FullImageModel
from p2pselect.nn import RegionScores, region_areas, region_mean
from p2pselect.nn._frozen import PartlyFrozen
from p2pselect.training import Phase, Step
from p2pselect.training._data import TrainingData, as_float_images

_EPS = 1e-12  # inside a square root, whose gradient at 0 (a patch of zeros) is infinite
#: Training images whose logits are summed to check that the contributions explain them, and how
#: far the explained share may be from 1 without a warning.
_N_EXPLAINED, _TOLERANCE = 64, 0.05


def bcos_objective(step: Step) -> dict[str, Tensor]:
    """Binary cross-entropy of all logits; the target of the wrong classes is 1 / C."""
    logits = step.model(step.images)
    target = torch.full_like(logits, 1 / logits.shape[1])
    target.scatter_(1, step.target[:, None], 1.0)
    terms = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return {"binary_cross_entropy": terms.sum(dim=1)}


# -- layers ----------------------------------------------------------------------------------


class Dynamic(nn.Module):
    """A layer that is linear in its input while it explains: its factors are constants then."""

    explaining = False

    def constant(self, factor: Tensor) -> Tensor:
        return factor.detach() if self.explaining else factor


class BcosConv2d(Dynamic):
    r"""B-cos form (B = 2) of a convolution: :math:`(w \cdot x)\,|w \cdot x| / \|x\|`."""

    def __init__(self, convolution: nn.Conv2d):
        super().__init__()
        convolution.register_parameter("bias", None)
        self.linear = convolution
        # The same convolution, padding included, sums the squares of a patch.
        self.square_sum = copy.deepcopy(convolution)
        ones = torch.ones_like(convolution.weight[: convolution.groups])  # one per group
        del self.square_sum.weight
        # A buffer that is not saved: the ones never change.
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


class UncenteredBatchNorm(Dynamic):
    """Batch normalization that only divides: no mean and no bias, hence linear."""

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
    """Layer normalization without a bias, over the last axis or over channels."""

    def __init__(self, norm: nn.LayerNorm, axis: int = -1):
        super().__init__()
        self.eps, self.axis = norm.eps, axis
        self.weight = nn.Parameter(norm.weight.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Map any shape to itself."""
        centered = x - x.mean(dim=self.axis, keepdim=True)
        variance = centered.square().mean(dim=self.axis, keepdim=True)
        weight = self.weight if self.axis == -1 else self.weight[:, None, None]
        return centered * self.constant((variance + self.eps).rsqrt()) * weight


class GatedActivation(Dynamic):
    """An activation f with f(0) = 0, written as a gate f(x) / x on its input."""

    def __init__(self, activation: nn.Module):
        super().__init__()
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Map any shape to itself."""
        if not self.explaining:
            return self.activation(x)
        safe = torch.where(x == 0, torch.ones_like(x), x)  # where x is 0, any gate will do
        # A copy, because the activation may work in place.
        return x * self.constant(self.activation(safe.clone()) / safe)


class Weighting(Dynamic):
    """A module whose output weighs other values, and is constant while explaining."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """Map as the module does."""
        return self.constant(self.module(x))


# -- conversion ------------------------------------------------------------------------------

_ACTIVATIONS = (nn.ReLU6, nn.GELU, nn.SiLU, nn.Hardswish, nn.ReLU, nn.LeakyReLU)
_WEIGHTINGS = (nn.Sigmoid, nn.Hardsigmoid, nn.Softmax)
#: Projections of attention that stay linear, and the norms that only weigh values.
_PLAIN, _WEIGHING = ("qkv", "q", "k", "v"), ("q_norm", "k_norm")


def _converted(name: str, module: nn.Module) -> nn.Module | None:
    """The B-cos form of a module, or None where its children are to be converted."""
    from timm.layers.norm import LayerNorm2d

    if name in _WEIGHING:  # first, because these are norms, too
        return Weighting(module)
    if isinstance(module, nn.BatchNorm2d):
        # timm's own batch norm has dropout and activation as children.
        after = [part for part in ("drop", "act") if hasattr(module, part)]
        parts = [to_bcos(nn.Sequential(getattr(module, part))) for part in after]
        return nn.Sequential(UncenteredBatchNorm(module), *parts)
    if isinstance(module, nn.LayerNorm):
        return BcosLayerNorm(module, axis=1 if isinstance(module, LayerNorm2d) else -1)
    if isinstance(module, nn.Linear):
        if name in _PLAIN:
            module.register_parameter("bias", None)
            return module
        return BcosLinear(module)
    rules: tuple[tuple[tuple[type[nn.Module], ...], Callable[..., nn.Module]], ...] = (
        ((nn.Conv2d,), BcosConv2d),
        (_ACTIVATIONS, GatedActivation),
        (_WEIGHTINGS, Weighting),
    )
    return next((make(module) for kinds, make in rules if isinstance(module, kinds)), None)


def to_bcos(network: nn.Module) -> nn.Module:
    """Replace the layers of a network by their B-cos forms: weights kept, biases dropped."""
    for name, module in list(network.named_children()):
        new = _converted(name, module)
        if new is None:
            to_bcos(module)
        else:
            setattr(network, name, new)
    return network


def _widen_first_convolution(network: nn.Module, n_channels: int) -> None:
    """Let the first convolution read [x, -x] as it has read x."""
    for module in (m for m in network.modules() if isinstance(m, nn.Conv2d)):
        if module.in_channels == n_channels and module.groups == 1:
            weight = module.weight.detach()
            module.weight = nn.Parameter(torch.cat([weight, -weight], dim=1) / 2)
            module.in_channels = 2 * n_channels
            return
    raise InputError("classifier: B-cos needs a network that begins with a 2-D convolution")


class BcosNetwork(PartlyFrozen):
    """A classifier in B-cos form, which sees every channel and its inverse.

    ``network`` maps images (n, c, h, w) to logits and is changed in place; its weights expect
    ``mean`` and ``std`` (c, 1, 1).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: Tensor, std: Tensor, n_classes: int):
        super().__init__()
        _widen_first_convolution(network, len(mean))
        self.network = to_bcos(network)
        # Those of the second half become the negative of the first: what the weights expect.
        self.register_buffer("mean", torch.cat([mean, 1 - mean]), persistent=False)
        self.register_buffer("std", torch.cat([std, std]), persistent=False)
        self.logit_bias = -math.log(max(1, n_classes - 1))

    def encode(self, images: Tensor) -> Tensor:
        """The channels [x, 1 - x], normalized."""
        return (torch.cat([images, 1 - images], dim=1) - self.mean) / self.std

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, n_classes) of images (n, c, h, w) in [0, 1]."""
        return self.network(self.encode(images)) + self.logit_bias

    def contributions(self, images: Tensor) -> Tensor:
        """What every pixel adds to the largest logit, (n, h, w), of either sign.

        They sum to the logit itself as far as the network has no parts that are independent of
        the input (position codes, class tokens, the bias of the logits).
        """
        # Predictions run in inference mode, whose tensors take no gradient: hence the clone.
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
    """Make a B-cos network linear in its input; enter this before the forward pass."""
    layers = [module for module in network.modules() if isinstance(module, Dynamic)]
    for layer in layers:
        layer.explaining = True
    try:
        yield
    finally:
        for layer in layers:
            layer.explaining = False


# -- the method ------------------------------------------------------------------------------


class BcosClassifier(BaselineClassifier, without=("selector",)):
    """Classifier whose logit is a sum of contributions of the pixels.

    ``classifier`` is any timm network whose first layer is a convolution.  In vision
    transformers position codes and the class token contribute a part of the logit that belongs
    to no pixel: ``fit`` warns where the contributions are not the whole logit.

    Parameters
    ----------
    {parameters}

    Examples
    --------
    >>> from p2pselect import datasets, presets
    >>> scenes = datasets.make_digit_scenes(24, image_size=32, random_state=0)
    >>> settings = {**presets.SMALL, "image_size": 32, "max_epochs": 1}
    >>> clf = BcosClassifier(**presets.settings_for(BcosClassifier, settings))
    >>> exp = clf.fit(scenes.images, scenes.target % 2).explain(scenes.images[:2])
    >>> bool(abs(exp.masked_images * 255 - exp.images).max() < 1e-3)  # it saw everything
    True
    """

    networks: WholeImageNetworkOptions | None = setting(
        None, WholeImageNetworkOptions, default=None
    )
    _sees_whole_images = None  # in a form of which nothing is kept

    @property
    def _hinge(self) -> None:
        """Everything is seen, so there is no kept area to penalize."""

    def _build_model(self, n_classes: int) -> nn.Module:
        plain = self._build_classifier(n_classes)
        network = BcosNetwork(plain.network, plain.mean, plain.std, n_classes)
        network.frozen_share = plain.frozen_share
        return FullImageModel(network)

    def _phases(self) -> Sequence[Phase]:
        return [Phase("fit", self.max_epochs, bcos_objective, ("classifier",))]

    def _after_training(self, data: TrainingData) -> None:
        super()._after_training(data)
        some = torch.from_numpy(data.images._on_grid(slice(0, _N_EXPLAINED), self._grid)[0])
        share = self.module_.classifier.explained_share(as_float_images(some.to(self.device_)))
        if abs(share - 1) > _TOLERANCE:
            warnings.warn(
                f"the contributions of the pixels make up {share:.0%} of the logit with "
                f"classifier={brief(self.classifier)}: the rest comes from parts of the "
                "network that do not depend on the image (position codes, class tokens), and "
                "no explanation shows it; convolutional networks such as ResNets have no such "
                "parts",
                P2PSelectWarning,
                stacklevel=2,
            )

    def _method_scores(self, images: Tensor, regions: Tensor) -> RegionScores:
        areas = region_areas(regions)
        contributions = self.module_.classifier.contributions(images)
        # Only the order counts; on this scale a sigmoid of the scores can be shown.
        spread = contributions.std(dim=(1, 2), keepdim=True) + 1e-12  # never 0
        maps = region_mean((contributions / spread)[:, None], regions, areas)
        return RegionScores(maps, areas, shown=(areas > 0).to(maps.dtype))
