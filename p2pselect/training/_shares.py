"""How a batch is divided: among processes, and into parts that fit into memory.

Gradients of the parts are added up, so that a step is that of the whole batch.  Batch norm is
the exception: its statistics are those of the images that go through the networks at once.  On
GPUs they are those of all processes (torch's ``SyncBatchNorm``, which needs CUDA).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from p2pselect.distributed import Group

#: Images, regions, weights, rows and batch size by name; targets.
Batch = tuple[dict[str, Tensor], Tensor]


def own_rows(group: Group, n: int) -> slice:
    """The rows of a batch of ``n`` images that this process trains on.

    A batch of fewer than two images per process is not divided, because batch norm has no
    statistics of a single image: every process trains on all of it.
    """
    return slice(0, n) if n < 2 * group.size else group.part(n)


@dataclass(frozen=True)
class Part:
    """Images that go through the networks at once."""

    batch: Batch
    #: Weight of the mean over these images in the loss; those of all parts and processes add
    #: up to 1.
    share: float
    group: Group

    def mean(self, values: Tensor) -> Tensor:
        """Mean over the images of all processes of values (n,), by sample weight."""
        weight = self.batch[0]["weight"].to(values.device)
        total, weights = _Sum.apply(
            torch.stack([values * weight, weight]).sum(dim=1), self.group
        )
        # Images whose weights are all 0 have no mean, and no part in the loss either.
        return total / weights.clamp(min=1e-12)

    def add_up(
        self, losses: Mapping[str, Tensor], terms: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """What this part of all processes contributes to the loss and terms of the batch."""
        loss = torch.stack([*losses.values()]).sum()
        rows = torch.stack([loss, *terms.values()]).detach() * self.share
        rows = _Sum.apply(rows, self.group)
        return rows[0], dict(zip(terms, rows[1:], strict=True))


def split(batch: Batch, group: Group, largest: int | None = None) -> Iterator[Part]:
    """Divide this process's share of a batch into parts of at most ``largest`` images.

    Every process gets the same number of parts, because in each they wait for one another.
    """
    inputs, target = batch
    size = int(inputs["batch_size"][0])
    sizes = (size,) if size < 2 * group.size else group.sizes(size)
    n_parts = 1 if largest is None else min(-(-max(sizes) // largest), min(sizes))
    # As even as possible: batch norm has no statistics of a last part of one image.
    columns = {name: values.tensor_split(n_parts) for name, values in inputs.items()}
    times_seen = group.size if len(sizes) == 1 else 1
    for number, targets in enumerate(target.tensor_split(n_parts)):
        part = {name: values[number] for name, values in columns.items()}
        yield Part((part, targets), len(targets) / (size * times_seen), group)


def add_gradients(model: nn.Module, group: Group) -> None:
    """Give every process the sum of all gradients, and the mean of all batch statistics."""
    if group.size == 1:
        return
    # Objectives are the same in all processes, and so is what has a gradient.
    gradients = [p.grad for p in model.parameters() if p.requires_grad and p.grad is not None]
    learning = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.training]
    statistics = [s for m in learning for s in (m.running_mean, m.running_var) if s is not None]
    own = [*gradients, *statistics]
    total = _total(torch.cat([values.flatten() for values in own]), group)
    for values, new in zip(own, total.split([v.numel() for v in own]), strict=True):
        values.copy_(new.view_as(values))
    for values in statistics:
        values.div_(group.size)


@contextmanager
def synchronized_batch_norm(
    model: nn.Module, device: torch.device, group: Group
) -> Iterator[None]:
    """Inside, batch norm on a GPU sees the images of all processes."""
    if group.size == 1 or device.type != "cuda":
        yield
        return
    from timm.layers import convert_sync_batchnorm  # type: ignore[attr-defined]

    places = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if isinstance(child, _BatchNorm)
    ]
    convert_sync_batchnorm(model, group.handle)
    try:
        yield
    finally:
        for parent, name, child in places:  # with the same parameters and statistics
            setattr(parent, name, child)


class _Sum(torch.autograd.Function):
    """Sum of a tensor over all processes; the losses of all of them depend on it."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, group: Group) -> Tensor:
        ctx.group = group
        return _total(values, group)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _total(gradients[0], ctx.group), None


def _total(values: Tensor, group: Group) -> Tensor:
    total = values.clone(memory_format=torch.contiguous_format)
    if group.size > 1:
        dist.all_reduce(total, group=group.handle)
    return total
