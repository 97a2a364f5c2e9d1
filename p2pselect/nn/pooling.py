"""From pixels to regions and back; regions of different number are padded, area 0."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def region_areas(regions: Tensor, n_regions: int | None = None) -> Tensor:
    """Pixels of every region, (n, h, w) int64 -> (n, d) float; 0 for absent labels."""
    n, d = len(regions), int(regions.max()) + 1 if n_regions is None else n_regions
    flat = regions.flatten(1) + d * torch.arange(n, device=regions.device)[:, None]
    return torch.bincount(flat.flatten(), minlength=n * d).view(n, d).float()


def region_mean(maps: Tensor, regions: Tensor, areas: Tensor) -> Tensor:
    r"""Mean of every map over every region (paper, section 3, :math:`\mu_j` and :math:`E_j`).

    Parameters
    ----------
    maps : Tensor of shape (n, k, h', w')
        At any resolution; brought to the regions' by bilinear interpolation.
    regions : Tensor of shape (n, h, w), int64
    areas : Tensor of shape (n, d)
        From :func:`region_areas`.

    Returns
    -------
    Tensor of shape (n, k, d)
        0 for absent regions.
    """
    if maps.shape[-2:] != regions.shape[-2:]:
        maps = F.interpolate(
            maps, size=regions.shape[-2:], mode="bilinear", align_corners=False
        )
    n, k = maps.shape[:2]
    index = regions.flatten(1)[:, None].expand(-1, k, -1)
    sums = maps.new_zeros(n, k, areas.shape[1]).scatter_add(2, index, maps.flatten(2))
    return sums / areas[:, None].clamp(min=1)


def to_pixels(values: Tensor, regions: Tensor) -> Tensor:
    """Give every pixel its region's value, (n, d) and (n, h, w) -> (n, h, w)."""
    return values.gather(1, regions.flatten(1)).view(regions.shape)
