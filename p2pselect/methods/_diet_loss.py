"""The two losses of DiET, and the table of masks of the training images."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from p2pselect.exceptions import P2PSelectWarning
from p2pselect.methods._area_penalty import area_penalty
from p2pselect.methods._instance_masks import (
    InstanceMasks,
    cell_grid,
    laid_over,
    random_colours,
    spread_cells,
)
from p2pselect.methods._teaching import ask, copy_blackbox, l1_distance
from p2pselect.nn._pooling import region_areas, to_pixels
from p2pselect.training._loss_terms import expected_kept_fraction
from p2pselect.training._objective import LossTerms, Step


def distillation(step: Step, full: Tensor, masked: Tensor) -> Tensor:
    """What the classifier learns: agree with the black box, masked or not; shape (n,)."""
    teacher = ask(step.model.blackbox, step.images)
    return l1_distance(teacher, full) + l1_distance(full, masked)


class MaskTable:
    """Cells of every training image's mask, for one ``fit`` or ``partial_fit``.

    The next one may bring other images, so that its masks are found from the start.

    Parameters
    ----------
    cell_size : int
        Side of a cell in pixels.
    """

    def __init__(self, cell_size: int):
        self.cell_size = cell_size
        self.forget()

    def forget(self) -> None:
        """Have no masks; the next stage starts from masks that keep everything."""
        self.cells = torch.empty(0)

    @property
    def is_empty(self) -> bool:
        """Whether no stage has found masks for the images at hand."""
        return not len(self.cells)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"cells": self.cells}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what a checkpoint has kept."""
        self.cells = state["cells"]

    def improve(self, model: Any, data: Any, search: InstanceMasks, threshold: float) -> None:
        """Find the masks of all images of a training set, and round them."""
        device = next(model.classifier.parameters()).device
        if self.is_empty:
            self.cells = cell_grid(len(data), data.views.image_size, self.cell_size, device)
        model.eval()
        for start in range(0, len(data), 64):
            rows = list(range(start, min(start + 64, len(data))))
            inputs, _ = data.batch(rows)
            images = inputs["images"].to(device).permute(0, 3, 1, 2)
            images = images.float() / 255 if images.dtype == torch.uint8 else images.float()
            regions = inputs["regions"].to(device)
            self.cells[rows] = search.fit(model.classifier, images, regions, self.cells[rows])
        if self.cells.mean() > 0.9:
            warnings.warn(
                f"masks keep {self.cells.mean():.0%} of the pixels when they are rounded: they "
                "have hardly moved, and the classifier will not learn from masked images; "
                "raise mask_step or max_steps, or use convergence='mask'",
                P2PSelectWarning,
                stacklevel=2,
            )
        self.cells = (self.cells > threshold).to(self.cells.dtype)


@dataclass(frozen=True)
class DiETStage:
    """One stage: masks first, then the classifier on them."""

    memory: MaskTable
    search: InstanceMasks
    threshold: float
    first: bool

    def begin(self, model: Any, data: Any) -> None:
        """Find the masks of the training images under the classifier as it is."""
        if self.first:
            copy_blackbox(model, data)
        self.memory.improve(model, data, self.search, self.threshold)

    def before_epoch(self, model: Any, data: Any) -> None:
        """Find masks where training goes on with images that have none yet."""
        if self.memory.is_empty:
            self.memory.improve(model, data, self.search, self.threshold)

    def __call__(self, step: Step) -> LossTerms:
        full = step.model(step.images)
        if not step.model.classifier.training:
            # Held-out images have no masks: what can be said is the agreement.
            teacher = ask(step.model.blackbox, step.images)
            return {"distillation": l1_distance(teacher, full)}
        cells = self.memory.cells[step.index.to(self.memory.cells.device)]
        masks = spread_cells(cells, step.regions, region_areas(step.regions))
        colours = random_colours(len(step.images), step.images.device)
        shown = laid_over(step.images, to_pixels(masks, step.regions), colours)
        return {"distillation": distillation(step, full, step.model(shown))}


@dataclass(frozen=True)
class AmortizedDiETObjective:
    """Both losses in one step: continuous masks for the selector, rounded ones for f."""

    area_weight: float = 1.0
    tau: float | None = None

    def __call__(self, step: Step) -> LossTerms:
        scores = step.model.score(step.images, step.regions)
        masks = scores.maps[:, 0].sigmoid()
        rounded = (masks > 0.1 + 0.4 * step.progress).to(masks.dtype)
        colours = random_colours(len(masks), masks.device)
        full = step.model(step.images)
        soft, hard = (
            step.model(laid_over(step.images, to_pixels(m, step.regions), colours))
            for m in (masks, rounded)
        )
        weight = self.area_weight * (1 - 0.9 * step.progress)
        kept = expected_kept_fraction(masks, scores.areas)
        return {
            "selector/area": weight * area_penalty(kept, self.tau),
            "selector/distance": l1_distance(full.detach(), soft),
            "classifier/distillation": distillation(step, full, hard),
        }
