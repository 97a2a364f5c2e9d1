r"""DiET: distractor erasure tuning (Bhalla, Srinivas & Lakkaraju, NeurIPS 2023).

No selector: every training image i has a mask :math:`M_i \in [0, 1]` of its own, on a grid
of cells.  A copy f of a black box g learns to predict as g does from the masked image.
K stages minimise in turn, with f frozen,

.. math:: \min_M\; w_k \overline{M} + \|f(x) - f(x_M)\|_1, \quad w_k = 1 - 0.9\, k / K

and, after rounding the masks at a threshold that rises from .1 to .42,

.. math:: \min_f\; \|g(x) - f(x)\|_1 + \|f(x) - f(x_M)\|_1

over softmax outputs; in training, removed pixels take one random colour per image and step.
For new images masks are found in the same way (w = 1, black), so that every prediction is an
optimisation; labels have no part in it.

Deviations from the released code, in which both loops may stop where they began: masks stop
when they stand still (not when the loss does), steps are large enough to get there, loops
are capped.  ``convergence="loss", mask_step=0.003`` are as released: masks then often stay
near 1, f never sees masked images, localization is the random row, as in the paper's tables.
The area tau keeps exactly as much; released, a mask of ones came out empty.  f learns for
``max_epochs`` epochs in all, on views without augmentation: a mask belongs to one view.

``amortized=True`` is ours: a selector gives the masks, learned together with f by the same
two losses; new images need no optimisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn

from p2pselect.methods._diet_loss import AmortizedDiETObjective, DiETStage, MaskTable
from p2pselect.methods._instance_masks import InstanceMasks, cell_grid, spread_cells
from p2pselect.methods._taught import TaughtClassifier, TaughtModel
from p2pselect.methods._teaching import copy_blackbox
from p2pselect.nn._model import RegionScores
from p2pselect.nn._pooling import region_areas
from p2pselect.training._phases import Phase


class DiETClassifier(TaughtClassifier):
    """A mask of its own for every image, and a classifier that agrees with a black box.

    Parameters
    ----------
    amortized : bool, default=False
        Let a selector give the masks instead of an optimisation per image.
    n_stages : int, default=5
        K; among them ``max_epochs`` are divided, at least one epoch each.
    cell_size : int, default=8
        Side in pixels of a cell of the masks, which are enlarged bilinearly.
    mask_step : float, default=0.05
        How far the area's penalty alone moves a cell per step.
    max_steps : int, default=60
        Most steps that a mask gets, per stage and at prediction.
    convergence : {"mask", "loss"}, default="mask"
        What has to stand still for a mask to be done.
    area_weight : float, default=1
        Factor on w.
    **shared
        As for :class:`~p2pselect.methods._taught.TaughtClassifier`; ``selector`` is used
        if ``amortized``, ``augment`` too.

    Examples
    --------
    >>> from p2pselect import datasets, presets
    >>> scenes = datasets.make_digit_scenes(24, image_size=32, random_state=0)
    >>> settings = {**presets.SMALL, "image_size": 32, "max_epochs": 1}
    >>> clf = DiETClassifier(**DiETClassifier.known(settings), n_stages=1, max_steps=3)
    >>> clf.fit(scenes.images, scenes.target % 2).predict(scenes.images).shape
    (24,)
    """

    _parameter_constraints: ClassVar[dict] = {
        **TaughtClassifier._parameter_constraints,
        "amortized": ["boolean"],
        "n_stages": [Interval(Integral, 1, None, closed="left")],
        "cell_size": [Interval(Integral, 1, None, closed="left")],
        "mask_step": [Interval(Real, 0, None, closed="neither")],
        "max_steps": [Interval(Integral, 1, None, closed="left")],
        "convergence": [StrOptions({"mask", "loss"})],
        "area_weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        amortized: bool = False,
        n_stages: int = 5,
        cell_size: int = 8,
        mask_step: float = 0.05,
        max_steps: int = 60,
        convergence: str = "mask",
        area_weight: float = 1.0,
        **shared: Any,
    ):
        super().__init__(**shared)
        self.amortized = amortized
        self.n_stages = n_stages
        self.cell_size = cell_size
        self.mask_step = mask_step
        self.max_steps = max_steps
        self.convergence = convergence
        self.area_weight = area_weight

    def _build_model(self, n_classes: int) -> TaughtModel:
        if self.amortized:
            return super()._build_model(n_classes)
        classifier = self._build_classifier(n_classes)
        return TaughtModel(nn.Identity(), classifier, self._build_classifier(n_classes))

    def _needs_rows_for(self) -> str | None:
        table = None if self.amortized else "its table of masks (amortized=False)"
        return super()._needs_rows_for() or table

    def _views(self) -> Any:
        return self.augment if self.amortized else None

    def _search(self, weight: float, random: bool) -> InstanceMasks:
        return InstanceMasks(
            weight * self.area_weight,
            self._hinge,
            self.mask_step,
            self.max_steps,
            self.convergence,
            random,
        )

    def _phases(self) -> Sequence[Phase]:
        first = self._blackbox_phase()
        if self.amortized:
            objective = AmortizedDiETObjective(self.area_weight, self._hinge)
            both = ("selector", "classifier")
            return [*first, Phase("joint", self.max_epochs, objective, both, copy_blackbox)]
        table, phases = MaskTable(self.cell_size), []
        for k in range(self.n_stages):
            done = k / self.n_stages
            stage = DiETStage(
                table, self._search(1 - 0.9 * done, True), 0.1 + 0.4 * done, k == 0
            )
            # Epochs are dealt out evenly, the first stages getting one more.
            epochs = -(-(self.max_epochs - k) // self.n_stages)
            epochs = max(epochs, min(1, self.max_epochs))
            hooks = (stage.begin, stage.before_epoch)
            phases.append(Phase(f"stage {k + 1}", epochs, stage, ("classifier",), *hooks))
        return [*first, *phases]

    def _train(self, *args: Any, **kwargs: Any) -> None:
        try:
            super()._train(*args, **kwargs)
        finally:
            # Masks belong to the images of this call, and prediction does not use them.
            for phase in self.net_.phases:
                if isinstance(phase.objective, DiETStage):
                    phase.objective.memory.forget()

    def _cycles(self) -> Sequence[int]:
        epochs = [phase.epochs for phase in self._phases()]
        first = len(self._blackbox_phase())
        return [*epochs[:first], sum(epochs[first:])]

    def _scores(self, images: Tensor, regions: Tensor) -> RegionScores:
        if self.amortized:
            return super()._scores(images, regions)
        areas = region_areas(regions)
        with torch.inference_mode(False), torch.enable_grad():
            own, labels = images.clone(), regions.clone()
            cells = cell_grid(len(own), self.image_size, self.cell_size, own.device)
            search = self._search(1.0, False)
            cells = search.fit(self.module_.classifier, own, labels, cells)
        masks = spread_cells(cells, regions, areas).clamp(1e-6, 1 - 1e-6)
        return RegionScores(masks.logit()[:, None], areas)
