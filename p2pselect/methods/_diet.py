r"""DiET: distractor erasure tuning (Bhalla, Srinivas & Lakkaraju, NeurIPS 2023).

There is no selector: every training image i has a mask :math:`M_i \in [0, 1]` of its own, on a
grid of cells.  A copy f of a black box g learns to predict from the masked image as g does from
the whole one.  Each of K stages minimizes in turn, with f frozen,

.. math:: \min_M\; w_k \overline{M} + \|f(x) - f(x_M)\|_1, \quad w_k = 1 - 0.9\, k / K

and, after rounding the masks at a threshold that rises from .1 to .42,

.. math:: \min_f\; \|g(x) - f(x)\|_1 + \|f(x) - f(x_M)\|_1

over softmax outputs.  In training, removed pixels take one random color per image and step,
whatever ``networks__fill`` is.  For new images masks are found in the same way (w = 1, with
that fill, black by default), so that every prediction is an optimization; labels play no part
in it.

Deviations from the released code, in which both loops may stop where they began: masks stop
when they no longer move (not when the loss does), steps are large enough to get there, and
loops are capped.  ``convergence="loss", mask_step=0.003`` is as released: masks then often stay
near 1, f never sees masked images, and localization is that of random masks, as in the paper's
tables.  The area tau is kept exactly; as released, a mask of ones came out empty.  f learns for
``max_epochs`` epochs in all, on views without augmentation, because a mask belongs to one view.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.utils._param_validation import StrOptions
from torch import Tensor, nn

from p2pselect._settings import AT_LEAST_ONE, NOT_NEGATIVE, POSITIVE
from p2pselect.estimators import ClassifierNetworkOptions, setting
from p2pselect.exceptions import P2PSelectWarning
from p2pselect.methods._base import area_penalty
from p2pselect.methods._blackbox_guided import (
    BlackboxGuidedClassifier,
    copy_blackbox,
    l1_distance,
    teacher_logits,
)
from p2pselect.nn import RegionScores, apply_mask, region_areas, region_mean, to_pixels
from p2pselect.nn._image_network import repeated
from p2pselect.training import Phase, Step, expected_kept_fraction
from p2pselect.training._data import as_float_images

#: Mean and standard deviation of the colors of removed pixels in training, as released.
_COLOR_MEAN, _COLOR_STD = (0.527, 0.447, 0.403), (0.229, 0.224, 0.225)


# -- masks of their own ----------------------------------------------------------------------


def random_colors(noise: Tensor) -> Tensor:
    """One constant color per image, (n, c, 1, 1) in [0, 1], from normal numbers (n, c)."""
    mean = torch.tensor(repeated(_COLOR_MEAN, noise.shape[1]), device=noise.device)
    std = torch.tensor(repeated(_COLOR_STD, noise.shape[1]), device=noise.device)
    return (mean + std * noise).clamp(0, 1)[:, :, None, None]


def blend(images: Tensor, pixel_masks: Tensor, colors: Tensor) -> Tensor:
    """Images whose removed pixels have these colors."""
    return colors + pixel_masks[:, None] * (images - colors)


def full_cells(n: int, size: tuple[int, int], cell_size: int, device: torch.device) -> Tensor:
    """Cells of masks that keep everything, (n, rows, columns), for images of a size (h, w)."""
    rows, columns = (max(1, round(side / cell_size)) for side in size)
    return torch.ones(n, rows, columns, device=device)


def cells_to_regions(cells: Tensor, regions: Tensor, areas: Tensor) -> Tensor:
    """Mask value of every region, (n, d): the mean of the enlarged cells over its pixels."""
    return region_mean(cells[:, None], regions, areas)[:, 0]


@dataclass(frozen=True)
class MaskOptimizer:
    r"""Gradient descent on :math:`w \bar M + |f(x) - f(x_M)|_1` over cells M in [0, 1].

    Every image has its own loss, so its mask does not depend on the images beside it.
    """

    area_weight: float  # w
    tau: float | None  # penalize the mean of M only beyond tau
    step: float  # how far the gradient of the area, of weight 1, moves a cell
    max_steps: int
    # When an image is done: its mask moves by less than .001 on average, after ten steps
    # ("mask"), or its loss is within half a percent of that two steps before ("loss").
    convergence: str
    random: bool  # removed pixels take random colors instead of the classifier's fill

    def optimize(
        self, classifier: nn.Module, images: Tensor, regions: Tensor, cells: Tensor
    ) -> Tensor:
        """Improve ``cells`` (n, rows, columns); the classifier stays as it is."""
        areas = region_areas(regions)
        full = teacher_logits(classifier, images)
        busy = torch.ones(len(images), dtype=torch.bool, device=images.device)
        losses: list[Tensor] = []
        for number in range(self.max_steps):
            cells = cells.detach().requires_grad_()
            masks = cells_to_regions(cells, regions, areas)
            seen = to_pixels(masks, regions)
            # Never in prediction, which has to be the same every time.
            if self.random:
                noise = torch.randn(images.shape[:2], device=images.device)
                shown = blend(images, seen, random_colors(noise))
            else:
                shown = apply_mask(images, seen, getattr(classifier, "fill", "black"))
            out = classifier(shown)
            area = area_penalty(expected_kept_fraction(masks, areas), self.tau)
            loss = self.area_weight * area + l1_distance(full, out)
            (gradient,) = torch.autograd.grad(loss.sum(), cells)
            # The area is a mean over cells: times their number, its gradient moves one by step.
            moved = (cells - self.step * cells[0].numel() * gradient).detach().clamp(0, 1)
            # An image that is done waits: its mask must not depend on the others of its batch.
            moved = torch.where(busy[:, None, None], moved, cells.detach())
            losses.append(loss.detach())
            busy = busy & ~self._done(number, losses, (moved - cells.detach()).abs())
            cells = moved
            if not busy.any():
                break
        return cells.detach()

    def _done(self, number: int, losses: list[Tensor], change: Tensor) -> Tensor:
        if self.convergence == "mask":
            # Ten steps at least: the released rule often stops before a mask has moved at all.
            return (change.mean(dim=(1, 2)) < 1e-3) & (number >= 10)
        if number < 2:
            return torch.zeros_like(losses[-1], dtype=torch.bool)
        # A loss can be exactly 0: no area beyond tau, and no difference but rounding.
        return (losses[-1] / losses[-3].clamp(min=1e-9) - 1).abs() < 5e-3


class MaskTable:
    """Cells of every training image's mask, for one ``fit`` or ``partial_fit``.

    The next call may bring other images, whose masks are found from the start.
    """

    def __init__(self, cell_size: int):
        self.cell_size = cell_size
        self.forget()

    def forget(self) -> None:
        """Drop the masks; the next stage starts from masks that keep everything."""
        self.cells = torch.empty(0)

    @property
    def is_empty(self) -> bool:
        """Whether no stage has found masks for the current images."""
        return not len(self.cells)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"cells": self.cells}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what a checkpoint has kept."""
        self.cells = state["cells"]

    def improve(
        self, model: Any, data: Any, optimizer: MaskOptimizer, threshold: float
    ) -> None:
        """Find the masks of all images of a training set, and round them."""
        device = next(model.classifier.parameters()).device
        if self.is_empty:
            self.cells = full_cells(len(data), data.views.grid.size, self.cell_size, device)
        # As in prediction, and so that batch statistics do not drift while masks are sought.
        model.eval()
        for start in range(0, len(data), 64):
            rows = list(range(start, min(start + 64, len(data))))
            inputs, _ = data.batch(rows)
            images = as_float_images(inputs["images"].to(device))
            found = optimizer.optimize(
                model.classifier, images, inputs["regions"].to(device), self.cells[rows]
            )
            self.cells[rows] = found
        if self.cells.mean() > 0.9:
            warnings.warn(
                f"masks keep {self.cells.mean():.0%} of the pixels when they are rounded: they "
                "have hardly moved, and the classifier will not learn from masked images; "
                "raise mask_step or max_steps, or use convergence='mask'",
                P2PSelectWarning,
                stacklevel=2,
            )
        self.cells = (self.cells > threshold).to(self.cells.dtype)


