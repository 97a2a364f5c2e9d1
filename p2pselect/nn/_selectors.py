"""The selector: an LR-ASPP head on any backbone, giving per-pixel maps, and its tau input."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from p2pselect.exceptions import InputError, brief
from p2pselect.nn._backbones import (
    as_image_network,
    check_network_name,
    create_timm,
    mean_and_std,
)
from p2pselect.nn._image_network import ImageNetwork
from p2pselect.nn._own_networks import build_own, check_outputs
from p2pselect.nn._weights import Pretrained, fitting_weights, with_pretrained

TORCHVISION_LRASPP = "lraspp_mobilenet_v3_large"
#: Mean and standard deviation of ImageNet, per channel.
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class LRASPPHead(nn.Module):
    """Lite R-ASPP head (Howard et al., 2019, figure 10) on two feature maps.

    Parameters
    ----------
    low_channels, high_channels : int
        Channels of the finer and of the coarser feature map.
    n_maps : int
        Number of output maps.
    inter_channels : int, default=128
        Width of the head.
    """

    def __init__(
        self, low_channels: int, high_channels: int, n_maps: int, inter_channels: int = 128
    ):
        super().__init__()
        self.cbr = nn.Sequential(
            nn.Conv2d(high_channels, inter_channels, 1, bias=False),
            nn.BatchNorm2d(inter_channels),
            nn.ReLU(),
        )
        self.scale = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(high_channels, inter_channels, 1, bias=False),
            nn.Sigmoid(),
        )
        self.low_classifier = nn.Conv2d(low_channels, n_maps, 1)
        self.high_classifier = nn.Conv2d(inter_channels, n_maps, 1)

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        """Map features (n, c, h, w) and (n, c', h', w') to maps (n, n_maps, h, w)."""
        x = self.cbr(high) * self.scale(high)
        x = F.interpolate(x, size=low.shape[-2:], mode="bilinear", align_corners=False)
        return self.low_classifier(low) + self.high_classifier(x)

    def additive_slope(self) -> Tensor:
        """What adding 1 to every input of the last 1x1 convolutions adds to each map."""
        low, high = self.low_classifier.weight, self.high_classifier.weight
        return low.sum(dim=(1, 2, 3)) + high.sum(dim=(1, 2, 3))


class PixelScorer(nn.Module):
    """A backbone that returns two feature maps, and an LR-ASPP head on them."""

    def __init__(self, backbone: nn.Module, head: LRASPPHead):
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (n, 3, h, w) to maps (n, n_maps, h', w')."""
        features = self.backbone(images)
        low, high = features.values() if isinstance(features, dict) else features
        return self.head(low, high)


class Selector(nn.Module):
    r"""Pixel maps of selection logits and embeddings, and the offset that tau adds.

    The paper gives tau to the network by adding it before the last linear layer, which
    is exactly a global bias: the order of the regions never depends on tau and the masks
    for rising tau are nested.  That is kept as the property: one pass per image serves
    every tau.

    Parameters
    ----------
    pixel_scorer : Module
        Maps images (n, 3, h, w) in [0, 1] to maps (n, 1 + embedding_dim, h', w').
    embedding_dim : int
        Size k of the region embeddings (3 in the paper).
    tau_input : {"logit", "additive"} or None, default="logit"
        ``"logit"`` offsets the region logits by ``s * logit(tau)`` with one learned slope
        ``s > 0`` that starts at 1, so that the expected kept fraction starts at tau;
        ``"additive"`` is the released form, ``a * tau`` on every map with the slopes that
        follow from the last convolutions.  None is a selector that is not told tau: it
        was trained for a single one.
    """

    # logit(1) is infinite; at .995 an undecided region is kept with probability .995.
    MAX_TAU = 0.995

    def __init__(
        self, pixel_scorer: nn.Module, embedding_dim: int, tau_input: str | None = "logit"
    ):
        super().__init__()
        self.pixel_scorer = pixel_scorer
        self.embedding_dim = embedding_dim
        self.tau_input = tau_input
        if tau_input == "logit":
            self.raw_slope = nn.Parameter(torch.tensor(math.log(math.e - 1)))  # softplus -> 1

    def forward(self, images: Tensor) -> Tensor:
        """Map images (n, 3, h, w) in [0, 1] to maps (n, 1 + k, h', w') at tau = 0 offset."""
        return self.pixel_scorer(images)

    def tau_offset(self, tau: Tensor) -> Tensor:
        """Offset of every map at ``tau``, (n,) -> (n, 1 + k)."""
        if self.tau_input is None:
            return tau.new_zeros(len(tau), 1 + self.embedding_dim)
        if self.tau_input == "additive":
            return tau[:, None] * self._head.additive_slope()
        offset = F.softplus(self.raw_slope) * torch.logit(tau.clamp(max=self.MAX_TAU))
        return F.pad(offset[:, None], (0, self.embedding_dim))

    @property
    def _head(self) -> LRASPPHead:
        for module in self.pixel_scorer.modules():
            if isinstance(module, LRASPPHead):
                return module
        raise InputError(
            "tau_input='additive' needs a selector with an LR-ASPP head; "
            "use tau_input='logit' with a selector factory"
        )


def build_pixel_scorer(
    selector: str | Callable[[int], nn.Module],
    n_maps: int,
    pretrained: Pretrained = False,
    options: dict[str, Any] | None = None,
    image_size: int = 64,
) -> ImageNetwork:
    """Build the network that maps images to ``n_maps`` pixel maps.

    Parameters
    ----------
    selector : str or callable
        ``"lraspp_mobilenet_v3_large"`` (torchvision's, the paper's), a timm model name
        (its ``features_only`` form gets an LR-ASPP head), or a factory
        ``n_maps -> Module`` mapping images (n, 3, h, w) in [0, 1] to maps.
    n_maps : int
    pretrained : {True, False, "auto"} or path, default=False
    options : dict, optional
        ``strides`` (pair of int, default (8, 16)): strides of the finer and the coarser
        feature map of a timm backbone; smaller ones suit images under 100 pixels.
        ``head_channels`` (int, default 128): width of the head.  ``weights``
        ("segmentation" or "imagenet", default "segmentation"): which of torchvision's
        weights; the first, as used by the paper, saw segmentation masks of the 20 VOC
        classes.
    image_size : int, default=64
        Side in pixels of the images on which the module of a factory is tried.

    Raises
    ------
    UnknownNameError
        If no network has this name; the message lists near matches.
    InputError
        If ``options`` has an unknown key, or the backbone has no such strides.
    """
    if callable(selector):
        network = build_own("selector", selector, n_maps)
        check_outputs("selector", network, n_maps, image_size)
        if not isinstance(pretrained, bool) and pretrained != "auto":
            weights = fitting_weights(pretrained, network, "the selector's factory")
            network.load_state_dict(weights, strict=False)
        return as_image_network(network)
    options = dict(options or {})
    check_network_name(selector, known=[TORCHVISION_LRASPP])
    build = _torchvision_lraspp if selector == TORCHVISION_LRASPP else _timm_lraspp
    try:
        return build(selector, n_maps, pretrained, **options)
    except TypeError as error:
        raise InputError(
            f"selector_options={brief(options)} of {brief(selector)}: {error}"
        ) from error


def _timm_lraspp(
    name: str,
    n_maps: int,
    pretrained: Pretrained,
    *,
    strides: tuple[int, int] = (8, 16),
    head_channels: int = 128,
) -> ImageNetwork:
    import timm

    trunk: Any = timm.create_model(name, features_only=True)
    reductions = trunk.feature_info.reduction()
    if len(strides) != 2 or not set(strides) <= set(reductions):
        raise InputError(
            f"selector_options: {brief(name)} has feature maps of strides {reductions}, "
            f"got strides={strides}"
        )
    indices = tuple(reductions.index(stride) for stride in strides)
    backbone: Any = create_timm(name, pretrained, features_only=True, out_indices=indices)
    low, high = backbone.feature_info.channels()
    network = PixelScorer(backbone, LRASPPHead(low, high, n_maps, head_channels))
    return ImageNetwork(network, *mean_and_std(name))


def _torchvision_lraspp(
    name: str,
    n_maps: int,
    pretrained: Pretrained,
    *,
    head_channels: int = 128,
    weights: str = "segmentation",
) -> ImageNetwork:
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large

    if weights not in ("segmentation", "imagenet"):
        raise InputError(
            f"selector_options: weights must be 'segmentation' or 'imagenet', "
            f"got {brief(weights)}"
        )

    def build(source: bool | Path) -> nn.Module:
        if source is True and weights == "segmentation":
            return lraspp_mobilenet_v3_large(weights="DEFAULT")
        backbone = "IMAGENET1K_V1" if source is True else None
        network = lraspp_mobilenet_v3_large(weights=None, weights_backbone=backbone)
        if isinstance(source, Path):
            # Its last layers are for the classes of a segmentation, and are replaced.
            heads = ("classifier.low_classifier", "classifier.high_classifier")
            network.load_state_dict(fitting_weights(source, network, name, heads), strict=False)
        return network

    network: Any = with_pretrained(name, pretrained, build)
    low, high = (network.classifier.low_classifier, network.classifier.cbr[0])
    head = LRASPPHead(low.in_channels, high.in_channels, n_maps, head_channels)
    if head_channels == high.out_channels:
        head.cbr.load_state_dict(network.classifier.cbr.state_dict())
        head.scale.load_state_dict(network.classifier.scale.state_dict())
    return ImageNetwork(PixelScorer(network.backbone, head), *_IMAGENET)
