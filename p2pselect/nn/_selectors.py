"""The selector: an LR-ASPP head on any backbone, giving per-pixel maps, and its tau input."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from p2pselect.exceptions import InputError, brief
from p2pselect.nn._backbones import channels_option, create_timm, mean_and_std
from p2pselect.nn._image_network import ImageNetwork
from p2pselect.nn._network_names import (
    TORCHVISION_IMAGENET,
    TORCHVISION_LRASPP,
    check_network_name,
)
from p2pselect.nn._own_networks import build_own
from p2pselect.nn._timm_sketches import choose_maps, sketch
from p2pselect.nn._weights import Pretrained, fitting_weights, with_pretrained


class PixelScorer(nn.Module):
    """A backbone that returns feature maps, and torchvision's LR-ASPP head on first and last.

    The head is that of Howard et al. (2019, figure 10).
    """

    def __init__(self, backbone: nn.Module, head: Any):
        super().__init__()
        self.backbone = backbone
        self.head = head
        # Some transformers of timm return maps (n, h', w', c).
        self.channels_last = getattr(backbone, "output_fmt", None) == "NHWC"

    def forward(self, images: Tensor) -> Tensor:
        """Map normalized images (n, 3, h, w) to maps (n, n_maps, h', w')."""
        features = self.backbone(images)
        maps = [*features.values()] if isinstance(features, dict) else features
        if self.channels_last:
            maps = [each.permute(0, 3, 1, 2) for each in maps]
        # A single map is both.
        return self.head({"low": maps[0], "high": maps[-1]})

    def additive_slope(self) -> Tensor:
        """What adding 1 to every input of the last 1x1 convolutions adds to each map."""
        low, high = self.head.low_classifier.weight, self.head.high_classifier.weight
        return low.sum(dim=(1, 2, 3)) + high.sum(dim=(1, 2, 3))


class Selector(nn.Module):
    r"""Pixel maps of selection logits and embeddings, and the offset that tau adds.

    The paper gives tau to the network by adding it before the last linear layer, which is
    exactly a global bias: the order of the regions never depends on tau, and the masks for
    rising tau are nested.  One pass per image therefore serves every tau.

    ``tau_input="logit"`` offsets the region logits by ``s * logit(tau)`` with one learned slope
    ``s > 0`` that starts at 1, so that the expected kept fraction starts at tau; ``"additive"``
    is the released form, ``a * tau`` on every map with the slopes that follow from the last
    convolutions.  None is a selector that is not told tau, because it is trained for one only.

    With ``n_masks`` above 1, every label has selection logits of its own, to all of which tau
    adds the same.
    """

    # logit(1) is infinite; at .995 an undecided region is kept with probability .995.
    MAX_TAU = 0.995

    def __init__(
        self,
        pixel_scorer: nn.Module,
        embedding_dim: int,
        tau_input: str | None = "logit",
        n_masks: int = 1,
    ):
        super().__init__()
        self.pixel_scorer = pixel_scorer
        self.embedding_dim = embedding_dim
        self.tau_input = tau_input
        self.n_masks = n_masks
        if tau_input == "logit":
            self.raw_slope = nn.Parameter(torch.tensor(math.log(math.e - 1)))  # softplus -> 1

    def forward(self, images: Tensor) -> Tensor:
        """Map images (n, 3, h, w) in [0, 1] to maps (n, n_masks + k, h', w'), without tau."""
        return self.pixel_scorer(images)

    def tau_offset(self, tau: Tensor) -> Tensor:
        """Offset of selection logits and embeddings at ``tau``, (n,) -> (n, 1 + k)."""
        if self.tau_input is None:
            return tau.new_zeros(len(tau), 1 + self.embedding_dim)
        if self.tau_input == "additive":
            return tau[:, None] * self._additive_slope()
        offset = F.softplus(self.raw_slope) * torch.logit(tau.clamp(max=self.MAX_TAU))
        # Embeddings do not depend on tau.
        return F.pad(offset[:, None], (0, self.embedding_dim))

    def _additive_slope(self) -> Tensor:
        for module in self.pixel_scorer.modules():
            slope: Any = getattr(module, "additive_slope", None)
            if slope is not None:
                return slope()
        raise InputError(
            "tau_input='additive' needs a selector with an LR-ASPP head; "
            "use tau_input='logit' with a selector factory"
        )


def build_pixel_scorer(
    selector: str | Callable[[int], nn.Module],
    n_maps: int,
    pretrained: Pretrained = False,
    options: dict[str, Any] | None = None,
    image_size: int | tuple[int, int] = 64,
    n_channels: int = 3,
) -> ImageNetwork:
    """Build the network that maps images to ``n_maps`` pixel maps.

    A name is torchvision's ``"lraspp_mobilenet_v3_large"`` (the paper's) or a timm model, whose
    ``features_only`` form gets an LR-ASPP head, for images of ``image_size`` (side, or height
    and width).  A factory ``n_maps -> Module`` is tried on images of that size.  The option of
    a timm model is ``strides`` (pair of int, default (8, 16) or the nearest that it has), those
    of the finer and the coarser feature map: smaller ones suit images of less than 100 pixels.
    That of torchvision's network is ``weights`` ("segmentation" or "imagenet"): the first,
    which the paper uses, comes from segmentation masks of the 20 VOC classes.  Both take
    ``head_channels`` (128), the width of the head.
    """
    if callable(selector):
        return build_own("selector", selector, n_maps, image_size, pretrained, n_channels)
    options = dict(options or {})
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    check_network_name(selector, known=[TORCHVISION_LRASPP])
    build = _torchvision_lraspp if selector == TORCHVISION_LRASPP else _timm_lraspp
    try:
        return build(selector, n_maps, pretrained, size, n_channels, **options)
    # Python's own message names an option that the builder does not take.
    except TypeError as error:
        raise InputError(
            f"selector_options={brief(options)} of {brief(selector)}: {error}"
        ) from error


def _timm_lraspp(
    name: str,
    n_maps: int,
    pretrained: Pretrained,
    size: tuple[int, int],
    n_channels: int,
    *,
    strides: tuple[int, int] | None = None,
    head_channels: int = 128,
) -> ImageNetwork:
    from torchvision.models.segmentation.lraspp import LRASPPHead

    seen = sketch(name, size, features_only=True, **channels_option(n_channels))
    reductions = [each["reduction"] for each in seen.network.feature_info.info]
    if strides is not None and not (len(strides) == 2 and set(strides) <= set(reductions)):
        raise InputError(
            f"selector_options: {brief(name)} has feature maps of strides "
            f"{sorted(set(reductions))}, got strides={strides}"
        )
    indices = sorted(set(choose_maps(reductions, strides)))
    options: dict[str, Any] = {"features_only": True, "out_indices": indices}
    options |= channels_option(n_channels)
    getter: Any = type(seen.network)
    if getter.__name__ == "FeatureGetterNet" and len(set(reductions)) == 1:
        # What the blocks of a transformer add up is of any scale, and meant to be normalized.
        options["feature_cls"] = partial(getter, norm=True)
    backbone: Any = create_timm(name, pretrained, **options, **seen.options)
    channels = backbone.feature_info.channels()
    head = LRASPPHead(channels[0], channels[-1], n_maps, head_channels)
    constants = mean_and_std(name)
    network = ImageNetwork(PixelScorer(backbone, head), *constants, n_channels=n_channels)
    network.image_size = None if seen.size == size else seen.size
    return network


def _torchvision_lraspp(
    name: str,
    n_maps: int,
    pretrained: Pretrained,
    size: tuple[int, int],
    n_channels: int,
    *,
    head_channels: int = 128,
    weights: str = "segmentation",
) -> ImageNetwork:
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large
    from torchvision.models.segmentation.lraspp import LRASPPHead

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
            found = fitting_weights(source, network, name, heads)
            network.load_state_dict(found.fitting, strict=False)
        return network

    weights_name = name if weights == "segmentation" else TORCHVISION_IMAGENET
    network: Any = with_pretrained(weights_name, pretrained, build)
    low, high = (network.classifier.low_classifier, network.classifier.cbr[0])
    head = LRASPPHead(low.in_channels, high.in_channels, n_maps, head_channels)
    # At its own width, all of the head but the last layers is pretrained, too.
    if head_channels == high.out_channels:
        head.cbr.load_state_dict(network.classifier.cbr.state_dict())
        head.scale.load_state_dict(network.classifier.scale.state_dict())
    if n_channels != 3:
        _read_channels(network.backbone["0"][0], n_channels)
    scorer = PixelScorer(network.backbone, head)
    return ImageNetwork(scorer, *mean_and_std(name), n_channels=n_channels)


def _read_channels(convolution: nn.Conv2d, n_channels: int) -> None:
    """Let the first convolution of a network read other channels, as timm's networks do."""
    from timm.models import adapt_input_conv

    weight = adapt_input_conv(n_channels, convolution.weight.detach())
    convolution.weight = nn.Parameter(weight)
    convolution.in_channels = n_channels
