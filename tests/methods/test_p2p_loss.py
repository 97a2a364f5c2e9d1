"""The whole objective on a toy model, and its schedules."""

import pytest
import torch
from oracles.objectives import hinge
from torch import nn

from p2pselect.methods._p2p_objective import (
    P2PObjective,
    P2PObjectiveOptions,
    RandomMaskObjective,
)
from p2pselect.nn._model import SelectiveModel
from p2pselect.nn._selectors import Selector
from p2pselect.training._loss_terms import geometric_schedule, sparsity_schedule
from p2pselect.training._phases import Step


def _model(tau_input="logit", k=3):
    classifier = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 4))
    return SelectiveModel(Selector(nn.Conv2d(3, 1 + k, 3), k, tau_input), classifier)


def _objective(tau=None, **options):
    return P2PObjective(P2PObjectiveOptions(**{"random_share": 0.0, **options}), 0.05, tau)


def _step(model, n=5, size=8, progress=0.7):
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    regions = (rows // 2 * (size // 2) + columns // 2).expand(n, size, size).contiguous()
    images = torch.rand(n, 3, size, size)
    target = torch.arange(n) % 4
    return Step(model, images, regions, target, torch.arange(n), progress)


@pytest.mark.parametrize("straight_through", [False, True])
@pytest.mark.parametrize("k", [0, 3])
def test_terms_are_per_image_and_every_parameter_learns(k, straight_through):
    torch.manual_seed(0)
    model = _model(k=k)
    model.selector.pixel_scorer.bias.data[0] = 3.0  # keeps too much: the hinge is active
    terms = _objective(straight_through=straight_through, n_samples_mc=2)(_step(model))
    assert set(terms) == {"cross_entropy", "sparsity"} | ({"covariance"} if k else set())
    assert all(value.shape == (5,) and torch.isfinite(value).all() for value in terms.values())
    sum(value.sum() for value in terms.values()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_without_training_the_expected_kept_fraction_is_tau():
    model = _model()
    tau = torch.tensor([0.05, 0.3, 0.7, 0.95])
    offset = model.selector.tau_offset(tau)
    torch.testing.assert_close(offset[:, 0].sigmoid(), tau)
    assert (offset[:, 1:] == 0).all()


@pytest.mark.parametrize("tau", [0.2, 0.75, 1.0])
def test_a_fixed_tau_is_a_constant_hinge_on_a_selector_that_is_not_told(tau):
    model = _model(tau_input=None, k=0)
    model.selector.pixel_scorer.weight.data.zero_()
    model.selector.pixel_scorer.bias.data[:] = torch.logit(torch.tensor(0.6))
    terms = _objective(tau=tau, sparsity_weight=10.0)(_step(model))
    expected = 10 * hinge(0.6, tau)
    torch.testing.assert_close(terms["sparsity"], torch.full((5,), expected), rtol=1e-4, atol=0)


def test_warmup_touches_the_classifier_only():
    model = _model()
    terms = RandomMaskObjective(0.05)(_step(model))
    terms["cross_entropy"].sum().backward()
    assert all(p.grad is None for p in model.selector.parameters())
    assert all(p.grad is not None for p in model.classifier.parameters())


def test_one_region_image():
    model = _model()
    step = _step(model, n=2)
    one = Step(model, step.images, torch.zeros_like(step.regions), step.target, step.index, 0.0)
    terms = _objective()(one)
    assert all(torch.isfinite(value).all() for value in terms.values())


def test_schedules_match_the_released_ones():
    # 100 epochs: lambda is 1/100 until epoch 10 and full from 50; temperature .5 ** (e / 50).
    assert sparsity_schedule(0.0) == sparsity_schedule(0.099) == 0.01
    assert sparsity_schedule(0.1) == 0.01
    assert sparsity_schedule(0.15) == pytest.approx(0.01 + 0.99 / 8)
    assert sparsity_schedule(0.3) == pytest.approx(0.505)
    assert sparsity_schedule(0.5) == sparsity_schedule(1.0) == 1.0
    assert geometric_schedule(1.0, 0.5, 0.1) == pytest.approx(0.871, abs=1e-3)
    assert geometric_schedule(1.0, 0.5, 0.25) == pytest.approx(0.707, abs=1e-3)
    assert geometric_schedule(1.0, 0.5, 0.5) == geometric_schedule(1.0, 0.5, 0.9) == 0.5
