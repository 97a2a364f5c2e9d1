"""REAL-X: unbiased gradients, a classifier that is done before the selector begins."""

import pytest
import torch
from oracles.baselines import enumerated_gradient

from p2pselect.methods import RealXClassifier
from p2pselect.methods._gradient_estimators import (
    bernoulli_log_prob,
    rebar,
    reinforce,
    sample_bernoulli,
)
from p2pselect.methods._realx import PriorMaskObjective, RealXObjective

LOGITS = torch.tensor([0.4, -0.8, 1.3])
WEIGHTS = torch.tensor([[1.0, -2.0, 0.5], [0.3, 1.5, -1.0]])


def reward(masks):
    # Not linear, so that the relaxed rewards differ from the binary ones.
    hidden = torch.sin(masks @ WEIGHTS.T * 2)
    return hidden[:, 0] * 0.7 + hidden[:, 1] * masks[:, 0]


def within_four_standard_errors(sample, exact):
    error = sample.std(dim=0) / len(sample) ** 0.5
    assert (sample.mean(dim=0) - exact).abs().le(4 * error + 1e-7).all()


@pytest.mark.parametrize("temperature", [0.1, 0.7])
def test_rebar_is_unbiased(temperature):
    torch.manual_seed(0)
    exact = enumerated_gradient(LOGITS, reward)
    logits = LOGITS.repeat(200_000, 1).requires_grad_()
    surrogate = rebar(
        logits,
        reward,
        torch.ones_like(logits),
        torch.rand_like(logits),
        torch.rand_like(logits),
        temperature,
    )
    (sample,) = torch.autograd.grad(surrogate.sum(), logits)
    within_four_standard_errors(sample, exact)


def test_reinforce_is_unbiased():
    torch.manual_seed(0)
    exact = enumerated_gradient(LOGITS, reward)
    logits = LOGITS.repeat(200_000, 1).requires_grad_()
    masks = sample_bernoulli(logits, torch.rand_like(logits))
    surrogate = reinforce(logits, masks, reward(masks), torch.ones_like(logits))
    (sample,) = torch.autograd.grad(surrogate.sum(), logits)
    within_four_standard_errors(sample, exact)


def test_relaxed_masks_alone_are_biased():
    # The test above can fail: without the correction it would.
    from p2pselect.nn._masking import relaxed_bernoulli

    torch.manual_seed(0)
    exact = enumerated_gradient(LOGITS, reward)
    logits = LOGITS.repeat(200_000, 1).requires_grad_()
    surrogate = reward(relaxed_bernoulli(logits, torch.rand_like(logits), 0.7))
    (sample,) = torch.autograd.grad(surrogate.sum(), logits)
    with pytest.raises(AssertionError):
        within_four_standard_errors(sample, exact)


def test_padding_has_no_part_in_the_log_probability():
    logits, masks = torch.randn(2, 5), torch.ones(2, 5)
    present = torch.tensor([[1.0, 1, 1, 0, 0]] * 2)
    cut = bernoulli_log_prob(logits[:, :3], masks[:, :3], present[:, :3])
    torch.testing.assert_close(bernoulli_log_prob(logits, masks, present), cut)


@pytest.mark.parametrize("estimator", ["rebar", "gumbel"])
def test_selector_objective(toy_step, estimator):
    step = toy_step()
    step.model.classifier.requires_grad_(False)
    terms = RealXObjective(5.0, None, estimator, 0.1)(step)
    assert all(value.shape == (5,) for value in terms.values())
    sum(value.sum() for value in terms.values()).backward()
    assert all(p.grad.abs().sum() > 0 for p in step.model.selector.parameters())


def test_area_is_five_times_the_mean_probability_or_its_excess(toy_step):
    step = toy_step()
    kept = step.model.score(step.images, step.regions).maps[:, 0].sigmoid().mean(dim=1)
    torch.testing.assert_close(RealXObjective(5.0, None, "rebar", 0.1)(step)["area"], 5 * kept)
    torch.testing.assert_close(
        RealXObjective(5.0, 0.1, "rebar", 0.1)(step)["area"], 5 * (kept - 0.1).clamp(min=0)
    )


@pytest.mark.parametrize(("mask_rate", "spread"), [("half", 0.05), ("uniform", 0.29)])
def test_mask_rate(toy_step, mask_rate, spread):
    step, seen = toy_step(), []

    def classify(images, regions, masks):
        seen.append(masks.mean(dim=1))
        return torch.zeros(len(images), 3)

    step.model.classify = classify
    for _ in range(200):
        PriorMaskObjective(mask_rate)(step)
    rates = torch.cat(seen)
    assert rates.mean() == pytest.approx(0.5, abs=0.05)
    # 16 regions add sampling noise of .125 at most.
    assert spread <= rates.std() <= (spread**2 + 0.125**2) ** 0.5 + 0.02


def test_the_classifier_is_frozen_while_the_selector_learns(make, X, y):
    states = []
    clf = make(RealXClassifier, max_epochs=2)
    phases = clf._phases()

    def begin(model, data):
        states.append({k: v.clone() for k, v in model.state_dict().items()})

    object.__setattr__(phases[1], "begin", begin)
    clf._phases = lambda: phases
    clf.fit(X, y)
    before, after = states[0], clf.module_.state_dict()
    assert [row["phase"] for row in clf.history_] == ["classifier"] * 2 + ["selector"] * 2
    classifier = [k for k in before if k.startswith("classifier")]
    assert any("running_mean" in k for k in classifier)
    assert all(torch.equal(before[k], after[k]) for k in classifier)
    assert any(not torch.equal(before[k], after[k]) for k in before if "selector" in k)
