"""What an objective is: a function from one training step to named terms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

LossTerms = dict[str, Tensor]


@dataclass(frozen=True)
class Step:
    """One batch, as an objective sees it.

    Attributes
    ----------
    model : Module
    images : Tensor of shape (n, 3, h, w)
        In [0, 1].
    regions : Tensor of shape (n, h, w), int64
    target : Tensor of shape (n,), int64
    index : Tensor of shape (n,), int64
        Rows of the training set.
    progress : float
        How much of the phase is done, in [0, 1].
    mean : callable
        Mean of values (n,) over the batch, weighted by the images' sample weights, and over
        all processes where several share it: for terms that compare means.  What is minimized
        is the weighted mean of the terms anyway.
    """

    model: Any
    images: Tensor
    regions: Tensor
    target: Tensor
    index: Tensor
    progress: float
    mean: Callable[[Tensor], Tensor] = Tensor.mean


#: Terms are per image, shape (n,), already weighted; their sum is minimised.  The gradient
#: of a term named "module/term" reaches the parameters of that sub-module only.
Objective = Callable[[Step], LossTerms]
