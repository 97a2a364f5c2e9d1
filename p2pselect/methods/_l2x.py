r"""L2X: learning to explain with exactly k regions (Chen et al., ICML 2018).

The mask is the elementwise maximum of k independent Gumbel-softmax vectors over the D
regions, :math:`m_j = \max_{i \le k} \operatorname{softmax}_j((l + g_i) / T)` at T = .1: a
relaxed k-hot vector.  Selector and classifier together minimize
:math:`CE(f(m \odot x), y)`; k = round(tau D) is the only constraint.

Deviations: the targets are labels, not a black box's outputs (the released code has both);
there is no L2 penalty; at prediction regions are counted by area, as for every method here.
The selector is known to write the label into the mask: high accuracy need not mean a good
selection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from p2pselect._settings import POSITIVE
from p2pselect.estimators import setting
from p2pselect.methods._base import BaselineClassifier
from p2pselect.training import Phase, Step


def relaxed_k_hot(logits: Tensor, k: Tensor, uniform: Tensor, temperature: float) -> Tensor:
    """Elementwise maximum of ``k`` Gumbel-softmax samples per row, (n, d) -> (n, d) in [0, 1].

    Logits are ``-inf`` where there is no region; ``k`` (n,) is at least 1; ``uniform`` has
    shape (n, largest k, d).
    """
    gumbel = -torch.log(-torch.log(uniform.clamp(1e-6, 1 - 1e-6)))
    samples = ((logits[:, None] + gumbel) / temperature).softmax(dim=2)
    beyond = torch.arange(uniform.shape[1], device=k.device) >= k[:, None]
    return samples.masked_fill(beyond[:, :, None], 0).amax(dim=1)


@dataclass(frozen=True)
class L2XObjective:
    """Cross-entropy through a relaxed k-hot mask."""

    tau: float
    temperature: float

    def __call__(self, step: Step) -> dict[str, Tensor]:
        scores = step.model.score(step.images, step.regions)
        # Padding must never be drawn.
        logits = scores.maps[:, 0].masked_fill(scores.areas == 0, -torch.inf)
        k = (self.tau * (scores.areas > 0).sum(dim=1)).round().long().clamp(min=1)
        # The largest k of the batch sets the shape; an image uses its first k draws only.
        uniform = step.rand_like(logits[:, None].expand(-1, int(k.max()), -1))
        masks = relaxed_k_hot(logits, k, uniform, self.temperature)
        out = step.model.classify(step.images, step.regions, masks)
        return {"cross_entropy": step.cross_entropy(out)}


class L2XClassifier(BaselineClassifier):
    """Samples a fixed number of regions by Gumbel-softmax and learns with the classifier.

    ``sparsity="hinge"`` and ``"penalty"`` are the same here, because k fixes the area.

    Parameters
    ----------
    {parameters}

    {example}
    """

    regions: Any = setting(
        "What is kept or removed together.  Memory grows with tau times the square of "
        "the number of regions: use pixels only for images of at most 32 x 32.",
        default="grid",
    )
    temperature: float = setting(
        "Temperature of the Gumbel-softmax samples.", POSITIVE, default=0.1
    )

    _trains_for_tau = True
    _several_labels = True

    def _phases(self) -> Sequence[Phase]:
        objective = L2XObjective(float(self.tau), self.temperature)
        return [Phase("joint", self.max_epochs, objective, ("selector", "classifier"))]