# -- losses ----------------------------------------------------------------------------------


def distillation(step: Step, full: Tensor, masked: Tensor) -> Tensor:
    """What the classifier learns: to agree with the black box, masked or not; shape (n,)."""
    teacher = teacher_logits(step.model.blackbox, step.images)
    return l1_distance(teacher, full) + l1_distance(full, masked)


@dataclass(frozen=True)
class DiETStage:
    """One stage: first the masks, then the classifier on the masked images."""

    memory: MaskTable
    optimizer: MaskOptimizer
    threshold: float
    first: bool

    def begin(self, model: Any, data: Any) -> None:
        """Find the masks of the training images under the classifier as it is."""
        if self.first:
            copy_blackbox(model, data)
        self.memory.improve(model, data, self.optimizer, self.threshold)

    def before_epoch(self, model: Any, data: Any) -> None:
        """Find masks where training goes on with images that have none yet."""
        if self.memory.is_empty:
            self.memory.improve(model, data, self.optimizer, self.threshold)

    def __call__(self, step: Step) -> dict[str, Tensor]:
        full = step.model(step.images)
        if not step.model.classifier.training:
            # Held-out images have no masks; only the agreement on whole images is known.
            teacher = teacher_logits(step.model.blackbox, step.images)
            return {"distillation": l1_distance(teacher, full)}
        cells = self.memory.cells[step.index.to(self.memory.cells.device)]
        masks = cells_to_regions(cells, step.regions, region_areas(step.regions))
        colors = random_colors(step.randn_like(step.images[:, :, 0, 0]))
        shown = blend(step.images, to_pixels(masks, step.regions), colors)
        return {"distillation": distillation(step, full, step.model(shown))}


