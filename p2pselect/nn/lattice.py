"""Evenly spread positions: the order in which a lattice fills an image."""

from __future__ import annotations

import torch
from torch import Tensor

from p2pselect.nn.pooling import region_mean

# Badly approximable by fractions, so that no row or column has too few pixels, and
# independent of each other; of many such pairs one whose sparse lattices have small holes.
_DOWN = (1 + 3 * 7**0.5) / 2
_ACROSS = (3 + 2 * 17**0.5) / 4


def lattice_order(rows: Tensor, columns: Tensor) -> Tensor:
    r"""Position of pixels in a fixed low-discrepancy order, in [0, 1).

    :math:`\{r \alpha + c \beta\}`, the fractional part, with
    :math:`\alpha = (1 + 3 \sqrt 7) / 2` and :math:`\beta = (3 + 2 \sqrt{17}) / 4`: the pixels
    below ``tau`` are a share ``tau`` of the image and, up to a pixel or two, of every row and
    every column, and each of them has about as much of the image around it.

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
