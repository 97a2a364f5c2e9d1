"""Random numbers of an image that do not depend on the rest of its batch.

They depend only on the seed, the epoch and the row of the image.  So what is learned does not
depend on how a batch is divided, among processes or into parts that fit into memory.  Torch's
generators draw in sequence and cannot do that.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor


def _signed(number: int) -> int:
    """The 64-bit integer of torch that has the same last 64 bits."""
    return (number + 2**63) % 2**64 - 2**63


#: Constants of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014).
_GAMMA = _signed(0x9E3779B97F4A7C15)
_FACTORS = ((30, _signed(0xBF58476D1CE4E5B9)), (27, _signed(0x94D049BB133111EB)))


def combine_seeds(*numbers: int) -> int:
    """One seed of 64 bits for several non-negative numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def uniform(seed: int, rows: Tensor, draw: int, shape: tuple[int, ...]) -> Tensor:
    """Numbers in (0, 1) of shape ``(len(rows), *shape)``, float32.

    A longer shape begins with the numbers of a shorter one.

    Parameters
    ----------
    seed : int
        Of 64 bits.
    rows : Tensor of shape (n,), int64
        The numbers of a row do not depend on the other rows.
    draw : int
        Tells apart what is drawn for the same row.
    shape : tuple of int
    """
    key = _mix(_mix(rows * _GAMMA + _signed(seed)) + _signed(draw * _GAMMA))
    position = torch.zeros((), dtype=torch.int64, device=rows.device)
    for size in shape:
        # A fixed stride: where a number stands must not depend on how many there are.
        position = position[..., None] * 2**24 + torch.arange(size, device=rows.device)
    bits = _mix(key.view(-1, *[1] * len(shape)) + (position + 1) * _GAMMA)
    # 23 bits and a half: exact as float32, and so is twice the distance from 1/2.
    return _shifted(bits, 41).float().add_(0.5).mul_(2.0**-23)


def normal(seed: int, rows: Tensor, draw: int, shape: tuple[int, ...]) -> Tensor:
    """Standard normal numbers: the quantiles of :func:`uniform`."""
    return torch.erfinv(uniform(seed, rows, draw, shape).mul_(2).sub_(1)).mul_(math.sqrt(2))


def _mix(bits: Tensor) -> Tensor:
    """Finalizer of SplitMix64, in place: every bit of the result depends on every bit given."""
    for shift, factor in _FACTORS:
        bits.bitwise_xor_(_shifted(bits, shift)).mul_(factor)
    return bits.bitwise_xor_(_shifted(bits, 31))


def _shifted(bits: Tensor, shift: int) -> Tensor:
    # torch shifts the sign in from the left; zeros belong there.
    return (bits >> shift).bitwise_and_(2 ** (64 - shift) - 1)
