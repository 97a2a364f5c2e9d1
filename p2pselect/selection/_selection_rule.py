"""What a run over images has to know about a fitted method, and the usual ways to cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from p2pselect._answer_kinds import ONE_CLASS, AnswerKind
from p2pselect._fill import Fill
from p2pselect.images._geometry import Grid

if TYPE_CHECKING:
    import torch

#: Maps (sorted_logits, sorted_areas, tau_offsets, tau_grid) to the number of regions that are
#: kept at every tau; see the parameter ``cut`` of :class:`SelectionRule`.
RegionCut = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def budget_cut(
    logits: np.ndarray, areas: np.ndarray, offsets: np.ndarray, tau_grid: np.ndarray
) -> np.ndarray:
    """Keep the most probable regions whose total area fits within tau (constraint of eq. 2).

    Adding an offset to all logits would not change their order.
    """
    used = areas.cumsum(axis=1)
    real = areas > 0
    # Images differ in the number of pixels that are not padding.
    pixels = used[:, -1:].astype(float)
    # Whole pixels; the small term undoes rounding, as in 0.29 * 100 = 28.999999999999996.
    budgets = [np.floor(tau * pixels + 1e-6) for tau in tau_grid]
    return np.stack([((used <= b) & real).sum(axis=1) for b in budgets], axis=1)


def probability_cut(
    logits: np.ndarray, areas: np.ndarray, offsets: np.ndarray, tau_grid: np.ndarray
) -> np.ndarray:
    """Keep the regions whose selection probability exceeds one half (paper, section 4)."""
    return np.stack([(logits + offset > 0).sum(axis=1) for offset in offsets], axis=1)


def everything_cut(
    logits: np.ndarray, areas: np.ndarray, offsets: np.ndarray, tau_grid: np.ndarray
) -> np.ndarray:
    """Keep all regions at every tau: for methods that remove nothing."""
    return np.tile((areas > 0).sum(axis=1, keepdims=True), len(tau_grid))


CUTS: dict[str, RegionCut] = {
    "budget": budget_cut,
    "probability": probability_cut,
    "everything": everything_cut,
}


@dataclass(frozen=True)
class ScoreCut:
    """Keep the regions whose score reaches a cut that is the same for all images.

    ``cuts`` are the cuts at the values of tau in ``grid``.  They are interpolated in between,
    and at tau = 1 everything is kept.
    """

    grid: np.ndarray
    cuts: list[float]

    @classmethod
    def of_scores(cls, scores: np.ndarray, areas: np.ndarray, grid: np.ndarray) -> ScoreCut:
        """The cuts at which these regions, of many images together, keep each tau.

        Examples
        --------
        >>> scores, areas = np.array([3.0, 1.0, 2.0, 0.0]), np.ones(4)
        >>> ScoreCut.of_scores(scores, areas, np.array([0.25, 0.5, 1.0])).cuts
        [3.0, 2.0, 0.0]
        """
        order = np.argsort(-scores)
        kept = np.cumsum(areas[order]) / areas.sum()
        # The small term keeps a region whose cumulated area is tau but for rounding.
        last = np.searchsorted(kept, grid + 1e-9, side="right") - 1
        return cls(grid, scores[order][np.clip(last, 0, None)].astype(float).tolist())

    def __call__(
        self, logits: np.ndarray, areas: np.ndarray, offsets: np.ndarray, tau_grid: np.ndarray
    ) -> np.ndarray:
        """Number of regions kept at every tau, (n, t)."""
        cuts = np.where(tau_grid >= 1, -np.inf, np.interp(tau_grid, self.grid, self.cuts))
        # In double precision, so that regions exactly at the cut are kept.
        below = np.nextafter(cuts, -np.inf)
        return probability_cut(logits.astype(float), areas, -below, tau_grid)


@dataclass(frozen=True)
class SelectionRule:
    """How a fitted method selects regions and what it predicts from them.

    A run over images knows a method by its rule alone.  Estimators build theirs in
    ``_selection_rule()``; a method that selects in another way replaces a part of it:
    ``dataclasses.replace(super()._selection_rule(), cut="probability")``.

    Parameters
    ----------
    score : callable
        Maps images (n, c, h, w) in [0, 1] and regions (n, h, w) to
        :class:`~p2pselect.nn.RegionScores`.  Tau has no part in it, so that the order of the
        regions is the same for every tau.
    classify : callable
        Maps masked images (n, c, h, w) to class probabilities (n, n_classes).
    propose : callable
        The regions of images that come without any: maps images (n, h, w, c) and their
        contents to label maps (n, h, w), as ``SuperpixelTransformer.propose_batch`` does.
    image_size : int or tuple of int
        Side in pixels of the square grid that images are resized to, or its height and width.
    batch_size : int
        Images per batch.
    device : torch.device or None
        Where tensors go; None for networks that are not torch's.
    cut : {"budget", "probability", "everything"} or callable, default="budget"
        How many regions every tau keeps.  ``"budget"``: the most probable ones whose total
        area fits within tau (constraint of eq. 2); ``"probability"``: those of a probability
        above one half (paper, section 4); ``"everything"``: all of them.  A callable maps
        arrays of logits (n, d), areas (n, d), offsets (t,) and a grid of tau (t,) to the number
        of regions that every tau keeps, (n, t), which must not fall along a row.  Logits and
        areas are in ranking order, best region first; padding comes last, with the logit
        ``-inf`` and the area 0.  Offsets are what every tau adds to the logits.
    tau_offsets : callable, optional
        Maps a grid of tau (t,) to what each adds to the selection logits, an array (t,); by
        default nothing.
    allow_empty : bool, default=False
        Whether an image may keep no region at all; otherwise the best one is always kept.
    resize : {"pad", "crop", "stretch"}, default="pad"
        How images of another aspect come onto the grid.
    fallback : {"everything", "most_certain", "settled"}, default="everything"
        What is kept of an image of which the classifier never becomes certain enough: what
        tau = 1 keeps; the mask among those tried of which it was most certain; or the smallest
        from which on, up to that one, the answer stays the same.
    method : str, default="method"
        Name of the method in error messages.
    kind : object, default=OneClass()
        How certain the probabilities are and what they say: ``_kind`` of the estimator, which
        is another one where images have several labels.
    fill : {"black", "blur", "noise", "drop"} or tuple of float, default="black"
        What the classifier sees in the place of removed pixels.

    Examples
    --------
    >>> import torch
    >>> from dataclasses import replace
    >>> from p2pselect.nn import RegionScores
    >>> rule = SelectionRule(
    ...     score=lambda images, regions: RegionScores(torch.zeros(1, 1, 1), torch.ones(1, 1)),
    ...     classify=lambda images: images.mean(dim=(2, 3)).softmax(dim=1),
    ...     propose=lambda images, contents: np.zeros(images.shape[:3], int),
    ...     image_size=8,
    ...     batch_size=4,
    ...     device=torch.device("cpu"),
    ... )
    >>> replace(rule, cut="probability").cut
    'probability'
    """

    score: Callable[..., Any]
    classify: Callable[..., Any]
    propose: Callable[[np.ndarray, np.ndarray | None], np.ndarray]
    image_size: int | tuple[int, int]
    batch_size: int
    device: torch.device | None
    cut: str | RegionCut = "budget"
    tau_offsets: Callable[[np.ndarray], np.ndarray] | None = None
    allow_empty: bool = False
    resize: str = "pad"
    fallback: str = "everything"
    method: str = "method"
    kind: AnswerKind = ONE_CLASS
    fill: Fill = "black"

    @property
    def grid(self) -> Grid:
        """The grid that images are brought to."""
        return Grid.of(self.image_size, self.resize)

    def offsets(self, tau_grid: np.ndarray) -> np.ndarray:
        """What every tau of a grid adds to the selection logits.

        Parameters
        ----------
        tau_grid : ndarray of shape (t,)
            Values of tau.

        Returns
        -------
        ndarray of shape (t,), float32
            One for every tau.
        """
        if self.tau_offsets is None:
            return np.zeros(len(tau_grid), np.float32)
        return self.tau_offsets(tau_grid)
