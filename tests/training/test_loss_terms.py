"""Every term against the same formula as a slow loop."""

import numpy as np
import pytest
import torch
from oracles import objectives as oracle

from p2pselect.training import _loss_terms as terms

RNG = np.random.default_rng(0)


def _areas(n, d):
    areas = RNG.integers(1, 50, (n, d)).astype(np.float32)
    areas[0, d // 2 :] = 0  # the first image has fewer regions: the rest is padding
    return areas


@pytest.mark.parametrize("d", [1, 2, 7])
def test_expected_kept_fraction(d):
    areas, probs = _areas(4, d), RNG.random((4, d)).astype(np.float32)
    areas[0, 0] = 5
    got = terms.expected_kept_fraction(torch.tensor(probs), torch.tensor(areas))
    want = [oracle.kept_fraction(p, a) for p, a in zip(probs, areas, strict=True)]
    np.testing.assert_allclose(got, want, rtol=1e-5)


@pytest.mark.parametrize(
    ("p_bar", "tau"),
    [(0.0, 0.05), (0.2, 0.2), (0.2000001, 0.2), (0.9, 0.1), (1.0, 0.5), (1.0, 1.0), (0.3, 0.6)],
)
def test_sparsity_hinge(p_bar, tau):
    p = torch.tensor([p_bar], dtype=torch.float64, requires_grad=True)
    value = terms.sparsity_hinge(p, torch.tensor([tau], dtype=torch.float64))
    assert value.item() == pytest.approx(oracle.hinge(p_bar, tau), rel=1e-6, abs=1e-9)
    value.sum().backward()
    # Same gradient as the paper's equation 3 on both sides of tau.
    expected = 1 / (1 - p_bar + 1e-6) if p_bar > tau else 0.0
    assert p.grad.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("k", "d"), [(3, 1), (3, 6), (1, 4)])
def test_covariance_penalty_ignores_padding(k, d):
    areas = _areas(3, d)
    areas[0, 0] = 5
    embeddings = RNG.normal(size=(3, k, d)).astype(np.float32)
    got = terms.covariance_penalty(torch.tensor(embeddings), torch.tensor(areas))
    want = [oracle.covariance_l1(e, a) for e, a in zip(embeddings, areas, strict=True)]
    np.testing.assert_allclose(got, want, rtol=1e-4)
    embeddings[0, :, areas[0] == 0] = 1e6
    again = terms.covariance_penalty(torch.tensor(embeddings), torch.tensor(areas))
    torch.testing.assert_close(again, got)


@pytest.mark.parametrize("samples", [1, 5])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_monte_carlo_cross_entropy(samples, smoothing):
    logits = RNG.normal(size=(samples, 6, 4), scale=5)
    target = RNG.integers(0, 4, 6)
    given = torch.tensor(logits), torch.tensor(target)
    got = terms.monte_carlo_cross_entropy(*given, smoothing)
    want = [oracle.cross_entropy(logits[:, i], target[i], smoothing) for i in range(6)]
    np.testing.assert_allclose(got, want, rtol=1e-6)


@pytest.mark.parametrize("weight", [None, RNG.random((4, 2))])
@pytest.mark.parametrize("samples", [1, 5])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_cross_entropy_of_several_labels(samples, smoothing, weight):
    logits = RNG.normal(size=(samples, 6, 4), scale=5)
    target = RNG.integers(0, 2, (6, 4))
    given = torch.tensor(logits), torch.tensor(target)
    weights = None if weight is None else torch.tensor(weight)
    got = terms.monte_carlo_cross_entropy(*given, smoothing, weights)
    want = [
        oracle.labels_cross_entropy(logits[:, i], target[i], smoothing, weight)
        for i in range(6)
    ]
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_one_label_is_a_question_of_two_classes():
    logits, target = torch.randn(3, 5, 2), torch.tensor([0, 1, 1, 0, 1])
    own = (logits[..., 1] - logits[..., 0])[..., None]
    torch.testing.assert_close(
        terms.monte_carlo_cross_entropy(own, target[:, None], 0.1),
        terms.monte_carlo_cross_entropy(logits, target, 0.1),
    )


def test_a_confidently_wrong_prediction_keeps_its_gradient():
    logits = torch.tensor([[[40.0, 0.0]]], requires_grad=True)
    terms.monte_carlo_cross_entropy(logits, torch.tensor([1])).sum().backward()
    assert logits.grad[0, 0, 0].item() == pytest.approx(1.0)
