"""What a run over images has to know about a fitted method, and the usual ways to cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from p2pselect.nn._model import RegionScores

#: Maps (sorted_logits, sorted_areas, tau_offsets, tau_grid) to the number of regions that are
#: kept at every tau, (n, t) int64.  Logits and areas (n, d) are in ranking order, best region
#: first; padding comes last and has the logit ``-inf`` and the area 0.  Offsets (t,) are what
#: every tau of the grid (t,) adds to the logits.
RegionCut = Callable[[Tensor, Tensor, Tensor, np.ndarray], Tensor]


def budget_cut(logits: Tensor, areas: Tensor, offsets: Tensor, tau_grid: np.ndarray) -> Tensor:
    """Keep the most probable regions whose total area fits within tau (constraint of eq. 2).

    Parameters
    ----------
    logits, areas : Tensor of shape (n, d)
        In ranking order.
    offsets : Tensor of shape (t,)
        Not used: adding the same number to all logits does not change their order.
    tau_grid : ndarray of shape (t,)

    Returns
    -------
    Tensor of shape (n, t), int64

    Examples
    --------
    >>> areas = torch.tensor([[4.0, 3.0, 3.0]])
    >>> budget_cut(-areas, areas, torch.zeros(2), np.array([0.4, 0.9]))
    tensor([[1, 2]])
    """
    used = areas.cumsum(dim=1)
    real = areas > 0
    budgets = [float(np.floor(tau * float(used[0, -1]) + 1e-6)) for tau in tau_grid]
    return torch.stack([((used <= b) & real).sum(dim=1) for b in budgets], dim=1)


def probability_cut(
    logits: Tensor, areas: Tensor, offsets: Tensor, tau_grid: np.ndarray
) -> Tensor:
    """Keep the regions whose selection probability exceeds one half (paper, section 4).

    Parameters
    ----------
    logits, areas : Tensor of shape (n, d)
        In ranking order.
    offsets : Tensor of shape (t,)
        What every tau adds to the logits.
    tau_grid : ndarray of shape (t,)

    Returns
    -------
    Tensor of shape (n, t), int64

    Examples
    --------
    >>> logits = torch.tensor([[2.0, 0.5, -1.0]])
    >>> probability_cut(logits, torch.ones(1, 3), torch.tensor([-1.0, 0.0]), np.ones(2))
    tensor([[1, 2]])
    """
    return torch.stack([(logits + offset > 0).sum(dim=1) for offset in offsets], dim=1)


def keep_everything(
    logits: Tensor, areas: Tensor, offsets: Tensor, tau_grid: np.ndarray
) -> Tensor:
    """Keep all regions at every tau: for methods that remove nothing."""
    return (areas > 0).sum(dim=1, keepdim=True).expand(-1, len(tau_grid))


@dataclass(frozen=True)
class ScoreCut:
    """Keep the regions that score at least a cut that is the same for all images.

    Parameters
    ----------
    grid : sequence of float
        Values of tau for which the cut is known, increasing; others are interpolated, and at
        tau = 1 everything is kept.
    cuts : sequence of float
        The cut at each of them.
    """

    grid: np.ndarray
    cuts: list[float]

    @classmethod
    def of_scores(cls, scores: np.ndarray, areas: np.ndarray, grid: np.ndarray) -> ScoreCut:
        """The cuts at which these regions, of many images, keep each tau of the area."""
        order = np.argsort(-scores)
        kept = np.cumsum(areas[order]) / areas.sum()
        last = np.searchsorted(kept, grid + 1e-9, side="right") - 1
        return cls(grid, scores[order][np.clip(last, 0, None)].astype(float).tolist())

    def __call__(
        self, logits: Tensor, areas: Tensor, offsets: Tensor, tau_grid: np.ndarray
    ) -> Tensor:
        """Number of regions kept at every tau, (n, t)."""
        cuts = torch.tensor(np.interp(tau_grid, self.grid, self.cuts))
        cuts[torch.from_numpy(tau_grid >= 1)] = -torch.inf
        # In double precision, so that regions exactly at the cut are kept.
        below = torch.nextafter(cuts, torch.full_like(cuts, -torch.inf))
        return probability_cut(logits.double(), areas, -below.to(logits.device), tau_grid)


def _no_offsets(tau_grid: np.ndarray) -> Tensor:
    return torch.zeros(len(tau_grid))


@dataclass(frozen=True)
class SelectionRule:
    """How a fitted method selects regions and what it predicts from them.

    A run over images knows a method by its rule alone.  Estimators build theirs in
    ``_selection_rule()``; a method that selects in another way replaces a part of it:
    ``dataclasses.replace(super()._selection_rule(), cut=probability_cut)``.

    Parameters
    ----------
    score : callable
        Maps images (n, 3, h, w) in [0, 1] and regions (n, h, w) to
        :class:`~p2pselect.nn.RegionScores`.  Tau has no part in it, so that the order of the
        regions is the same for every tau.
    classify : callable
        Maps masked images (n, 3, h, w) to class probabilities (n, n_classes).
    propose : callable
        Maps images (n, h, w, 3) to label maps (n, h, w): the regions of images that come
        without any.
    image_size, batch_size : int
    device : torch.device
    cut : callable, default=budget_cut
        How many regions every tau keeps, see :data:`RegionCut`.
    tau_offsets : callable, default: zeros
        Maps a grid of tau (t,) to what each adds to the selection logits, a tensor (t,).
    allow_empty : bool, default=False
        Whether an image may keep no region at all; otherwise the best one is always kept.
    method : str, default="method"
        Name of the method in error messages.
    """

    score: Callable[[Tensor, Tensor], RegionScores]
    classify: Callable[[Tensor], Tensor]
    propose: Callable[[np.ndarray], np.ndarray]
    image_size: int
    batch_size: int
    device: torch.device
    cut: RegionCut = budget_cut
    tau_offsets: Callable[[np.ndarray], Tensor] = field(default=_no_offsets)
    allow_empty: bool = False
    method: str = "method"

    def offsets(self, tau_grid: np.ndarray) -> Tensor:
        """What every tau of a grid adds to the selection logits, (t,), on the device."""
        with torch.inference_mode():
            return self.tau_offsets(tau_grid).to(self.device)

    def counts(
        self,
        sorted_logits: Tensor,
        sorted_areas: Tensor,
        offsets: Tensor,
        tau_grid: np.ndarray,
        max_kept: float | None = None,
    ) -> Tensor:
        """Number of regions kept at every tau, (n, t), never more than ``max_kept`` allows."""
        counts = self.cut(sorted_logits, sorted_areas, offsets, tau_grid)
        if max_kept is not None:
            most = budget_cut(sorted_logits, sorted_areas, offsets, np.array([max_kept]))
            counts = torch.minimum(counts, most)
        if not self.allow_empty:
            counts = counts.clamp(min=1)
        return counts
