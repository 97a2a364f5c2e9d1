"""Evenly spread positions: the order in which a lattice fills an image."""

from __future__ import annotations

import torch
from torch import Tensor

from p2pselect.nn.pooling import region_mean

# Badly approximable by fractions, and independent of each other: no stripes at any density.
_DOWN = 2**0.5 - 1
_ACROSS = (5**0.5 - 1) / 2


def lattice_order(rows: Tensor, columns: Tensor) -> Tensor:
    r"""Position of pixels in a fixed low-discrepancy order, in [0, 1).

    :math:`\{r \alpha + c \beta\}` with :math:`\alpha = \sqrt 2 - 1` and :math:`\beta` the
    golden section: the pixels below ``tau`` are a share ``tau`` of the image and, up to a
    pixel or two, of every row and every column.

    Parameters
    ----------
    rows, columns : Tensor of the same shape
        In pixels.

    Returns
    -------
    Tensor of that shape, float32
    """
    return ((rows.double() * _DOWN + columns.double() * _ACROSS) % 1).float()


def region_lattice(regions: Tensor, areas: Tensor) -> Tensor:
    """Position of every region's centre in the order of the lattice, (n, d) in [0, 1)."""
    n, h, w = regions.shape
    grid = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    pixels = torch.stack(grid).to(areas).expand(n, 2, h, w)
    centres = region_mean(pixels, regions, areas)
    return lattice_order(centres[:, 0], centres[:, 1])
