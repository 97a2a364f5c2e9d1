"""L2X and INVASE: exact k, and which network learns from which loss."""

from dataclasses import replace

import pytest
import torch
from oracles.baselines import toy_classifier
from torch import nn

from p2pselect.methods._invase import ActorCriticModel, INVASEObjective
from p2pselect.methods._l2x import L2XObjective, relaxed_k_hot


def test_k_hot_has_at_most_k_large_values_and_none_in_the_padding():
    torch.manual_seed(0)
    logits = torch.randn(300, 20)
    logits[:, 15:] = -torch.inf
    k = torch.arange(300) % 6 + 1
    masks = relaxed_k_hot(logits, k, torch.rand(300, 6, 20), 0.01)
    assert ((masks > 0.5).sum(dim=1) <= k).all()
    assert (masks > 0.5).any(dim=1).all()
    assert (masks[:, 15:] == 0).all() and masks.max() <= 1


def test_one_draw_is_a_categorical_sample():
    torch.manual_seed(0)
    logits = torch.tensor([0.5, -1.0, 2.0, 0.0])
    one = torch.ones(50_000, dtype=torch.long)
    masks = relaxed_k_hot(logits.repeat(50_000, 1), one, torch.rand(50_000, 1, 4), 0.01)
    chosen = torch.bincount(masks.argmax(dim=1), minlength=4) / 50_000
    torch.testing.assert_close(chosen, logits.softmax(0), atol=0.01, rtol=0)


def test_k_follows_tau(toy_step, monkeypatch):
    seen = []

    def record(logits, k, uniform, temperature):
        seen.append(k)
        return relaxed_k_hot(logits, k, uniform, temperature)

    monkeypatch.setattr("p2pselect.methods._l2x.relaxed_k_hot", record)
    for tau in (0.01, 0.25, 1.0):
        L2XObjective(tau, 0.1)(toy_step())
    assert [k.tolist() for k in seen] == [[1] * 5, [4] * 5, [16] * 5]


def test_l2x_teaches_both_networks(toy_step):
    step = toy_step()
    L2XObjective(0.25, temperature=1.0)(step)["cross_entropy"].sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in step.model.parameters())


@pytest.mark.parametrize("use_baseline", [True, False])
def test_invase_rewards_by_the_difference_of_the_losses(toy_step, use_baseline):
    model = ActorCriticModel(nn.Conv2d(3, 1, 1), toy_classifier(), toy_classifier())
    step = toy_step(model, seed=1)
    terms = INVASEObjective(0.1, None, use_baseline)(step)
    logits = model.score(step.images, step.regions).maps[:, 0]
    masks = (replace(step).rand_like(logits) < logits.sigmoid()).float()
    chance = torch.where(masks > 0, logits.sigmoid(), 1 - logits.sigmoid()).log().sum(dim=1)
    out = model.classify(step.images, step.regions, masks)
    critic = -out.log_softmax(1)[torch.arange(5), step.target]
    other = -model.baseline(step.images).log_softmax(1)[torch.arange(5), step.target]
    reward = other * use_baseline - critic
    torch.testing.assert_close(terms["selector/reward"], -(reward * chance))
    assert ("baseline/cross_entropy" in terms) == use_baseline
    # The reward is a constant: critic and baseline learn nothing from the actor's loss.
    terms["selector/reward"].sum().backward()
    assert all(p.grad is None for p in model.classifier.parameters())
    assert all(p.grad is None for p in model.baseline.parameters())
    assert all(p.grad.abs().sum() > 0 for p in model.selector.parameters())
