"""B-cos: networks that are linear while they explain."""

import copy
import warnings

import numpy as np
import pytest
import timm
import torch
from torch import nn

from p2pselect.exceptions import P2PSelectWarning
from p2pselect.methods import BcosClassifier
from p2pselect.methods._bcos import (
    BcosConv2d,
    BcosLinear,
    BcosNetwork,
    bcos_objective,
    explaining,
    to_bcos,
)

HALF = torch.full((3, 1, 1), 0.5)


def toy(activation=None):
    torch.manual_seed(0)
    return BcosNetwork(
        nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            activation or nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1, groups=2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.LayerNorm(8),
            nn.Linear(8, 4),
        ),
        HALF,
        HALF,
        4,
    )


def test_linear_layer_is_the_formula():
    linear = nn.Linear(5, 3)
    x, w = torch.randn(7, 5), linear.weight.detach()
    cosine = (x @ w.T) / (x.norm(dim=1, keepdim=True) * w.norm(dim=1))
    wanted = (x @ w.T) * cosine.abs() * w.norm(dim=1)
    torch.testing.assert_close(BcosLinear(linear)(x), wanted)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_convolution_is_the_linear_layer_on_every_patch(groups):
    convolution = nn.Conv2d(4, 8, 3, stride=2, groups=groups)
    x = torch.randn(2, 4, 9, 9)
    found = BcosConv2d(copy.deepcopy(convolution))(x)
    for row, column in ((0, 0), (3, 1)):
        patch = x[:, :, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
        for g in range(groups):
            inputs = patch.chunk(groups, dim=1)[g].flatten(1)
            weights = convolution.weight.chunk(groups)[g].flatten(1)
            out = inputs @ weights.T
            wanted = out * out.abs() / inputs.norm(dim=1, keepdim=True)
            torch.testing.assert_close(found.chunk(groups, 1)[g][:, :, row, column], wanted)


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.GELU(), nn.SiLU()])
def test_contributions_sum_to_the_logit(activation):
    network = toy(activation).eval()
    images = torch.rand(3, 3, 8, 8)
    with torch.inference_mode():
        logits = network(images) - network.logit_bias
        contributions = network.contributions(images)
    torch.testing.assert_close(
        contributions.sum(dim=(1, 2)), logits.amax(1), rtol=1e-3, atol=1e-6
    )


def test_gradient_times_input_is_not_the_explanation():
    network = toy(nn.GELU()).eval()
    images = torch.rand(3, 3, 8, 8)
    encoded = network.encode(images).requires_grad_()
    top = network.network(encoded).amax(dim=1)
    with explaining(network.network):  # too late: the graph is built
        (plain,) = torch.autograd.grad(top.sum(), encoded)
    maps = (encoded * plain).sum(dim=1)
    assert not torch.allclose(maps, network.contributions(images), rtol=0.05)
    assert not torch.allclose(maps.sum(dim=(1, 2)), top, rtol=0.05)
    assert not any(getattr(module, "explaining", False) for module in network.modules())


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_convnext"])
def test_timm_networks_sum_too(name):
    torch.manual_seed(0)
    network = BcosNetwork(timm.create_model(name, num_classes=3), HALF, HALF, 3)
    images = torch.rand(4, 3, 32, 32)
    for _ in range(60):  # batch statistics
        network(images)
    network.eval()
    top = (network(images) - network.logit_bias).amax(dim=1)
    torch.testing.assert_close(
        network.contributions(images).sum((1, 2)), top, rtol=2e-2, atol=0
    )


def test_attention_is_a_constant_of_the_explanation():
    network = to_bcos(timm.create_model("test_vit", img_size=32, num_classes=3)).eval()
    attention = network.blocks[0].attn
    assert type(attention.qkv) is nn.Linear and attention.qkv.bias is None
    assert isinstance(attention.proj, BcosLinear)
    tokens = torch.randn(1, 5, 64, requires_grad=True)
    with explaining(network):
        out = attention(tokens)
        (gradient,) = torch.autograd.grad(out[0, 0, 0], tokens)
    torch.testing.assert_close((gradient * tokens).sum(), out[0, 0, 0], rtol=1e-4, atol=1e-7)


def test_weights_read_six_channels_as_they_read_three():
    convolution = nn.Conv2d(3, 8, 3)
    images = torch.rand(2, 3, 8, 8)
    std = torch.tensor([0.2, 0.3, 0.4]).view(3, 1, 1)
    wanted = convolution((images - 0.5) / std) - convolution.bias[:, None, None]
    network = BcosNetwork(nn.Sequential(convolution), HALF, std, 2)
    six = network.network[0].linear(network.encode(images))
    torch.testing.assert_close(six, wanted, rtol=1e-4, atol=1e-5)


def test_what_contributions_leave_out_is_said(make, X, y):
    with pytest.warns(P2PSelectWarning, match=r"make up -?\d+% of the logit"):
        vit = make(BcosClassifier, classifier="test_vit").fit(X, y)
    network = vit.module_.classifier
    images = torch.tensor(X).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        logits = (network(images) - network.logit_bias).amax(dim=1)
    share = float(network.contributions(images).sum() / logits.sum())
    assert network.explained_share(images) == pytest.approx(share, rel=1e-3)
    assert abs(share - 1) > 0.05
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        convolutional = make(BcosClassifier).fit(X, y)
    assert convolutional.module_.classifier.explained_share(images) == pytest.approx(
        1, abs=0.02
    )


def test_no_bias_is_left():
    network = BcosNetwork(timm.create_model("test_vit", img_size=32), HALF, HALF, 3)
    assert not [name for name, _ in network.named_parameters() if name.endswith("bias")]


def test_the_wrong_classes_have_a_target_above_zero(toy_step):
    step = toy_step()
    step.model.forward = lambda images: torch.zeros(5, 3)
    loss = bcos_objective(step)["binary_cross_entropy"]
    torch.testing.assert_close(loss, torch.full((5,), 3 * torch.log(torch.tensor(2.0)).item()))
    shares = torch.tensor([1 / 3] * 3)
    step.model.forward = lambda images: shares.logit().expand(5, 3)
    entropy = -(shares * shares.log() + (1 - shares) * (1 - shares).log())
    wanted = 2 * entropy[0] - shares[0].log()
    torch.testing.assert_close(bcos_objective(step)["binary_cross_entropy"], wanted.expand(5))


def test_prediction_sees_all_and_marks_tau(make, X, y):
    clf = make(BcosClassifier, regions="pixel", tau=0.25).fit(X, y)
    exp = clf.explain(X)
    assert (exp.kept_fraction == 1).all()
    assert (exp.pixel_masks.mean(axis=(1, 2)) == 0.25).all()
    np.testing.assert_allclose(exp.masked_images, X / 255, rtol=1e-5)
