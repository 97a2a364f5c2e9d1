"""The objective of P2P (paper, equations 2 to 5) and its warm-up."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from p2pselect.nn._pooling import region_areas
from p2pselect.nn._sampling import relaxed_bernoulli, sample_logits
from p2pselect.training._loss_terms import (
    covariance_penalty,
    expected_kept_fraction,
    geometric_schedule,
    monte_carlo_cross_entropy,
    sparsity_hinge,
    sparsity_schedule,
)
from p2pselect.training._phases import LossTerms, Step


def sample_tau(step: Step, tau_min: float) -> Tensor:
    """Draw tau ~ U[tau_min, 1] per image (section 3, dynamic thresholding)."""
    return tau_min + (1 - tau_min) * step.rand_like(step.images[:, 0, 0, 0])


@dataclass(frozen=True)
class P2PObjective:
    r"""Equation 5: cross-entropy on the masked image, sparsity hinge, covariance penalty.

    Per image, logits from :math:`N(\mu(\tau), \Sigma)` and a relaxed Bernoulli mask per
    region.  With ``tau=None`` every image and step draws its own
    :math:`\tau \sim U[\tau_{min}, 1]` (section 3, dynamic thresholding); a number is the
    constant threshold of the hinge (the paper's fixed variant, figure 4).
    """

    sparsity_weight: float = 10.0
    covariance_weight: float = 0.01
    tau_min: float = 0.05
    tau: float | None = None
    temperature: float = 1.0
    final_temperature: float = 0.5
    n_samples_mc: int = 1
    straight_through: bool = False

    def __call__(self, step: Step) -> LossTerms:
        scores = step.model.score(step.images, step.regions)
        tau = self._tau(step)
        mean, embeddings = scores.at(step.model.selector.tau_offset(tau))
        start, end = self.temperature, self.final_temperature
        temperature = geometric_schedule(start, end, step.progress)
        logits = []
        for _ in range(self.n_samples_mc):
            sampled = mean
            if embeddings.shape[1]:
                sampled = sample_logits(mean, embeddings, step.randn_like(embeddings[:, :, 0]))
            uniform = step.rand_like(mean)
            masks = relaxed_bernoulli(sampled, uniform, temperature, self.straight_through)
            logits.append(step.model.classify(step.images, step.regions, masks))
        p_bar = expected_kept_fraction(mean.sigmoid(), scores.areas)
        weight = self.sparsity_weight * sparsity_schedule(step.progress)
        terms = {
            "cross_entropy": monte_carlo_cross_entropy(torch.stack(logits), step.target),
            "sparsity": weight * sparsity_hinge(p_bar, tau),
        }
        if embeddings.shape[1]:
            penalty = covariance_penalty(embeddings, scores.areas)
            terms["covariance"] = self.covariance_weight * penalty
        return terms

    def _tau(self, step: Step) -> Tensor:
        if self.tau is None:
            return sample_tau(step, self.tau_min)
        return torch.full((len(step.images),), self.tau, device=step.images.device)


@dataclass(frozen=True)
class RandomMaskObjective:
    """Cross-entropy on random region masks: the classifier's warm-up (ours, not the paper's).

    Each region is kept with probability :math:`\\tau \\sim U[\\tau_{min}, 1]`, drawn per image.
    """

    tau_min: float = 0.05

    def __call__(self, step: Step) -> LossTerms:
        areas = region_areas(step.regions)
        tau = sample_tau(step, self.tau_min)
        masks = (step.rand_like(areas) < tau[:, None]).to(areas.dtype)
        logits = step.model.classify(step.images, step.regions, masks)
        return {"cross_entropy": monte_carlo_cross_entropy(logits[None], step.target)}
