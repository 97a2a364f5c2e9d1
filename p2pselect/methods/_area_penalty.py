"""Penalties on how much is kept, for the methods that weigh area against reward."""

from __future__ import annotations

import torch
from torch import Tensor


def area_penalty(kept: Tensor, tau: float | None) -> Tensor:
    """Kept fraction, or only what of it lies beyond ``tau``.

    Parameters
    ----------
    kept : Tensor of shape (n,)
        Expected fraction of kept pixels per image.
    tau : float or None
        None penalises all that is kept.

    Returns
    -------
    Tensor of shape (n,)
    """
    return kept if tau is None else torch.relu(kept - tau)
