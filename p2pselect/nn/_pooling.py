"""From pixels to regions and back; images with fewer regions than others are padded."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor


def region_areas(regions: Tensor) -> Tensor:
    """Count the pixels of every region.

    Parameters
    ----------
    regions : Tensor of shape (n, h, w), int64
        Label maps.

    Returns
    -------
    Tensor of shape (n, d), float32
        The width d is the largest number of regions of an image; 0 for labels that an image
        lacks.

    Examples
    --------
    >>> region_areas(torch.tensor([[[0, 0, 1]], [[0, 0, 0]]]))
    tensor([[2., 1.],
            [3., 0.]])
    """
    n, d = len(regions), int(regions.max()) + 1
    flat = regions.flatten(1) + d * torch.arange(n, device=regions.device)[:, None]
    return torch.bincount(flat.flatten(), minlength=n * d).view(n, d).float()


def region_mean(maps: Tensor, regions: Tensor, areas: Tensor) -> Tensor:
    r"""Mean of every map over every region (paper, section 3, :math:`\mu_j` and :math:`E_j`).

    Parameters
    ----------
    maps : Tensor of shape (n, k, h', w')
        At any resolution; they are interpolated bilinearly to that of the regions.
    regions : Tensor of shape (n, h, w), int64
        Label maps.
    areas : Tensor of shape (n, d)
        From :func:`region_areas`.

    Returns
    -------
    Tensor of shape (n, k, d)
        0 for regions that an image lacks.

    Examples
    --------
    >>> regions = torch.tensor([[[0, 0, 1]]])
    >>> region_mean(torch.tensor([[[[1.0, 3.0, 5.0]]]]), regions, region_areas(regions))
    tensor([[[2., 5.]]])
    """
    if maps.shape[-2:] != regions.shape[-2:]:
        maps = upsample(maps, regions.shape[-2], regions.shape[-1])
    n, k = maps.shape[:2]
    index = regions.flatten(1)[:, None].expand(-1, k, -1)
    sums = maps.new_zeros(n, k, areas.shape[1]).scatter_add(2, index, maps.flatten(2))
    return sums / areas[:, None].clamp(min=1)


def upsample(maps: Tensor, height: int, width: int) -> Tensor:
    """Bilinear interpolation to (height, width), as ``F.interpolate`` with aligned edges off.

    Two products with interpolation matrices: for the few maps of a selector several times
    faster on a CPU, forward and backward.
    """
    rows = _interpolation(maps.shape[-2], height, maps.device)
    columns = _interpolation(maps.shape[-1], width, maps.device)
    return rows.T @ (maps @ columns)


@lru_cache(maxsize=32)
def _interpolation(n_in: int, n_out: int, device: torch.device) -> Tensor:
    # Kept between calls, so it must not be born as an inference tensor.
    with torch.inference_mode(False):
        identity = torch.eye(n_in, device=device)[None]
        return F.interpolate(identity, size=n_out, mode="linear", align_corners=False)[0]


def to_pixels(values: Tensor, regions: Tensor) -> Tensor:
    """Give every pixel the value of its region.

    Parameters
    ----------
    values : Tensor of shape (n, d)
        One per region, for example a mask.
    regions : Tensor of shape (n, h, w), int64
        Label maps.

    Returns
    -------
    Tensor of shape (n, h, w)
        A value per pixel.

    Examples
    --------
    >>> to_pixels(torch.tensor([[0.0, 1.0]]), torch.tensor([[[0, 0, 1]]]))
    tensor([[[0., 0., 1.]]])
    """
    return values.gather(1, regions.flatten(1)).view(regions.shape)
