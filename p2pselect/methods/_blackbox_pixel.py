"""Blackbox Pixel: the classifier on an evenly thinned image (paper, section 4).

Minimises the cross-entropy on :math:`x_m` with one fixed mask for all images that keeps a
share tau of the pixels, spread evenly.  Nothing is selected: it tells how much of a
classifier's accuracy survives the loss of pixels alone.

The paper does not say how the pixels are spaced.  Here they follow a low-discrepancy order
(:mod:`p2pselect.nn._lattice`); thinning row by row would give stripes where 1 / tau divides
the width.  On regions larger than a pixel, the order of their centres decides.

Deviation: in the first half of training the share falls from 1 to tau.  A network from random
weights learns shapes from whole images far sooner than from single pixels; the paper's
networks are pretrained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from p2pselect.methods._base import BaselineClassifier
from p2pselect.methods._blackbox import FullImageModel
from p2pselect.nn._lattice import region_lattice
from p2pselect.nn._masking import apply_mask
from p2pselect.nn._model import RegionScores
from p2pselect.nn._pooling import region_areas, to_pixels
from p2pselect.selection._certainty_search import budget_counts
from p2pselect.training._objective import LossTerms, Step
from p2pselect.training._phases import Phase


def lattice_scores(regions: Tensor) -> RegionScores:
    """Scores that any image of these regions gets: 1/2 for the first, -1/2 for the last."""
    areas = region_areas(regions)
    return RegionScores((0.5 - region_lattice(regions, areas))[:, None], areas)


@dataclass(frozen=True)
class LatticeObjective:
    """Cross-entropy of the classifier on the image seen through the lattice."""

    tau: float

    def share_at(self, progress: float) -> float:
        """Share shown when so much of training is done: 1, falling evenly in log to tau."""
        return self.tau ** min(1.0, 2 * progress)

    def __call__(self, step: Step) -> LossTerms:
        scores = lattice_scores(step.regions)
        share = np.array([self.share_at(step.progress)])
        logits = scores.maps[:, 0].masked_fill(scores.areas == 0, -float("inf"))
        ranking = logits.argsort(dim=1, descending=True)
        counts = budget_counts(scores.areas.gather(1, ranking), share).clamp(min=1)
        ranks = ranking.argsort(dim=1)
        shown = apply_mask(step.images, to_pixels(ranks < counts, step.regions))
        terms = F.cross_entropy(step.model(shown), step.target, reduction="none")
        return {"cross_entropy": terms}


class BlackboxPixelClassifier(BaselineClassifier):
    """Ordinary image classifier that sees an evenly spread share of the pixels.

    Parameters
    ----------
    **shared
        As for :class:`~p2pselect.methods._base.BaselineClassifier`, without those of a
        selector and without ``sparsity``.

    Examples
    --------
    >>> from p2pselect import datasets, presets
    >>> scenes = datasets.make_digit_scenes(24, image_size=32, random_state=0)
    >>> settings = {**presets.SMALL, "image_size": 32, "max_epochs": 1, "regions": "pixel"}
    >>> clf = BlackboxPixelClassifier(**BlackboxPixelClassifier.known(settings), tau=0.25)
    >>> masks = clf.fit(scenes.images, scenes.target % 2).transform(scenes.images)
    >>> masks.mean(axis=(1, 2))[:3]
    array([0.25, 0.25, 0.25])
    """

    _trains_for_tau = True
    _unused = frozenset({"selector", "selector_options", "selector_image_size", "sparsity"})

    def _build_model(self, n_classes: int) -> FullImageModel:
        return FullImageModel(self._build_classifier(n_classes))

    def _phases(self) -> Sequence[Phase]:
        return [
            Phase("fit", self.max_epochs, LatticeObjective(float(self.tau)), ("classifier",))
        ]

    def _scores(self, images: Tensor, regions: Tensor) -> RegionScores:
        return lattice_scores(regions)

    def _mask_counts(
        self, logits: Tensor, areas: Tensor, offsets: Tensor, tau_grid: np.ndarray
    ) -> Tensor:
        return budget_counts(areas, tau_grid)

    def _after_training(self, data: object) -> None:
        """There is no score to be cut."""
