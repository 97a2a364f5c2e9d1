"""Amortized DiET: a selector gives the masks that DiET optimizes for every image.

This method is ours.  The selector minimizes DiET's distance to the whole image and its penalty
on the area, and the classifier f learns together with it by DiET's distillation (see
``_diet.py``), with the weight and the threshold of its stages, as if every step were one.  So
new images need no optimization.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from p2pselect._settings import NOT_NEGATIVE
from p2pselect.estimators import setting
from p2pselect.methods._base import area_penalty
from p2pselect.methods._blackbox_guided import (
    BlackboxGuidedClassifier,
    copy_blackbox,
    l1_distance,
)
from p2pselect.methods._diet import blend, distillation, random_colors
from p2pselect.nn import to_pixels
from p2pselect.training import Phase, Step, expected_kept_fraction


@dataclass(frozen=True)
class AmortizedDiETObjective:
    """Both losses in one step: continuous masks for the selector, rounded ones for f."""

    area_weight: float
    tau: float | None = None

    def __call__(self, step: Step) -> dict[str, Tensor]:
        scores = step.model.score(step.images, step.regions)
        masks = scores.maps[:, 0].sigmoid()
        rounded = (masks > 0.1 + 0.4 * step.progress).to(masks.dtype)
        colors = random_colors(step.randn_like(step.images[:, :, 0, 0]))
        full = step.model(step.images)
        soft, hard = (
            step.model(blend(step.images, to_pixels(m, step.regions), colors))
            for m in (masks, rounded)
        )
        weight = self.area_weight * (1 - 0.9 * step.progress)
        kept = expected_kept_fraction(masks, scores.areas)
        return {
            "selector/area": weight * area_penalty(kept, self.tau),
            # f of the whole image does not depend on the selector: one backward pass less.
            "selector/distance": l1_distance(full.detach(), soft),
            "classifier/distillation": distillation(step, full, hard),
        }


class AmortizedDiETClassifier(BlackboxGuidedClassifier):
    """DiET with a selector that gives the masks, instead of an optimization per image.

    Parameters
    ----------
    {parameters}

    {example}
    """

    area_weight: float = setting("Factor on w.", NOT_NEGATIVE, default=1.0)

    def _phases(self) -> Sequence[Phase]:
        objective = AmortizedDiETObjective(self.area_weight, self._hinge)
        both = ("selector", "classifier")
        joint = Phase("joint", self.max_epochs, objective, both, copy_blackbox)
        return [*self._blackbox_phase(), joint]
