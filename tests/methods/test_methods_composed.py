"""The whole loss of every method without a black box, against a literal version."""

import pytest
import torch
from methods.training_step import (
    N_CLASSES,
    N_IMAGES,
    N_REGIONS,
    PROGRESS,
    Trainee,
    assert_same,
    drawn_again,
    modules,
    total,
    uniform,
)
from oracles import losses as oracle
from torch import nn

from p2pselect import methods

TAU = 0.3


# -- without a selector -------------------------------------------------------------------


def test_blackbox():
    own = Trainee(methods.BlackboxClassifier)
    twin, classify = modules(own)
    loss = total(own, lambda i, image, labels, label: oracle.full_image(classify, image, label))
    assert_same(own.step(), {"classifier": loss}, twin)


@pytest.mark.parametrize("progress", PROGRESS)
@pytest.mark.parametrize("tau", [0.1, 0.45])
def test_blackbox_pixel(progress, tau):
    own = Trainee(methods.BlackboxPixelClassifier, tau=tau)
    twin, classify = modules(own)
    loss = total(
        own,
        lambda i, image, labels, label: oracle.lattice(
            classify, image, labels, label, tau, progress
        ),
    )
    assert_same(own.step(progress=progress), {"classifier": loss}, twin)


def convolution_without_overlap(n_classes):
    return nn.Sequential(
        nn.Conv2d(3, 4, 4, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(16, n_classes)
    )


def test_bcos():
    own = Trainee(methods.BcosClassifier, classifier=convolution_without_overlap)
    twin = own.twin()
    layers = twin.classifier.network
    filters, weights = layers[0].linear.weight, layers[3].linear.weight
    assert filters.shape == (4, 6, 4, 4) and weights.shape == (N_CLASSES, 16)

    def loss_of(i, image, labels, label):
        return oracle.bcos(oracle.bcos_logits(image, filters, weights), label)

    learned = assert_same(own.step(), {"classifier": total(own, loss_of)}, twin)
    assert len(learned) == 2


# -- ancestors and REAL-X -----------------------------------------------------------------


@pytest.mark.parametrize("tau", [0.2, 0.6])
@pytest.mark.parametrize("temperature", [0.1, 0.7])
def test_l2x(tau, temperature):
    own = Trainee(methods.L2XClassifier, tau=tau, temperature=temperature)
    twin, select, classify = modules(own)
    draws = max(1, round(tau * N_REGIONS))
    numbers = uniform(N_IMAGES, draws, N_REGIONS, seed=True)
    loss = total(
        own,
        lambda i, *image: oracle.l2x(select, classify, *image, tau, temperature, numbers[i]),
    )
    assert_same(own.step(), {"": loss}, twin)


@pytest.mark.parametrize("sparsity", ["hinge", "penalty"])
@pytest.mark.parametrize("use_baseline", [True, False])
def test_invase(use_baseline, sparsity):
    own = Trainee(
        methods.INVASEClassifier,
        tau=TAU,
        use_baseline=use_baseline,
        sparsity=sparsity,
        area_weight=0.7,
    )
    twin, select, critic, *baseline = modules(own)
    numbers = uniform(N_IMAGES, N_REGIONS, seed=True)
    tau = TAU if sparsity == "hinge" else None
    losses = {}
    for i, image, labels, label, weight in own.images():
        found = oracle.invase(
            select, critic, *(baseline or [None]), image, labels, label, numbers[i], 0.7, tau
        )
        for name, loss in found.items():
            losses[name] = losses.get(name, 0) + weight * loss
    assert ("baseline" in losses) == use_baseline
    assert_same(own.step(), losses, twin)


@pytest.mark.parametrize("mask_rate", ["half", "uniform"])
def test_realx_classifier(mask_rate):
    own = Trainee(methods.RealXClassifier, mask_rate=mask_rate)
    twin, _, classify = modules(own)
    is_drawn = mask_rate == "uniform"
    rate = uniform(N_IMAGES, seed=True) if is_drawn else torch.full((N_IMAGES,), 0.5)
    numbers = uniform(N_IMAGES, N_REGIONS, seed=not is_drawn)
    loss = total(
        own,
        lambda i, *image: oracle.random_masks(classify, *image, rate[i].item(), numbers[i]),
    )
    assert_same(own.step(0), {"classifier": loss}, twin)


@pytest.mark.parametrize("sparsity", ["hinge", "penalty"])
@pytest.mark.parametrize("estimator", ["rebar", "gumbel"])
@pytest.mark.parametrize("temperature", [0.5, 1.5])
def test_realx_selector(estimator, temperature, sparsity):
    own = Trainee(
        methods.RealXClassifier,
        tau=TAU,
        estimator=estimator,
        sparsity=sparsity,
        temperature=temperature,
    )
    twin, select, classify = modules(own)
    u = uniform(N_IMAGES, N_REGIONS, seed=True)
    v = uniform(N_IMAGES, N_REGIONS) if estimator == "rebar" else [None] * N_IMAGES
    tau = TAU if sparsity == "hinge" else None
    loss = total(
        own,
        lambda i, *image: oracle.realx(
            select, classify, *image, u[i], v[i], 5.0, tau, temperature
        ),
    )
    learned = assert_same(own.step(1), {"selector": loss}, twin)
    assert all(name.startswith("selector") for name in learned)


# -- a bottleneck -------------------------------------------------------------------------


@pytest.mark.parametrize("sparsity", ["hinge", "penalty"])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize(("beta", "threshold"), [(0.5, 0.2), (0.01, 0.0)])
def test_infomask(beta, threshold, reduction, sparsity):
    own = Trainee(
        methods.InfoMaskClassifier,
        tau=TAU,
        beta=beta,
        threshold=threshold,
        kl_reduction=reduction,
        sparsity=sparsity,
    )
    with torch.no_grad():  # a variance that training meets
        own.module.selector.network.weight[1] *= 0.2
    twin, select, classify = modules(own)
    noise = drawn_again().randn_like(torch.empty(N_IMAGES, N_REGIONS)).double()
    tau = TAU if sparsity == "hinge" else None
    loss = total(
        own,
        lambda i, *image: oracle.infomask(
            select, classify, *image, noise[i], beta, threshold, reduction, tau
        ),
    )
    assert_same(own.step(), {"": loss}, twin)