# -- the method ------------------------------------------------------------------------------


class DiETClassifier(BlackboxGuidedClassifier, without=("augment", "selector")):
    """Optimizes a mask for every image; its classifier agrees with a black box.

    Parameters
    ----------
    {parameters}

    Examples
    --------
    >>> from p2pselect import datasets, presets
    >>> scenes = datasets.make_digit_scenes(24, image_size=32, random_state=0)
    >>> settings = {**presets.SMALL, "image_size": 32, "max_epochs": 1}
    >>> own = presets.settings_for(DiETClassifier, settings)
    >>> clf = DiETClassifier(**own, n_stages=1, max_steps=3)
    >>> clf.fit(scenes.images, scenes.target % 2).predict(scenes.images).shape
    (24,)
    """

    #: A mask belongs to one view of its image.
    augment = None
    networks: ClassifierNetworkOptions | None = setting(
        None, ClassifierNetworkOptions, default=None
    )
    n_stages: int = setting(
        "K.  The ``max_epochs`` epochs are divided among the stages, at least one for each.",
        AT_LEAST_ONE,
        default=5,
    )
    cell_size: int = setting(
        "Side in pixels of a cell of the masks, which are enlarged bilinearly.",
        AT_LEAST_ONE,
        default=8,
        role="networks",
    )
    mask_step: float = setting(
        "How far the penalty on the area alone moves a cell per step.", POSITIVE, default=0.05
    )
    max_steps: int = setting(
        "Most steps that a mask gets, per stage and at prediction.", AT_LEAST_ONE, default=60
    )
    convergence: str = setting(
        "What has to stand still for a mask to be finished.",
        StrOptions({"mask", "loss"}),
        default="mask",
    )
    area_weight: float = setting("Factor on w.", NOT_NEGATIVE, default=1.0)

    #: A mask per image is optimized to predict, which takes longer than all of an epoch.
    _measures_predictions = False

    def _build_selector(self) -> nn.Module:
        # The model has to have a selector, but masks come from the optimization.
        return nn.Identity()

    def _needs_rows_for(self) -> str | None:
        return super()._needs_rows_for() or "the table of masks of a DiETClassifier"

    def _optimizer(self, weight: float, random: bool) -> MaskOptimizer:
        return MaskOptimizer(
            weight * self.area_weight,
            self._hinge,
            self.mask_step,
            self.max_steps,
            self.convergence,
            random,
        )

    def _phases(self) -> Sequence[Phase]:
        table, phases = MaskTable(self.cell_size), []
        for k in range(self.n_stages):
            done = k / self.n_stages
            optimizer = self._optimizer(1 - 0.9 * done, True)
            stage = DiETStage(table, optimizer, 0.1 + 0.4 * done, k == 0)
            # Epochs are dealt out evenly, the first stages getting one more.
            epochs = -(-(self.max_epochs - k) // self.n_stages)
            # Masks without an epoch would teach nothing; with max_epochs=0 nothing is taught.
            epochs = max(epochs, min(1, self.max_epochs))
            hooks = (stage.begin, stage.before_epoch)
            name, later = f"stage {k + 1}", k > 0
            phases.append(Phase(name, epochs, stage, ("classifier",), *hooks, later))
        return [*self._blackbox_phase(), *phases]

    def _train(self, *args: Any, **kwargs: Any) -> None:
        try:
            super()._train(*args, **kwargs)
        finally:
            # Masks belong to the images of this call, and prediction does not use them.
            for phase in self.net_.phases:
                if isinstance(phase.objective, DiETStage):
                    phase.objective.memory.forget()

    def _method_scores(self, images: Tensor, regions: Tensor) -> RegionScores:
        areas = region_areas(regions)
        # Predictions run in inference mode, whose tensors take no gradient: hence the clones.
        with torch.inference_mode(False), torch.enable_grad():
            own, labels = images.clone(), regions.clone()
            cells = full_cells(len(own), self._grid.size, self.cell_size, own.device)
            optimizer = self._optimizer(1.0, False)
            cells = optimizer.optimize(self.module_.classifier, own, labels, cells)
        # A mask of exactly 0 or 1 has no finite logit.
        masks = cells_to_regions(cells, regions, areas).clamp(1e-6, 1 - 1e-6)
        return RegionScores(masks.logit()[:, None], areas)
