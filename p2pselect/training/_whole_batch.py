"""What looks at a batch as a whole, where several processes have a part of it each.

Batch statistics are those of the whole batch.  Random numbers are drawn for the whole batch, by
generators that are in the same state everywhere, and every process takes those of its images.
So what is learned does not depend on the number of processes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

_SIZED = (torch.rand, torch.randn)
_SHAPED = (torch.rand_like, torch.randn_like, torch.bernoulli, torch.normal)
_DROPPING = (
    F.dropout,
    F.dropout1d,
    F.dropout2d,
    F.dropout3d,
    F.alpha_dropout,
    F.feature_alpha_dropout,
)
_IN_PLACE = (
    Tensor.bernoulli_,
    Tensor.exponential_,
    Tensor.normal_,
    Tensor.uniform_,
)


class WholeBatch(TorchFunctionMode):
    """Inside, torch's functions see the whole batch where that makes a difference.

    Parameters
    ----------
    rank : int
        Of this process.
    sizes : sequence of int
        Images of the batch that every process has.  A process without any shows the first
        image of the batch to its networks, so that it takes part in what all do; it counts
        for nothing.
    n_regions : int
        Regions of an image that this process counts.
    most_regions : int
        The largest such number of all processes.
    """

    def __init__(self, rank: int, sizes: tuple[int, ...], n_regions: int, most_regions: int):
        super().__init__()
        self.size = sum(sizes)
        self.is_real = sizes[rank] > 0
        start = sum(sizes[:rank]) if self.is_real else 0
        self.own = slice(start, start + max(1, sizes[rank]))
        self.n_regions = n_regions
        self.most_regions = most_regions

    def mean(self, values: Tensor) -> Tensor:
        """Mean over the images of the whole batch of values (n,)."""
        return sum_of_all(values.sum() * self.is_real) / self.size

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.batch_norm and _argument("training", 5, args, kwargs):
            return self._batch_norm(*args, **kwargs)
        if func in _SIZED:
            size = args[0] if isinstance(args[0], (tuple, list, torch.Size)) else args
            if self._is_mine(size):
                return self._mine(func(self._whole(size), **kwargs), size)
        elif func in _SHAPED and self._is_mine(args[0].shape):
            shape = self._whole(args[0].shape)
            spread = [self._spread(a, shape) if isinstance(a, Tensor) else a for a in args]
            return self._mine(func(*spread, **kwargs), args[0].shape)
        elif func in _DROPPING and self._is_mine(args[0].shape):
            # Features, not regions: only their number of images differs.
            whole = self._spread(args[0], [self.size, *args[0].shape[1:]])
            return func(whole, *args[1:], **kwargs)[self.own]
        elif func in _IN_PLACE and self._is_mine(args[0].shape):
            whole = args[0].new_empty((self.size, *args[0].shape[1:]))
            with torch.no_grad():
                return args[0].copy_(func(whole, *args[1:], **kwargs)[self.own])
        return func(*args, **kwargs)

    def _is_mine(self, size: Any) -> bool:
        return len(size) > 0 and size[0] == self.own.stop - self.own.start

    def _whole(self, size: Any) -> list[int]:
        whole = [self.size, *size[1:]]
        if len(size) > 1 and size[-1] == self.n_regions:
            whole[-1] = self.most_regions
        return whole

    def _mine(self, whole: Tensor, size: Any) -> Tensor:
        own = whole[self.own]
        return own[..., : size[-1]] if len(size) > 1 else own

    def _spread(self, own: Tensor, shape: list[int]) -> Tensor:
        whole = own.new_full(shape, 0.5)
        self._mine(whole, own.shape).copy_(own)
        return whole

    def _batch_norm(
        self,
        input: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        # torch.nn.SyncBatchNorm is for GPUs only, and would take the modules' place.
        over = [dim for dim in range(input.dim()) if dim != 1]
        shape = [1, -1] + [1] * (input.dim() - 2)
        n = self.size * input[0, 0].numel()
        values = input.float()
        mean = (
            sum_of_all(values.sum(dim=over, dtype=torch.float64) * self.is_real) / n
        ).float()
        centred = values - mean.view(shape)
        variance = (
            sum_of_all(centred.square().sum(dim=over, dtype=torch.float64) * self.is_real) / n
        ).float()
        if running_mean is not None and running_var is not None:
            with torch.no_grad():
                running_mean.lerp_(mean.to(running_mean.dtype), momentum)
                unbiased = variance * (n / max(1, n - 1))
                running_var.lerp_(unbiased.to(running_var.dtype), momentum)
        out = centred * torch.rsqrt(variance + eps).view(shape)
        if weight is not None:
            out = out * weight.view(shape)
        if bias is not None:
            out = out + bias.view(shape)
        return out.to(input.dtype)


class _SumOfAll(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        # Every process has a loss of its own that depends on the sum.
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def sum_of_all(value: Tensor) -> Tensor:
    """Sum of a tensor over all processes; gradients flow back to all of them."""
    return _SumOfAll.apply(value)


def _argument(name: str, position: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return args[position] if len(args) > position else kwargs.get(name, False)


#: Where the size stands among the arguments of a numpy generator's methods.
_SIZE_AT = {
    **dict.fromkeys(("random", "standard_normal", "standard_exponential"), 0),
    **dict.fromkeys(("choice", "exponential", "poisson", "rayleigh", "standard_gamma"), 1),
    **dict.fromkeys(("integers", "uniform", "normal", "lognormal", "laplace", "logistic"), 2),
    **dict.fromkeys(("beta", "binomial", "gamma", "vonmises"), 2),
    "triangular": 3,
}


class WholeBatchDraws:
    """A numpy generator that draws for a whole batch and gives the numbers of some rows.

    Parameters
    ----------
    rng : Generator
    n : int
        Rows of the batch.
    own : slice
        Those of this process.
    """

    def __init__(self, rng: np.random.Generator, n: int, own: slice):
        self._rng = rng
        self._n = n
        self._own = own

    def __getattr__(self, name: str) -> Any:
        draw = getattr(self._rng, name)
        place = _SIZE_AT.get(name)
        if place is None:
            return draw

        def drawn(*args: Any, **kwargs: Any) -> Any:
            size = args[place] if len(args) > place else kwargs.pop("size", None)
            args = (*args[:place], *args[place + 1 :])
            shape = (size,) if np.isscalar(size) else tuple(size or ())
            if not shape or shape[0] != self._own.stop - self._own.start:
                return draw(*args, size=size, **kwargs)
            return draw(*args, size=(self._n, *shape[1:]), **kwargs)[self._own]

        return drawn

    def spawn(self, n_children: int) -> list[np.random.Generator]:
        """Generators for the rows of this process."""
        return self._rng.spawn(self._n)[self._own]
