"""What the methods here share: pixel regions, one area for all of them, their networks."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn

from p2pselect.estimators._base import SelectiveImageClassifier
from p2pselect.nn._model import RegionScores, SelectiveModel
from p2pselect.nn._ties import break_ties
from p2pselect.selection._certainty_search import threshold_counts
from p2pselect.selection._prediction_run import Selections
from p2pselect.training._data import TrainingData

#: Values of tau at which ``sparsity="threshold"`` knows its cut.
CUT_GRID = np.linspace(0.01, 1.0, 100)


class BaselineClassifier(SelectiveImageClassifier):
    """Base of the methods that P2P is compared with, at a kept area of ``tau``.

    Parameters
    ----------
    regions : str, callable or SuperpixelTransformer, default="pixel"
        What is kept or removed as one.  Scores come from a pixel map at the resolution of
        the selector's head (a fourth or an eighth of the image's), whatever the regions.
    tau : float in (0, 1], default=0.2
        Fraction of the pixels kept.
    sparsity : {"hinge", "penalty", "threshold"}, default="hinge"
        How the kept area comes to tau.  ``"hinge"``: training penalises only what is kept
        beyond tau, and prediction keeps the most probable regions of each image within
        tau.  ``"penalty"``: training uses the method's own penalty, prediction is the
        same.  ``"threshold"``: as ``"penalty"``, but prediction cuts the scores of all
        images at one value, at which the training images keep tau on average.
    **shared
        As for :class:`~p2pselect.P2PClassifier`.
    """

    _parameter_constraints: ClassVar[dict] = {
        **SelectiveImageClassifier._parameter_constraints,
        "tau": [Interval(Real, 0, 1, closed="right")],
        "sparsity": [StrOptions({"hinge", "penalty", "threshold"})],
    }
    #: Whether the method trains for tau even without a hinge on the kept area.
    _trains_for_tau: ClassVar[bool] = False

    def __init__(
        self,
        *,
        regions: Any = "pixel",
        tau: float = 0.2,
        sparsity: str = "hinge",
        **shared: Any,
    ):
        super().__init__(regions=regions, tau=tau, **shared)
        self.sparsity = sparsity

    @property
    def _hinge(self) -> float | None:
        """The tau of a training penalty on the kept area; None for the method's own."""
        return float(self.tau) if self.sparsity == "hinge" else None

    def _prediction_parameters(self) -> frozenset[str]:
        trained = self._trains_for_tau or self._hinge is not None
        return super()._prediction_parameters() | (frozenset() if trained else {"tau"})

    def _build_model(self, n_classes: int) -> nn.Module:
        return SelectiveModel(self._build_scorer(1), self._build_classifier(n_classes))

    def _cycles(self) -> Sequence[int]:
        return [phase.epochs for phase in self._phases()]

    def _scores(self, images: Tensor, regions: Tensor) -> RegionScores:
        """Scores as the method defines them, ties included."""
        return self.module_.score(images, regions)

    def _score(self, images: Tensor, regions: Tensor) -> RegionScores:
        scores = self._scores(images, regions)
        ranked = break_ties(scores.maps[:, 0], scores.areas)[:, None]
        return RegionScores(ranked, scores.areas, scores.shown)

    def _mask_counts(
        self, logits: Tensor, areas: Tensor, offsets: Tensor, tau_grid: np.ndarray
    ) -> Tensor:
        if self.sparsity != "threshold":
            return super()._mask_counts(logits, areas, offsets, tau_grid)
        cuts = torch.tensor(np.interp(tau_grid, CUT_GRID, self.score_cuts_))
        cuts[torch.from_numpy(tau_grid >= 1)] = -torch.inf
        # Double precision: regions at the cut itself are kept.
        below = torch.nextafter(cuts, torch.full_like(cuts, -torch.inf))
        return threshold_counts(logits.double(), -below.to(logits.device))

    def _needs_rows_for(self) -> str | None:
        cut = "sparsity='threshold'" if self.sparsity == "threshold" else None
        return super()._needs_rows_for() or cut

    def _after_training(self, data: TrainingData) -> None:
        if self.sparsity != "threshold":
            return
        logits, areas = [], []
        run = Selections(self, data.images, data.regions, np.array([self.tau]), 1.0, "nothing")
        for scores in run.scores():
            real = scores.areas > 0
            logits.append(scores.maps[:, 0][real].cpu().numpy())
            areas.append(scores.areas[real].cpu().numpy())
        values, weights = np.concatenate(logits), np.concatenate(areas)
        order = np.argsort(-values)
        kept = np.cumsum(weights[order]) / weights.sum()
        last = np.searchsorted(kept, CUT_GRID + 1e-9, side="right") - 1
        self.score_cuts_ = values[order][np.clip(last, 0, None)].astype(float).tolist()
