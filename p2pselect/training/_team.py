"""How the processes that train one model divide its batches and bring gradients together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from p2pselect.distributed import Processes
from p2pselect.training._data import Batch
from p2pselect.training._objective import LossTerms
from p2pselect.training._whole_batch import WholeBatch, sum_of_all

#: The loss of every module that has one of its own, "" for all; and the terms, for the record.
Losses = tuple[dict[str, Tensor], LossTerms]


@dataclass(frozen=True)
class Part:
    """Images that go through the networks at once.

    Attributes
    ----------
    batch : tuple
        Those of this process.
    share : float
        Of a loss of their mean in that of the batch; the mean over all processes is that of
        the whole batch.
    is_last : bool
        Of its batch.
    whole : WholeBatch or None
        Of which they are a part; None where there is one process.
    """

    batch: Batch
    share: float
    is_last: bool
    whole: WholeBatch | None

    def mean(self, values: Tensor) -> Tensor:
        """Mean over the images of all processes of values (n,), by sample weight."""
        weight = self.batch[0]["weight"].to(values.device)
        mean = Tensor.mean if self.whole is None else self.whole.mean
        # Images of weight 0 alone have no mean, and no part in the loss either.
        return mean(values * weight) / mean(weight).clamp(min=1e-12)

    def seen_whole(self) -> AbstractContextManager[Any]:
        """Inside, torch's functions see what other processes have, too."""
        return nullcontext() if self.whole is None else self.whole


class Team:
    """The processes that train a model, and its gradients.

    Parameters
    ----------
    processes : Processes
    """

    def __init__(self, processes: Processes):
        self.processes = processes
        self._wrapped: DistributedDataParallel | None = None
        self._trainable: list[nn.Parameter] = []

    @property
    def is_one(self) -> bool:
        """Whether there is one process only."""
        return self.processes.size == 1

    def wrap(self, module: nn.Module, losses: Callable[[Part], Losses]) -> None:
        """Bring the gradients of what is trainable now together from here on."""
        trainable = [p for p in module.parameters() if p.requires_grad]
        known = {id(p) for p in self._trainable}
        if self.is_one or known == {id(p) for p in trainable}:
            return
        self._wrapped, self._trainable = None, trainable
        if trainable:
            # What a method's objective leaves out of its graph must not be waited for.
            self._wrapped = DistributedDataParallel(
                _Losses(module, losses), find_unused_parameters=True
            )

    def same_random_numbers(self, device: torch.device) -> None:
        """Put the random generators of all processes into the state of the first one's."""
        if self.is_one:
            return
        torch.set_rng_state(self.processes.of_first(torch.get_rng_state()))
        if device.type == "cuda":
            state = self.processes.of_first(torch.cuda.get_rng_state(device))
            torch.cuda.set_rng_state(state, device)

    def parts(self, batch: Batch, most: int | None = None) -> Iterator[Part]:
        """A batch in pieces of at most so many images per process.

        Parameters
        ----------
        batch : tuple
            Of this process, as :class:`~p2pselect.training._data.TrainingData` gives it.
        most : int, optional

        Yields
        ------
        Part
        """
        inputs, target = batch
        size = int(inputs["batch_size"][0])
        all_sizes = self.processes.sizes(size)
        n_parts = 1 if most is None else -(-max(all_sizes) // most)
        # As even as can be: a last piece of one image would have no batch statistics.
        columns = {name: value.tensor_split(n_parts) for name, value in inputs.items()}
        targets = target.tensor_split(n_parts)
        for number in range(n_parts):
            own = {name: column[number] for name, column in columns.items()}, targets[number]
            sizes = tuple(_size_of_part(n, n_parts, number) for n in all_sizes)
            if not len(own[1]):  # others have one image more: take part in what they do
                own = {name: value[:1] for name, value in inputs.items()}, target[:1]
            yield Part(
                own,
                self.processes.size * sizes[self.processes.rank] / size,
                number == n_parts - 1,
                self._whole(own, sizes),
            )

    def _whole(self, own: Batch, sizes: tuple[int, ...]) -> WholeBatch | None:
        if self.is_one:
            return None
        n_regions = int(own[0]["regions"].max()) + 1
        most = max(self.processes.gather(n_regions))
        return WholeBatch(self.processes.rank, sizes, n_regions, most)

    def losses(self, part: Part, losses: Callable[[Part], Losses]) -> Losses:
        """Run the networks; the backward pass after it brings gradients together."""
        wrapped = self._wrapped
        with part.seen_whole():
            return losses(part) if wrapped is None else wrapped(part)

    def collecting(self, part: Part) -> AbstractContextManager[Any]:
        """Where forward and backward of a part belong: gradients wait for the last one."""
        if self._wrapped is None or part.is_last:
            return nullcontext()
        return self._wrapped.no_sync()

    def mean_of_all(
        self, loss: Tensor, terms: Mapping[str, Tensor], share: float
    ) -> tuple[Tensor, LossTerms]:
        """What a part contributes to the loss and the terms of the whole batch."""
        if not self.is_one:
            rows = torch.stack([loss.detach(), *terms.values()]) * share
            rows = sum_of_all(rows) / self.processes.size
        elif share == 1:
            return loss.detach(), dict(terms)
        else:
            rows = torch.stack([loss.detach(), *terms.values()]) * share
        return rows[0], dict(zip(terms, rows[1:], strict=True))


class _Losses(nn.Module):
    """The losses as the forward pass of a module, for torch to see which weights they use."""

    def __init__(self, module: nn.Module, losses: Callable[[Part], Losses]):
        super().__init__()
        self.module = module
        self.losses = losses

    def forward(self, part: Part) -> Losses:
        return self.losses(part)


def _size_of_part(n: int, n_parts: int, number: int) -> int:
    return n // n_parts + (number < n % n_parts)
