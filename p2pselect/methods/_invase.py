r"""INVASE: actor, critic and baseline (Yoon, Jordon & van der Schaar, ICLR 2019).

The actor (selector) samples s ~ Bernoulli(sigmoid(l)); the critic (classifier) minimizes
:math:`CE(f(s \odot x), y)`, the baseline network minimizes :math:`CE(b(x), y)`, and the actor
maximizes by REINFORCE

.. math:: (CE(b(x), y) - CE(f(s \odot x), y))\, \log q(s) - \lambda\, \overline{\sigma(l)}

where the bracket is treated as a constant and lambda = .1.  All three learn in every step.

Deviations from the released code: all gradients come from the same forward pass, not from
three in a row; prediction ranks by probability and does not sample.  As in L2X, and unlike in
REAL-X, critic and actor learn together, so that the mask can encode the label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from p2pselect._settings import NOT_NEGATIVE
from p2pselect.estimators import setting
from p2pselect.methods._base import MASK_WEIGHT, BaselineClassifier, area_penalty, mask_terms
from p2pselect.methods._gradient_estimators import reinforce, sample_bernoulli
from p2pselect.nn import SelectiveModel
from p2pselect.training import Phase, Step, expected_kept_fraction


class ActorCriticModel(SelectiveModel):
    """Actor and critic, and a baseline network that sees everything, for training only."""

    def __init__(self, selector: nn.Module, classifier: nn.Module, baseline: nn.Module):
        super().__init__(selector, classifier)
        self.baseline = baseline


@dataclass(frozen=True)
class INVASEObjective:
    """What actor, critic and baseline learn from one sampled mask."""

    area_weight: float
    tau: float | None
    use_baseline: bool
    mask_weight: float = 10.0

    def __call__(self, step: Step) -> dict[str, Tensor]:
        scores = step.model.score(step.images, step.regions)
        logits, present = scores.maps[:, 0], scores.areas > 0
        masks = sample_bernoulli(logits, step.rand_like(logits))
        out = step.model.classify(step.images, step.regions, masks)
        critic = step.cross_entropy(out, smoothed=False)
        terms = {"classifier/cross_entropy": step.cross_entropy(out)}
        reference = torch.zeros_like(critic)
        if self.use_baseline:
            out = step.model.baseline(step.images)
            reference = step.cross_entropy(out, smoothed=False)
            terms["baseline/cross_entropy"] = step.cross_entropy(out)
        kept = expected_kept_fraction(logits.sigmoid(), scores.areas)
        terms["selector/reward"] = -reinforce(logits, masks, reference - critic, present)
        terms["selector/area"] = self.area_weight * area_penalty(kept, self.tau)
        return terms | mask_terms(step, logits, self.mask_weight, "selector/masks")


class INVASEClassifier(BaselineClassifier):
    """Selector trained by REINFORCE against a classifier that learns with it.

    Parameters
    ----------
    {parameters}

    {example}
    """

    regions: Any = setting(
        "What is kept or removed together.  The variance of the gradient grows with the "
        "number of regions.",
        default="grid",
    )
    area_weight: float = setting(
        "Lambda, the weight of the mean selection probability.", NOT_NEGATIVE, default=0.1
    )
    mask_weight: float = MASK_WEIGHT
    use_baseline: bool = setting(
        "Compare the critic's loss with that of a network that sees everything.",
        "boolean",
        default=True,
        role="networks",
    )

    _several_labels = True
    _learns_from_masks = True

    _learns_from_binary_masks = True

    def _build_model(self, n_classes: int) -> nn.Module:
        scorer, critic = self._build_scorer(1), self._build_classifier(n_classes)
        if not self.use_baseline:
            return SelectiveModel(scorer, critic)
        return ActorCriticModel(scorer, critic, self._build_classifier(n_classes))

    def _phases(self) -> Sequence[Phase]:
        objective = INVASEObjective(
            self.area_weight, self._hinge, self.use_baseline, self.mask_weight
        )
        # Without a baseline its name has no module and is ignored.
        modules = ("selector", "classifier", "baseline")
        return [Phase("joint", self.max_epochs, objective, modules)]
