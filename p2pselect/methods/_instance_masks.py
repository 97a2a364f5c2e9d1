"""A mask of its own for every image, found by gradient descent on a frozen classifier."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from p2pselect.methods._area_penalty import area_penalty
from p2pselect.methods._teaching import ask, l1_distance
from p2pselect.nn._pooling import region_areas, region_mean, to_pixels
from p2pselect.training._loss_terms import expected_kept_fraction

#: Mean and deviation of the colours that removed pixels take in training.
_COLOUR_MEAN, _COLOUR_STD = (0.527, 0.447, 0.403), (0.229, 0.224, 0.225)


def random_colours(n: int, device: torch.device) -> Tensor:
    """One constant colour per image, (n, 3, 1, 1) in [0, 1]."""
    mean = torch.tensor(_COLOUR_MEAN, device=device)
    std = torch.tensor(_COLOUR_STD, device=device)
    return torch.normal(mean.expand(n, 3), std.expand(n, 3)).clamp(0, 1)[:, :, None, None]


def laid_over(images: Tensor, pixel_masks: Tensor, colours: Tensor) -> Tensor:
    """Images whose removed pixels have these colours."""
    return colours + pixel_masks[:, None] * (images - colours)


def spread_cells(cells: Tensor, regions: Tensor, areas: Tensor) -> Tensor:
    """Mask of every region, (n, d), from cells (n, c, c): the mean over its pixels."""
    return region_mean(cells[:, None], regions, areas)[:, 0]


@dataclass(frozen=True)
class InstanceMasks:
    r"""Gradient descent on :math:`w \bar M + |f(x) - f(x_M)|_1` over cells M in [0, 1].

    Every image has its own loss: its mask does not depend on the images beside it.

    Parameters
    ----------
    area_weight : float
        w.
    tau : float or None
        Penalise the mean of M only beyond tau.
    step : float
        How far the area's gradient of weight 1 moves a cell per step.
    max_steps : int
    convergence : {"mask", "loss"}
        When an image is done: its mask moved by less than .001 on average, after ten steps;
        or its loss is within half a percent of that two steps before.
    random : bool
        Removed pixels take random colours; otherwise black.
    """

    area_weight: float
    tau: float | None
    step: float
    max_steps: int
    convergence: str
    random: bool

    def fit(
        self, classifier: nn.Module, images: Tensor, regions: Tensor, cells: Tensor
    ) -> Tensor:
        """Masks found from ``cells`` (n, c, c) on; the classifier stays as it is."""
        areas = region_areas(regions)
        full = ask(classifier, images)
        colours = torch.zeros(len(images), 3, 1, 1, device=images.device)
        busy = torch.ones(len(images), dtype=torch.bool, device=images.device)
        losses: list[Tensor] = []
        for number in range(self.max_steps):
            if self.random:
                colours = random_colours(len(images), images.device)
            cells = cells.detach().requires_grad_()
            masks = spread_cells(cells, regions, areas)
            out = classifier(laid_over(images, to_pixels(masks, regions), colours))
            area = area_penalty(expected_kept_fraction(masks, areas), self.tau)
            loss = self.area_weight * area + l1_distance(full, out)
            (gradient,) = torch.autograd.grad(loss.sum(), cells)
            moved = (cells - self.step * cells[0].numel() * gradient).detach().clamp(0, 1)
            moved = torch.where(busy[:, None, None], moved, cells.detach())
            losses.append(loss.detach())
            busy = busy & ~self._done(number, losses, (moved - cells.detach()).abs())
            cells = moved
            if not busy.any():
                break
        return cells.detach()

    def _done(self, number: int, losses: list[Tensor], change: Tensor) -> Tensor:
        if self.convergence == "mask":
            return (change.mean(dim=(1, 2)) < 1e-3) & (number >= 10)
        if number < 2:
            return torch.zeros_like(losses[-1], dtype=torch.bool)
        return (losses[-1] / losses[-3].clamp(min=1e-9) - 1).abs() < 5e-3


def cell_grid(n: int, image_size: int, cell_size: int, device: torch.device) -> Tensor:
    """Masks that keep everything, (n, c, c)."""
    side = max(1, round(image_size / cell_size))
    return torch.ones(n, side, side, device=device)
