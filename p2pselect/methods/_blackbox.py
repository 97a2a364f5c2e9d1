"""Blackbox: the same classifier on whole images, the upper bound of the paper's tables.

Minimizes the cross-entropy of the classifier on full images (paper, section 4).  Nothing is
removed: the "explanation" is the whole image, and its localization is the share of the image
that the object covers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from p2pselect.estimators import (
    SelectiveImageClassifier,
    WholeImageNetworkOptions,
    setting,
)
from p2pselect.nn import RegionScores, region_areas
from p2pselect.selection import SelectionRule
from p2pselect.training import Phase, Step


def full_image_objective(step: Step) -> dict[str, Tensor]:
    """Cross-entropy of the classifier on whole images."""
    logits = step.model(step.images)
    return {"cross_entropy": step.cross_entropy(logits)}


class FullImageModel(nn.Module):
    """A classifier alone, without a selector."""

    def __init__(self, classifier: nn.Module):
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, n_classes) of images (n, 3, h, w) in [0, 1]."""
        return self.classifier(images)


class BlackboxClassifier(SelectiveImageClassifier, without=("search", "selector", "tau")):
    """Ordinary image classifier that sees everything.

    It has no ``tau``: the whole image is shown.

    Parameters
    ----------
    {parameters}

    Examples
    --------
    >>> from p2pselect import datasets, presets
    >>> from p2pselect.methods import BlackboxClassifier
    >>> scenes = datasets.make_digit_scenes(24, image_size=32, random_state=0)
    >>> settings = presets.settings_for(BlackboxClassifier, {**presets.SMALL, "image_size": 32})
    >>> clf = BlackboxClassifier(**{**settings, "max_epochs": 1})
    >>> bool(clf.fit(scenes.images, scenes.target % 2).transform(scenes.images).all())
    True
    """

    networks: WholeImageNetworkOptions | None = setting(
        None, WholeImageNetworkOptions, default=None
    )
    # Not a setting: a prediction is always made, and reported, at some tau.
    tau = 1.0
    _sees_whole_images: ClassVar[str | None] = "classifier"
    _several_labels = True

    def _build_model(self, n_classes: int) -> nn.Module:
        return FullImageModel(self._build_classifier(n_classes))

    def _phases(self) -> Sequence[Phase]:
        return [Phase("fit", self.max_epochs, full_image_objective, ("classifier",))]

    def _score_regions(self, images: Tensor, regions: Tensor) -> RegionScores:
        areas = region_areas(regions)
        # No region comes before another, as all of them are shown.
        return RegionScores(torch.zeros_like(areas)[:, None], areas)

    def _selection_rule(self) -> SelectionRule:
        return replace(super()._selection_rule(), cut="everything")
