r"""REAL-X: a selector for a classifier that knows all masks (Jethani et al., AISTATS 2021).

First the classifier alone learns from random masks, :math:`\min -\log f(y \mid x \odot r)`
with r ~ Bernoulli(1/2) per region.  Then it is frozen and rewards the selector's samples
s ~ Bernoulli(sigmoid(l)):

.. math:: \max_l E[\log f(y \mid x \odot s)] - \lambda\, \overline{\sigma(l)}

The gradient is REBAR's (one sample, temperature .1, control-variate weight 1), and lambda = 5
weighs the mean probability, as in the released notebook.  Because the classifier never learns
together with the selector, the mask cannot become a code for the label.

Options beyond REAL-X: ``estimator="gumbel"`` uses the relaxed masks of the re-implementation in
COMET's repository; ``mask_rate="uniform"`` draws a coverage per image from U[0, 1], because
with one half per pixel the classifier never sees an image of which only a fifth is left.
Deviations from the released code: the frozen classifier is in eval mode; scores pass through
the sigmoid once, not twice; there is no evaluator network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from sklearn.utils._param_validation import StrOptions
from torch import Tensor

from p2pselect._settings import NOT_NEGATIVE, POSITIVE
from p2pselect.estimators import setting
from p2pselect.methods._base import MASK_WEIGHT, BaselineClassifier, area_penalty, mask_terms
from p2pselect.methods._gradient_estimators import rebar
from p2pselect.nn import region_areas, relaxed_bernoulli
from p2pselect.training import Phase, Step, expected_kept_fraction


@dataclass(frozen=True)
class PriorMaskObjective:
    """Cross-entropy of the classifier on random masks, before the selector learns."""

    mask_rate: str

    def __call__(self, step: Step) -> dict[str, Tensor]:
        areas = region_areas(step.regions)
        rate = torch.full_like(areas[:, :1], 0.5)
        if self.mask_rate == "uniform":
            rate = step.rand_like(rate)
        masks = (step.rand_like(areas) < rate).to(areas.dtype)
        logits = step.model.classify(step.images, step.regions, masks)
        return {"cross_entropy": step.cross_entropy(logits)}


@dataclass(frozen=True)
class RealXObjective:
    """What the selector learns from the frozen classifier."""

    area_weight: float
    tau: float | None
    estimator: str
    temperature: float
    mask_weight: float = 10.0

    def __call__(self, step: Step) -> dict[str, Tensor]:
        scores = step.model.score(step.images, step.regions)
        logits = scores.maps[:, 0]

        def reward(masks: Tensor) -> Tensor:
            out = step.model.classify(step.images, step.regions, masks)
            return -step.cross_entropy(out, smoothed=False)

        if self.estimator == "rebar":
            u, v = step.rand_like(logits), step.rand_like(logits)
            gained = rebar(logits, reward, scores.areas > 0, u, v, self.temperature)
        else:
            uniform = step.rand_like(logits)
            gained = reward(relaxed_bernoulli(logits, uniform, self.temperature))
        kept = expected_kept_fraction(logits.sigmoid(), scores.areas)
        terms = {"reward": -gained, "area": self.area_weight * area_penalty(kept, self.tau)}
        return terms | mask_terms(step, logits, self.mask_weight)


class RealXClassifier(BaselineClassifier):
    """Selector trained by REBAR to serve a classifier that has learned from random masks.

    The classifier learns for ``max_epochs`` epochs, and then the selector for as many.

    Parameters
    ----------
    {parameters}

    {example}
    """

    estimator: str = setting(
        "Gradient of the selector: REBAR's, which is unbiased, or that of relaxed masks.",
        StrOptions({"rebar", "gumbel"}),
        default="rebar",
    )
    mask_rate: str = setting(
        "Share of the regions kept by the random masks that the classifier learns from: "
        "one half, or drawn per image from U[0, 1].",
        StrOptions({"half", "uniform"}),
        default="half",
    )
    area_weight: float = setting(
        "Lambda, on the mean selection probability.", NOT_NEGATIVE, default=5.0
    )
    mask_weight: float = MASK_WEIGHT
    temperature: float = setting(
        'Temperature of the relaxed masks; the re-implementation with ``"gumbel"`` has 1.',
        POSITIVE,
        default=0.1,
    )

    _several_labels = True
    _learns_from_masks = True

    _learns_from_binary_masks = True

    def _phases(self) -> Sequence[Phase]:
        prior = PriorMaskObjective(self.mask_rate)
        reward = RealXObjective(
            self.area_weight, self._hinge, self.estimator, self.temperature, self.mask_weight
        )
        return [
            Phase("classifier", self.max_epochs, prior, ("classifier",)),
            Phase("selector", self.max_epochs, reward, ("selector",)),
        ]
