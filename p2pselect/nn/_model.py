"""Selector and classifier as one module."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from p2pselect._fill import Fill
from p2pselect.nn._image_network import ImageNetwork
from p2pselect.nn._masking import apply_mask, region_areas, region_mean, to_pixels


@dataclass(frozen=True)
class RegionScores:
    """What a selector says about the regions of a batch, before any tau.

    Parameters
    ----------
    maps : Tensor of shape (n, 1 + k, d)
        Selection logits in row 0, embeddings in the others.
    areas : Tensor of shape (n, d)
        Pixels of every region; 0 for padding.
    shown : Tensor of shape (n, d), optional
        For methods whose classifier is shown continuous masks: the value in [0, 1] that the
        pixels of every region are multiplied by.  Without it regions are kept or removed.
    by_label : Tensor of shape (n, n_labels, d), optional
        Where every label has a mask of its own: its selection logits.  Row 0 of ``maps`` has
        the largest of them, so that it keeps what any of the labels keeps.

    Examples
    --------
    >>> import torch
    >>> scores = RegionScores(torch.tensor([[[2.0, -1.0]]]), torch.tensor([[10.0, 6.0]]))
    >>> logits, embeddings = scores.at(torch.tensor([[0.5]]))
    >>> logits
    tensor([[ 2.5000, -0.5000]])
    """

    maps: Tensor
    areas: Tensor
    shown: Tensor | None = None
    by_label: Tensor | None = None

    def of(self, label: Tensor) -> RegionScores:
        """Give the scores for one label of every image, where labels have masks of their own.

        Parameters
        ----------
        label : Tensor of shape (n,), int64
            Its column; -1 stands for all labels.

        Returns
        -------
        RegionScores
            With the logits of that label in row 0 of ``maps``.
        """
        assert self.by_label is not None
        own = self.by_label[torch.arange(len(label), device=label.device), label.clamp(min=0)]
        logits = torch.where(label[:, None] < 0, self.maps[:, 0], own)
        return replace(self, maps=torch.cat([logits[:, None], self.maps[:, 1:]], dim=1))

    def at(self, offset: Tensor) -> tuple[Tensor, Tensor]:
        """Give the scores of the regions for one tau per image.

        Parameters
        ----------
        offset : Tensor of shape (n, 1 + k)
            What its tau adds to every map of an image.

        Returns
        -------
        logits : Tensor of shape (n, d)
            Selection logits.
        embeddings : Tensor of shape (n, k, d)
            Embeddings of the regions.
        """
        maps = self.maps + offset[:, :, None]
        return maps[:, 0], maps[:, 1:]


class SelectiveModel(nn.Module):
    """A selector that scores regions and a classifier that sees the kept ones alone.

    Parameters
    ----------
    selector : Module
        Maps images (n, c, h, w) in [0, 1] to pixel maps (n, 1 + k, h', w') of any resolution.
        If it has an attribute ``n_masks`` above 1, it returns that many maps in place of the
        first: one for every label.
    classifier : Module
        Maps masked images (n, c, h, w) to logits (n, n_classes).  Its attribute ``fill``, if it
        has one, is what takes the place of removed pixels, which are black otherwise.

    Examples
    --------
    >>> import torch
    >>> classifier = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2))
    >>> model = SelectiveModel(nn.Conv2d(3, 1, 1), classifier)
    >>> images, regions = torch.rand(5, 3, 8, 8), torch.zeros(5, 8, 8, dtype=torch.int64)
    >>> model.score(images, regions).maps.shape
    torch.Size([5, 1, 1])
    >>> model.classify(images, regions, torch.ones(5, 1)).shape
    torch.Size([5, 2])
    """

    def __init__(self, selector: nn.Module, classifier: nn.Module):
        super().__init__()
        self.selector = selector
        self.classifier = classifier

    @property
    def fill(self) -> Fill:
        """What takes the place of removed pixels (str, or tuple of float)."""
        return getattr(self.classifier, "fill", "black")

    def score(self, images: Tensor, regions: Tensor) -> RegionScores:
        """Score regions by the mean of the selector's maps over them.

        Parameters
        ----------
        images : Tensor of shape (n, c, h, w)
            In [0, 1].
        regions : Tensor of shape (n, h, w), int64
            Label maps.

        Returns
        -------
        RegionScores
            Scores and areas.
        """
        areas = region_areas(regions)
        maps = region_mean(self.selector(images), regions, areas)
        n_masks = getattr(self.selector, "n_masks", 1)
        if n_masks == 1:
            return RegionScores(maps, areas)
        by_label = maps[:, :n_masks]
        of_all = by_label.amax(dim=1, keepdim=True)
        maps = torch.cat([of_all, maps[:, n_masks:]], dim=1)
        return RegionScores(maps, areas, by_label=by_label)

    def classify(
        self,
        images: Tensor,
        regions: Tensor,
        region_masks: Tensor,
        fixed: Tensor | None = None,
    ) -> Tensor:
        """Classify images that are seen through masks.

        Parameters
        ----------
        images : Tensor of shape (n, c, h, w)
            In [0, 1].
        regions : Tensor of shape (n, h, w), int64
            Label maps.
        region_masks : Tensor of shape (n, d)
            In [0, 1]; 1 = kept.
        fixed : Tensor of shape (n,), bool, optional
            Images whose masks nobody can change.  What they would say about their masks need
            not be computed, which saves time where first layers are frozen.  Where all but the
            head are, a training keeps what they say, for others that draw the same masks.

        Returns
        -------
        Tensor of shape (n, n_classes)
            Logits.
        """
        pixel_masks = to_pixels(region_masks, regions)
        shown = apply_mask(images, pixel_masks, self.fill)
        if self.fill == "drop" and pixel_masks.requires_grad:
            return self.classifier(shown, masks=pixel_masks)
        if fixed is not None and isinstance(self.classifier, ImageNetwork):
            return self.classifier(shown, fixed)
        return self.classifier(shown)

    def forward(self, images: Tensor) -> Tensor:
        """Classify images as they are; no selection takes place.

        Parameters
        ----------
        images : Tensor of shape (n, c, h, w)
            In [0, 1].

        Returns
        -------
        Tensor of shape (n, n_classes)
            Logits.
        """
        return self.classifier(images)
