"""Masks of every shape that nobody has chosen: what they show says nothing about the label."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from p2pselect.nn._masking import region_mean


def random_region_masks(
    regions: Tensor,
    areas: Tensor,
    min_share: float = 0.05,
    rand_like: Callable[[Tensor], Tensor] = torch.rand_like,
) -> Tensor:
    r"""Draw a mask for every image: scattered regions, or regions in one piece.

    A classifier that learns from such masks knows what regions look like, whoever has chosen
    them.  The share of the area to keep is drawn from U[``min_share``, 1].  Half of the masks
    keep regions in a random order; the others, which are in one piece, keep those whose centers
    are nearest to the center of a random region.  Both keep regions for as long as these fit
    within the share, and at least one.

    Parameters
    ----------
    regions : Tensor of shape (n, h, w), int64
        Label maps.
    areas : Tensor of shape (n, d)
        From :func:`region_areas`; regions of area 0 are padding, and are never kept.
    min_share : float, default=0.05
        The smallest share of the area that is drawn, in [0, 1].
    rand_like : callable, default=torch.rand_like
        Maps a tensor to uniform random numbers of its shape.  In training this is
        :meth:`Step.rand_like <p2pselect.training.Step.rand_like>`, with which masks do not
        depend on how batches are divided.

    Returns
    -------
    Tensor of shape (n, d)
        1 = kept, 0 = removed.

    Examples
    --------
    >>> from p2pselect.nn import region_areas
    >>> regions = torch.arange(9).expand(2, 9).view(2, 3, 3)
    >>> masks = random_region_masks(regions, region_areas(regions), min_share=1.0)
    >>> masks.sum(dim=1)
    tensor([9., 9.])
    """
    share = min_share + (1 - min_share) * rand_like(areas[:, 0])
    in_one_piece = rand_like(areas[:, 0]) < 0.5
    uniform = rand_like(areas).masked_fill(areas == 0, torch.inf)
    # Where distances are equal, as between the squares of a grid, chance decides.
    distance = _distances_from(uniform.argmin(dim=1), regions, areas) + uniform
    order = torch.where(in_one_piece[:, None], distance, uniform).argsort(dim=1)
    used = areas.gather(1, order).cumsum(dim=1)
    kept = used <= share[:, None] * used[:, -1:]
    kept[:, 0] = True
    kept &= areas.gather(1, order) > 0
    return torch.zeros_like(areas).scatter(1, order, kept.to(areas.dtype))


def _distances_from(start: Tensor, regions: Tensor, areas: Tensor) -> Tensor:
    """From the center of one region of every image (n,) to all of them, (n, d), in pixels."""
    n, height, width = regions.shape
    rows = torch.arange(height, dtype=areas.dtype, device=areas.device)[:, None]
    columns = torch.arange(width, dtype=areas.dtype, device=areas.device)[None, :]
    places = torch.stack([rows.expand(height, width), columns.expand(height, width)])
    centers = region_mean(places.expand(n, -1, -1, -1), regions, areas)
    first = centers.gather(2, start[:, None, None].expand(-1, 2, 1))
    return (centers - first).square().sum(dim=1).sqrt()
