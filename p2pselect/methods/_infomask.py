r"""InfoMask: masks through an information bottleneck (Taghanaki et al., MICCAI 2019).

The selector gives every location a mean and a log-variance; :math:`z \sim N(\mu, \sigma^2)`
becomes the semi-hard mask :math:`m = \max(\sigma(z) - t, 0)`, which is exactly 0 or in
(0, 1 - t], and all networks together minimize

.. math:: CE(f(m \odot x), y) + \beta\, KL(N(\mu, \sigma^2) \,\|\, N(0, 1))

with t = .2 and beta = .5.  There is no public code for images: this follows the abstract, and
PointMask, the same author's method for point clouds.

Summed over thousands of locations (``kl_reduction="sum"``) the KL swamps the cross-entropy: the
posterior collapses to the prior, and the mask that the classifier sees to noise.  The paper
reports the localization of random masks for this method (Table 6).  Regions are ranked by
:math:`\mu`, and the little of it that a collapsed posterior keeps can still point at the
object, so localization is often far above random here.  ``"mean"`` averages over locations.

As in PointMask, the mask is drawn at prediction, too: a classifier that has only seen noise
fails on the dim gray veil that the mean of a collapsed posterior is.  The noise is the same for
every image, so that a prediction does not depend on the other images of its batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn

from p2pselect._settings import NOT_NEGATIVE
from p2pselect.estimators import setting
from p2pselect.methods._base import BaselineClassifier, area_penalty
from p2pselect.nn import RegionScores, SelectiveModel
from p2pselect.training import Phase, Step, expected_kept_fraction


def semi_hard_mask(z: Tensor, threshold: float) -> Tensor:
    """Mask values: the excess of sigmoid(z) over the threshold, 0 below it."""
    return torch.relu(z.sigmoid() - threshold)


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Divergence of N(mean, exp(log_variance)) from N(0, 1), elementwise."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


def fixed_noise(like: Tensor) -> Tensor:
    """Standard normal noise by region, the same for every row of a tensor (n, d)."""
    noise = np.random.default_rng(0).standard_normal(like.shape[1], dtype=np.float32)
    return torch.from_numpy(noise).to(like).expand_as(like)


@dataclass(frozen=True)
class InfoMaskObjective:
    """Cross-entropy through a sampled semi-hard mask, and the bottleneck."""

    beta: float
    threshold: float
    kl_reduction: str
    tau: float | None = None

    def __call__(self, step: Step) -> dict[str, Tensor]:
        scores = step.model.score(step.images, step.regions)
        mean, log_variance = scores.maps.unbind(dim=1)
        z = mean + torch.exp(log_variance / 2) * step.randn_like(mean)
        mask = semi_hard_mask(z, self.threshold)
        logits = step.model.classify(step.images, step.regions, mask)
        present = (scores.areas > 0).to(mean.dtype)
        kl = (kl_to_standard_normal(mean, log_variance) * present).sum(dim=1)
        if self.kl_reduction == "mean":
            kl = kl / present.sum(dim=1)
        terms = {
            "cross_entropy": step.cross_entropy(logits),
            "kl": self.beta * kl,
        }
        if self.tau is not None:
            kept = expected_kept_fraction(mask, scores.areas)
            terms["area"] = area_penalty(kept, self.tau)
        return terms


class InfoMaskClassifier(BaselineClassifier):
    """Semi-hard masks through a variational bottleneck.

    The method penalizes information, not area; ``sparsity="hinge"`` adds a penalty on the mean
    mask beyond tau.

    Parameters
    ----------
    {parameters}

    {example}
    """

    mask: str = setting(
        "What the classifier sees at prediction: the image under the semi-hard mask, or "
        "under the binary one of area tau.",
        StrOptions({"soft", "hard"}),
        default="soft",
        role="prediction",
    )
    noise: bool = setting(
        "Draw z at prediction, as in training; otherwise z is the mean.  Only the "
        "semi-hard mask depends on this: the ranking and the binary masks are those of "
        "the mean.",
        "boolean",
        default=True,
        role="prediction",
    )
    beta: float = setting("Weight of the divergence from the prior.", NOT_NEGATIVE, default=0.5)
    kl_reduction: str = setting(
        "How the divergences of the regions of an image are combined.",
        StrOptions({"sum", "mean"}),
        default="sum",
    )
    threshold: float = setting(
        "What is subtracted from the sigmoid, t, before negative values are cut to 0.",
        Interval(Real, 0, 1, closed="left"),
        default=0.2,
    )
    sparsity: str = setting(default="penalty")

    _several_labels = True

    def _build_model(self, n_classes: int) -> nn.Module:
        return SelectiveModel(self._build_scorer(2), self._build_classifier(n_classes))

    def _phases(self) -> Sequence[Phase]:
        objective = InfoMaskObjective(self.beta, self.threshold, self.kl_reduction, self._hinge)
        return [Phase("joint", self.max_epochs, objective, ("selector", "classifier"))]

    def _method_scores(self, images: Tensor, regions: Tensor) -> RegionScores:
        scores = super()._method_scores(images, regions)
        mean, log_variance = scores.maps.unbind(dim=1)
        shown = None
        if self.mask == "soft":
            noise = torch.exp(log_variance / 2) * fixed_noise(mean) if self.noise else 0
            shown = semi_hard_mask(mean + noise, self.threshold)
        return RegionScores(mean[:, None], scores.areas, shown)
