"""Scores without ties, so that exactly as many regions can be kept as were asked for."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_MAGNITUDE = 0x7FFFFFFF


def break_ties(scores: Tensor, areas: Tensor) -> Tensor:
    """Scores in the same order, equal ones set apart by a fixed random permutation.

    Ties are common where every pixel is a region (clamped maps, repeated borders), and
    sorting by label would prefer the top left.  Values move by as few steps of the float
    type as it takes; rows without ties stay as they are.

    Parameters
    ----------
    scores : Tensor of shape (n, d), float32
    areas : Tensor of shape (n, d)
        Regions of area 0 are padding: they take no part and come out as ``-inf``.

    Returns
    -------
    Tensor of shape (n, d), float32
        All finite values of a row are different.

    Examples
    --------
    >>> scores = break_ties(torch.tensor([[1.0, 0.0, 1.0, 2.0]]), torch.ones(1, 4))
    >>> scores.unique().numel(), scores.argmax().item(), scores.argmin().item()
    (4, 3, 1)
    """
    scores = scores.masked_fill(areas == 0, -torch.inf)
    d = scores.shape[1]
    # The first d of one sequence: the order of two labels does not depend on d.
    shuffle = torch.from_numpy(np.random.default_rng(0).random(d).argsort()).to(scores.device)
    falling, order = scores[:, shuffle].sort(dim=1, descending=True, stable=True)
    bits = falling.contiguous().view(torch.int32).long()
    # Floats are ordered as the integers of their bits, the sign apart.
    steps = torch.where(bits < 0, -(bits & _MAGNITUDE), bits)
    place = torch.arange(d, device=scores.device)
    steps = (steps + place).cummin(dim=1).values - place
    apart = steps.abs().int().view(torch.float32) * steps.sign()
    apart = torch.where(falling.isinf(), falling, apart)
    return torch.empty_like(scores).scatter_(1, shuffle[order], apart)
