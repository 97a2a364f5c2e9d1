"""Frozen first layers without needless gradients: the same numbers for less work."""

import pytest
import timm
import torch
from torch import nn

from p2pselect.nn._image_network import ImageNetwork
from p2pselect.nn._model import SelectiveModel

FIXED = torch.tensor([True, False, True, True, False])


class Dense(nn.Module):
    """Its last layer sees the image itself, beside what the others make of it."""

    def __init__(self):
        super().__init__()
        self.convs = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1))
        self.head = nn.Linear(2, 3)

    def forward(self, images):
        seen = [self.convs(images).mean(dim=(1, 2, 3)), images.mean(dim=(1, 2, 3))]
        return self.head(torch.stack(seen, dim=1))


def half_frozen(network, share=0.5):
    network = ImageNetwork(network)
    network.frozen_share = share
    network.train()
    network.freeze()
    return network


def learned(network, fixed, size=32):
    """Logits, gradients to all masks and to all weights, and what batches have been seen."""
    network.zero_grad()
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(5, 3, size, size, generator=generator)
    regions = torch.arange(size)[:, None].expand(5, size, size) // 4
    masks = torch.rand(5, size // 4, generator=generator).requires_grad_()
    # As where the masks of some images are drawn and those of others are selected.
    some = torch.where(FIXED[:, None], masks.detach(), masks)
    logits = SelectiveModel(nn.Identity(), network).classify(images, regions, some, fixed)
    (logits * torch.rand(logits.shape, generator=generator)).sum().backward()
    weights = {n: p.grad for n, p in network.named_parameters() if p.grad is not None}
    buffers = {n: b.clone() for n, b in network.named_buffers()}
    return logits.detach(), masks.grad, weights, buffers


NAMES = [
    "test_efficientnet",
    "test_resnet",
    "test_vit",
    "test_convnext",
    "test_byobnet",
    "test_mambaout",
]


def built(name):
    torch.manual_seed(0)
    return Dense() if name == "dense" else timm.create_model(name, num_classes=3)


@pytest.mark.parametrize("share", [0.5, 1.0])
@pytest.mark.parametrize("name", [*NAMES, "dense"])
def test_nothing_changes_but_the_work(name, share):
    expected, found = (
        learned(half_frozen(built(name), share), fixed) for fixed in (None, FIXED)
    )
    for of_old, of_new in zip(expected[:2], found[:2], strict=True):
        torch.testing.assert_close(of_new, of_old, rtol=1e-3, atol=1e-5)
    for of_old, of_new in zip(expected[2:], found[2:], strict=True):
        assert of_old.keys() == of_new.keys()
        for key in of_old:
            torch.testing.assert_close(of_new[key], of_old[key], rtol=1e-3, atol=1e-5)
    assert (found[1][FIXED] == 0).all()
    assert (found[1][~FIXED] != 0).any(dim=1).all()


@pytest.mark.parametrize("share", [0.5, 1.0])
@pytest.mark.parametrize("name", NAMES)
def test_fixed_images_leave_no_gradients_in_frozen_layers(name, share):
    network = half_frozen(built(name), share)
    learned(network, FIXED)  # to find out where the two meet
    seen = {True: 0, False: 0}
    first = next(layer for layer in network.frozen_layers() if isinstance(layer, nn.Conv2d))
    first.register_forward_hook(
        lambda _, args, output: seen.update(
            {output.requires_grad: seen[output.requires_grad] + len(output)}
        )
    )
    learned(network, FIXED)
    assert seen == {False: 3, True: 2}


def test_a_layer_that_is_given_only_a_part_is_no_joint():
    network = half_frozen(built("dense"))
    first = []
    network.network.convs[0].register_forward_hook(lambda _, args, output: first.append(output))
    learned(network, FIXED)
    assert [len(output) for output in first][-1] == 5


@pytest.mark.parametrize("share_fixed", [0, 1])
def test_none_and_all(share_fixed):
    network = half_frozen(built("test_resnet"))
    outputs = []
    network.network.conv1.register_forward_hook(lambda _, args, out: outputs.append(out))
    logits = learned(network, torch.full((5,), bool(share_fixed)))[0]
    torch.testing.assert_close(logits, learned(half_frozen(built("test_resnet")), None)[0])
    assert [(len(out), out.requires_grad) for out in outputs] == [(5, not share_fixed)]


def test_nothing_is_split_where_nothing_is_frozen():
    network = half_frozen(built("test_resnet"), share=0.0)
    sizes = []
    network.network.conv1.register_forward_hook(lambda _, args, out: sizes.append(len(out)))
    learned(network, FIXED)
    assert sizes == [5]


def test_looking_for_the_joint_leaves_no_trace():
    network = half_frozen(built("test_efficientnet"))
    training = {name: module.training for name, module in network.named_modules()}
    state = torch.random.get_rng_state()
    shown = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    before = {n: b.clone() for n, b in network.named_buffers()}
    assert network._joint(shown.requires_grad_()) is not None
    assert torch.equal(torch.random.get_rng_state(), state)
    assert training == {name: module.training for name, module in network.named_modules()}
    assert all(torch.equal(b, before[n]) for n, b in network.named_buffers())
    assert not any(module._forward_pre_hooks for module in network.modules())
