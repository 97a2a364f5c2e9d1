"""RB-AEM: the function's areas and gradients, agreement with the black box, the disc."""

import numpy as np
import pytest
import torch
from oracles.baselines import rbf_map, roughness, toy_classifier
from torch import nn

from p2pselect.methods import RBAEMClassifier
from p2pselect.methods import _rbaem as method
from p2pselect.methods._blackbox_guided import BlackboxGuidedModel, kl_to_teacher, l1_distance
from p2pselect.methods._rbaem import RBFSelector, rbf_logits, sigma_of_area


def probability(row, column, sigma, size):
    center = torch.tensor([[row, column]], dtype=torch.float64)
    return rbf_logits(
        center, torch.tensor([sigma], dtype=torch.float64), (size, size)
    ).sigmoid()[0, 0]


def test_closed_form():
    for place in ((3.0, 7.5, 2.0), (8.0, 8.0, 30.0), (-1.0, 4.0, 0.8)):
        torch.testing.assert_close(
            probability(*place, 16), rbf_map(*place, 16), atol=2e-6, rtol=1e-5
        )


@pytest.mark.parametrize(
    ("sigma", "soft", "hard"),
    [(40.0, 0.198, 0.139), (48.9, 0.287, 0.208), (56.5, 0.363, 0.277), (63.2, 0.427, 0.347)],
)
def test_areas_of_224_pixels(sigma, soft, hard):
    p = probability(112.0, 112.0, sigma, 224)
    assert p.mean().item() == pytest.approx(soft, abs=6e-4)
    assert (p > 0.5).double().mean().item() == pytest.approx(hard, abs=6e-4)


def test_sigma_that_an_area_needs():
    for area, sigma in ((0.2, 40.0), (0.3, 48.9), (0.4, 56.5), (0.5, 63.2)):
        assert sigma_of_area(area, (224, 224)) == pytest.approx(sigma, abs=0.1)


def test_gradients_are_those_of_finite_differences():
    def area(sigma, row):
        center = torch.stack([row, torch.tensor(5.0, dtype=torch.float64)])[None]
        return rbf_logits(center, sigma[None], (32, 32)).sigmoid().mean()

    point = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (6.0, 9.0)]
    assert torch.autograd.gradcheck(area, point)
    # The density over its detached maximum would give almost nothing here.
    wide = torch.tensor(20.0, dtype=torch.float64, requires_grad=True)
    center = torch.tensor([[112.0, 112.0]], dtype=torch.float64)
    rbf_logits(center, wide[None], (224, 224)).sigmoid().mean().backward()
    assert wide.grad.item() == pytest.approx(5.0e-3, rel=0.02)


def test_roughness():
    masks = torch.rand(3, 6, 5)
    wanted = torch.tensor([roughness(mask) for mask in masks])
    torch.testing.assert_close(method.roughness(masks), wanted)


def test_distances_to_the_teacher():
    a, b = torch.randn(4, 3), torch.randn(4, 3)
    p, q = a.softmax(1), b.softmax(1)
    torch.testing.assert_close(kl_to_teacher(a, b), (p * (p / q).log()).sum(1))
    torch.testing.assert_close(l1_distance(a, b), (p - q).abs().sum(1))
    torch.testing.assert_close(kl_to_teacher(a, a + 7), torch.zeros(4), atol=1e-6, rtol=0)


@pytest.mark.parametrize("center", ["linear", "softargmax"])
def test_the_selector_starts_in_the_middle_and_learns(toy_step, center):
    torch.manual_seed(0)
    maps = RBFSelector.LINEAR_MAPS if center == "linear" else 2
    scorer = nn.Conv2d(3, maps, 1)
    scorer.weight.data *= 0.01
    scorer.bias.data.zero_()
    selector = RBFSelector(scorer, (8, 8), sigma_of_area(0.2, (8, 8)), center)
    step = toy_step(BlackboxGuidedModel(selector, toy_classifier(), toy_classifier()))
    place, sigma = selector.parameters_of_rbf(step.images)
    torch.testing.assert_close(place, torch.full((5, 2), 4.0), atol=0.3, rtol=0)
    torch.testing.assert_close(
        sigma, torch.full((5,), sigma_of_area(0.2, (8, 8))), atol=0.1, rtol=0
    )
    terms = method.RBAEMObjective(1.0, 0.5, 1e-4)(step)
    assert all(value.shape == (5,) for value in terms.values())
    sum(value.sum() for value in terms.values()).backward()
    assert all(p.grad.abs().sum() > 0 for p in selector.parameters())
    assert all(p.grad is None for p in step.model.blackbox.parameters())


def test_the_classifier_learns_from_random_functions(toy_step):
    step = toy_step(BlackboxGuidedModel(nn.Conv2d(3, 1, 1), toy_classifier(), toy_classifier()))
    method.RandomRBFObjective((0.2, 0.3))(step)["agreement"].sum().backward()
    assert all(p.grad is not None for p in step.model.classifier.parameters())
    assert all(p.grad is None for p in step.model.blackbox.parameters())
    assert all(p.grad is None for p in step.model.selector.parameters())


def test_the_mask_at_tau_is_a_disc(make, X, y, blackbox):
    clf = make(RBAEMClassifier, blackbox=blackbox, regions="pixel", tau=0.2).fit(X, y)
    exp = clf.explain(X)
    assert [row["phase"] for row in clf.history_] == ["classifier", "selector"]
    rows, columns = np.indices((32, 32))
    for scores, mask in zip(exp.selection_logits, exp.pixel_masks, strict=True):
        top = scores.argmax()
        distance = np.hypot(rows - top // 32, columns - top % 32)
        radius = np.sqrt(mask.sum() / np.pi)
        assert mask[distance < radius - 1.5].all()
        assert mask.sum() == 204
