"""Dilated depthwise convolutions, phase by phase: the same results and gradients."""

import copy

import pytest
import torch
from torch import nn

from p2pselect.nn._dilation import PhasedConv2d, without_dilation
from p2pselect.nn._image_network import ImageNetwork
from p2pselect.nn._selectors import build_pixel_scorer


def depthwise(side=5, dilation=2, bias=False, multiplier=1, **changes):
    """A depthwise convolution of 6 channels that keeps the size of its input."""
    sides = (side, side) if isinstance(side, int) else side
    dilations = (dilation, dilation) if isinstance(dilation, int) else dilation
    padding = tuple(d * (s // 2) for s, d in zip(sides, dilations, strict=True))
    settings = {"padding": padding, "dilation": dilations, "groups": 6, "bias": bias, **changes}
    return nn.Conv2d(6, 6 * multiplier, sides, **settings)


@pytest.mark.parametrize(
    ("conv", "shape"),
    [
        (depthwise(), (14, 14)),
        (depthwise(3, bias=True), (13, 10)),
        (depthwise((3, 5), (2, 3), bias=True, multiplier=2), (7, 11)),
        (depthwise(3, 4), (5, 6)),
        (depthwise(5, 2, bias=True), (1, 1)),
    ],
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_results_and_gradients_are_those_of_the_dilated_convolution(conv, shape, layout):
    torch.manual_seed(0)
    own = copy.deepcopy(conv).double()
    assert PhasedConv2d.can_stand_for(own)
    phased = PhasedConv2d.like(own)
    x = torch.randn(3, 6, *shape, dtype=torch.double).to(memory_format=layout)
    weights = torch.randn(3, own.out_channels, *shape, dtype=torch.double)
    found = []
    for module in (own, phased):
        images = x.clone().requires_grad_()
        out = module(images)
        gradients = torch.autograd.grad((out * weights).sum(), [images, *module.parameters()])
        found.append([out, *gradients])
    for given, wanted in zip(found[1], found[0], strict=True):
        torch.testing.assert_close(given, wanted)
    with torch.no_grad():
        torch.testing.assert_close(phased(x), found[0][0])


@pytest.mark.parametrize(
    "other",
    [
        depthwise(dilation=1),
        depthwise(groups=2),
        depthwise(stride=2),
        depthwise(padding=0),
        depthwise(padding="same"),
        depthwise(padding_mode="reflect"),
        nn.Conv1d(6, 6, 3, dilation=2, padding=2, groups=6),
    ],
)
def test_other_convolutions_stay_as_they_are(other):
    assert not PhasedConv2d.can_stand_for(other)


def test_the_papers_selector_keeps_its_weights_and_their_names():
    scorer = build_pixel_scorer("lraspp_mobilenet_v3_large", 4)
    dilated = [m for m in scorer.modules() if isinstance(m, nn.Conv2d) and m.dilation[0] > 1]
    assert len(dilated) == 3
    assert all(type(m) is PhasedConv2d for m in dilated)
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large

    plain = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None).backbone
    assert list(scorer.network.backbone.state_dict()) == list(plain.state_dict())
    plain.load_state_dict(scorer.network.backbone.state_dict())
    images = torch.rand(2, 3, 64, 64)
    high = scorer.network.backbone.train()(images)["high"]
    torch.testing.assert_close(high, plain.train()(images)["high"], atol=1e-4, rtol=1e-4)


def test_a_second_time_changes_nothing():
    network = without_dilation(nn.Sequential(depthwise()))
    assert type(network[0]) is PhasedConv2d
    assert without_dilation(network) is network


def test_the_network_that_was_given_stays_as_it_is():
    given = nn.Sequential(depthwise(), nn.Sequential(depthwise()))
    wrapped = ImageNetwork(given)
    assert type(given[0]) is type(given[1][0]) is nn.Conv2d
    assert type(wrapped.network[1][0]) is PhasedConv2d
    assert wrapped.network[0].weight is not given[0].weight
