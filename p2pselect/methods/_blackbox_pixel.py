"""Blackbox Pixel: the classifier on an evenly thinned image (paper, section 4).

Minimizes the cross-entropy on :math:`x_m` with one fixed mask for all images, which keeps a
share tau of the pixels, spread evenly.  Nothing is selected: the method tells how much of a
classifier's accuracy survives the loss of pixels alone.

The paper does not say how the pixels are spaced.  Here they follow a low-discrepancy order
(:func:`lattice_order`); thinning row by row would give stripes wherever 1 / tau divides the
width.  For regions larger than a pixel, the position of their centers decides.

Deviation: in the first half of training the share falls from 1 to tau.  A network with random
weights learns shapes from whole images far sooner than from single pixels, whereas the paper's
networks are pretrained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from p2pselect.estimators import ClassifierNetworkOptions, setting
from p2pselect.methods._base import BaselineClassifier
from p2pselect.methods._blackbox import FullImageModel
from p2pselect.nn import RegionScores, apply_mask, region_areas, region_mean, to_pixels
from p2pselect.selection._selection_rule import budget_cut
from p2pselect.training import Phase, Step

# The multiplier whose lattices, from every 2nd to every 32nd pixel, have the longest shortest
# vectors.
_LEVELS, _STEP = 5, 13
# Within a class: badly approximable by fractions, so that no row or column has too few pixels,
# and independent of each other.
_DOWN = (1 + 3 * 7**0.5) / 2
_ACROSS = (3 + 2 * 17**0.5) / 4


def lattice_order(rows: Tensor, columns: Tensor) -> Tensor:
    r"""Position of pixels in a fixed low-discrepancy order, float32 in [0, 1).

    A rank-1 lattice in van der Corput order: the class :math:`(13 r + c) \bmod 32` with its
    bits reversed, and within a class the fractional part of :math:`r \alpha + c \beta`, where
    :math:`\alpha = (1 + 3 \sqrt 7) / 2` and :math:`\beta = (3 + 2 \sqrt{17}) / 4`.  The pixels
    below ``tau`` are a share ``tau`` of the image and, up to a pixel or two, of every row and
    every column, and each of them has about the same space around it.  Those below 1/8 have a
    period of 8 pixels in both directions, like the strides of convolutional networks, so that
    all outputs of one kind see the image through the same holes.

    Rows and columns are in pixels and have the same shape; they are rounded to whole pixels.
    """
    n_classes = 2**_LEVELS
    index = (_STEP * rows.round().long() + columns.round().long()) % n_classes
    reverse = sum(((index >> bit) & 1) << (_LEVELS - 1 - bit) for bit in range(_LEVELS))
    # In double precision, because only the fraction of a large product counts.
    within = (rows.double() * _DOWN + columns.double() * _ACROSS) % 1
    return ((reverse + within) / n_classes).float()


def lattice_scores(regions: Tensor) -> RegionScores:
    """Scores that any image with these regions gets: 1/2 for the first, -1/2 for the last."""
    n, h, w = regions.shape
    areas = region_areas(regions)
    grid = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    centers = region_mean(torch.stack(grid).to(areas).expand(n, 2, h, w), regions, areas)
    return RegionScores((0.5 - lattice_order(centers[:, 0], centers[:, 1]))[:, None], areas)


@dataclass(frozen=True)
class LatticeObjective:
    """Cross-entropy of the classifier on the image seen through the lattice."""

    tau: float

    def share_at(self, progress: float) -> float:
        """Share shown at this point of training: from 1 down to tau, evenly in the log."""
        return self.tau ** min(1.0, 2 * progress)

    def __call__(self, step: Step) -> dict[str, Tensor]:
        scores = lattice_scores(step.regions)
        share = np.array([self.share_at(step.progress)])
        logits = scores.maps[:, 0].masked_fill(scores.areas == 0, -float("inf"))
        ranking = logits.argsort(dim=1, descending=True)
        sorted_areas = scores.areas.gather(1, ranking)
        # This cut only looks at areas.  As in prediction, at least one region is shown.
        areas = sorted_areas.cpu().numpy()
        counts = torch.from_numpy(budget_cut(areas, areas, np.zeros(1), share)).clamp(min=1)
        ranks = ranking.argsort(dim=1)
        masks = to_pixels(ranks < counts.to(ranks.device), step.regions)
        fill = getattr(step.model.classifier, "fill", "black")
        shown = apply_mask(step.images, masks, fill)
        return {"cross_entropy": step.cross_entropy(step.model(shown))}


class BlackboxPixelClassifier(BaselineClassifier, without=("selector", "sparsity")):
    """Ordinary image classifier that sees an evenly spread share of the pixels.

    Parameters
    ----------
    {parameters}

    Examples
    --------
    >>> from p2pselect import datasets, presets
    >>> scenes = datasets.make_digit_scenes(24, image_size=32, random_state=0)
    >>> settings = {**presets.SMALL, "image_size": 32, "max_epochs": 1, "regions": "pixel"}
    >>> own = presets.settings_for(BlackboxPixelClassifier, settings)
    >>> clf = BlackboxPixelClassifier(**own, tau=0.25)
    >>> masks = clf.fit(scenes.images, scenes.target % 2).transform(scenes.images)
    >>> masks.mean(axis=(1, 2))[:3]
    array([0.25, 0.25, 0.25])
    """

    networks: ClassifierNetworkOptions | None = setting(
        None, ClassifierNetworkOptions, default=None
    )

    _trains_for_tau = True
    _several_labels = True
    _sees_whole_images = None
    _learns_from_binary_masks = True

    def _build_model(self, n_classes: int) -> FullImageModel:
        return FullImageModel(self._build_classifier(n_classes))

    def _phases(self) -> Sequence[Phase]:
        return [
            Phase("fit", self.max_epochs, LatticeObjective(float(self.tau)), ("classifier",))
        ]

    def _method_scores(self, images: Tensor, regions: Tensor) -> RegionScores:
        return lattice_scores(regions)
