"""Selector and classifier as one module."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from p2pselect.nn._masking import apply_mask
from p2pselect.nn._pooling import region_areas, region_mean, to_pixels


@dataclass(frozen=True)
class RegionScores:
    """What the selector says of the regions of a batch, before any tau.

    Attributes
    ----------
    maps : Tensor of shape (n, 1 + k, d)
        Selection logits in row 0, embeddings in the others.
    areas : Tensor of shape (n, d)
        Pixels of every region; 0 for padding.
    shown : Tensor of shape (n, d), optional
        For methods whose classifier is shown continuous masks: the value in [0, 1] that the
        pixels of every region are multiplied by.  Without it regions are kept or removed.
    """

    maps: Tensor
    areas: Tensor
    shown: Tensor | None = None

    def at(self, offset: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, d) and embeddings (n, k, d) under an offset (n, 1 + k)."""
        maps = self.maps + offset[:, :, None]
        return maps[:, 0], maps[:, 1:]


class SelectiveModel(nn.Module):
    """A selector that scores regions and a classifier that sees the kept ones alone."""

    def __init__(self, selector: nn.Module, classifier: nn.Module):
        super().__init__()
        self.selector = selector
        self.classifier = classifier

    def score(self, images: Tensor, regions: Tensor) -> RegionScores:
        """Score regions (n, h, w) of images (n, 3, h, w) in [0, 1]."""
        areas = region_areas(regions)
        return RegionScores(region_mean(self.selector(images), regions, areas), areas)

    def classify(self, images: Tensor, regions: Tensor, region_masks: Tensor) -> Tensor:
        """Logits (n, n_classes) of images seen through region masks (n, d) in [0, 1]."""
        return self.classifier(apply_mask(images, to_pixels(region_masks, regions)))

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images as they are: the classifier alone."""
        return self.classifier(images)
