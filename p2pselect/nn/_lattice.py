"""Evenly spread positions: the order in which a lattice fills an image."""

from __future__ import annotations

import torch
from torch import Tensor

from p2pselect.nn._pooling import region_mean

# Of all multipliers one whose lattices, of every 2nd to every 32nd pixel, have long shortest
# vectors.
_LEVELS, _STEP = 5, 13
# Within a class: badly approximable by fractions, so that no row or column has too few
# pixels, and independent of each other.
_DOWN = (1 + 3 * 7**0.5) / 2
_ACROSS = (3 + 2 * 17**0.5) / 4


def lattice_order(rows: Tensor, columns: Tensor) -> Tensor:
    r"""Position of pixels in a fixed low-discrepancy order, in [0, 1).

    A lattice of rank 1 in the order of van der Corput: the class
    :math:`(13 r + c) \bmod 32` with its bits reversed, and within a class the fractional part
    of :math:`r \alpha + c \beta` with :math:`\alpha = (1 + 3 \sqrt 7) / 2` and
    :math:`\beta = (3 + 2 \sqrt{17}) / 4`.  The pixels below ``tau`` are a share ``tau`` of the
    image and, up to a pixel or two, of every row and every column, and each of them has about
    as much of the image around it.  Those below 1/8 have a period of 8 pixels in both
    directions, as have the strides of convolutional networks: all their outputs of one kind
    see the image through the same holes.

    Parameters
    ----------
    rows, columns : Tensor of the same shape
        In pixels, rounded where they are not whole.

    Returns
    -------
    Tensor of that shape, float32
    """
    n_classes = 2**_LEVELS
    index = (_STEP * rows.round().long() + columns.round().long()) % n_classes
    reverse = sum(((index >> bit) & 1) << (_LEVELS - 1 - bit) for bit in range(_LEVELS))
    within = (rows.double() * _DOWN + columns.double() * _ACROSS) % 1
    return ((reverse + within) / n_classes).float()


def region_lattice(regions: Tensor, areas: Tensor) -> Tensor:
    """Position of every region's centre in the order of the lattice, (n, d) in [0, 1)."""
    n, h, w = regions.shape
    grid = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    pixels = torch.stack(grid).to(areas).expand(n, 2, h, w)
    centres = region_mean(pixels, regions, areas)
    return lattice_order(centres[:, 0], centres[:, 1])
