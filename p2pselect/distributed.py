"""Several processes that work as one: those that ``torchrun`` has started.

Every process runs the same script on the same data.  ``fit`` divides each batch among them,
``predict`` and ``explain`` the images, and all of them return the whole result.  A file is
written by every process that is told to write it, each time as a whole.
"""

from __future__ import annotations

import atexit
import gc
import hashlib
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import accumulate
from multiprocessing import parent_process
from typing import Any

from p2pselect.exceptions import InputError

__all__ = ["Processes", "alone", "together"]


@dataclass(frozen=True)
class Processes:
    """The processes that work together, and which of them this is.

    Parameters
    ----------
    rank : int, default=0
    size : int, default=1

    Examples
    --------
    >>> Processes(rank=1, size=3).part(8)
    slice(3, 6, None)
    """

    rank: int = 0
    size: int = 1

    def sizes(self, n: int) -> tuple[int, ...]:
        """How many of ``n`` rows every process takes: as even as can be."""
        each, more = divmod(n, self.size)
        return tuple(each + (rank < more) for rank in range(self.size))

    def part(self, n: int) -> slice:
        """The rows among ``n`` that this process takes."""
        stops = (0, *accumulate(self.sizes(n)))
        return slice(stops[self.rank], stops[self.rank + 1])

    def share(self, n: int) -> slice:
        """The same, but the first row where there are too few for all processes."""
        own = self.part(n)
        return own if own.stop > own.start else slice(0, 1)

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, in order; waits for all of them."""
        if self.size == 1:
            return [value]
        import torch.distributed as dist

        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def of_first(self, value: Any) -> Any:
        """The value of the first process; waits for it."""
        if self.size == 1:
            return value
        import torch.distributed as dist

        values = [value]
        dist.broadcast_object_list(values, src=0)
        return values[0]

    def agree(self, what: str, value: Callable[[], Any]) -> None:
        """Check that all processes were given the same.

        Parameters
        ----------
        what : str
            In the plural, for the message.
        value : callable
            Called where there are several processes.

        Raises
        ------
        InputError
            In all of them, if one was not.
        """
        if self.size == 1:
            return
        digests = self.gather(hashlib.sha256(pickle.dumps(value())).digest())
        other = [rank for rank, digest in enumerate(digests) if digest != digests[0]]
        if other:
            raise InputError(
                f"processes that torchrun starts work on the same data: the {what} of process "
                f"{other[0]} are not those of process 0; pass all of them in every process "
                "(with a random_state where they are drawn), or work in one process inside of "
                "`with p2pselect.distributed.alone():`"
            )


#: Seconds that threads of the group are given to let go of what they hold.
_MOMENT = 0.1
_IS_ALONE: ContextVar[bool] = ContextVar("is_alone", default=False)


@contextmanager
def alone() -> Iterator[None]:
    """Inside, this process works on its own, whatever others there are.

    Examples
    --------
    >>> with alone():
    ...     together()
    Processes(rank=0, size=1)
    """
    token = _IS_ALONE.set(True)
    try:
        yield
    finally:
        _IS_ALONE.reset(token)


def together() -> Processes:
    """The processes that this one works with.

    Those of torch's default process group; under ``torchrun`` it is made at the first call.
    A thread or a child process of one of them, such as a worker of joblib, works alone.

    Returns
    -------
    Processes

    Examples
    --------
    >>> together()
    Processes(rank=0, size=1)
    """
    is_child = parent_process() is not None
    is_thread = threading.current_thread() is not threading.main_thread()
    launched = "TORCHELASTIC_RUN_ID" in os.environ
    if _IS_ALONE.get() or is_child or is_thread:
        return Processes()
    if not launched and "torch.distributed" not in sys.modules:
        return Processes()
    import torch
    import torch.distributed as dist

    if not dist.is_available() or not (launched or dist.is_initialized()):
        return Processes()
    if not dist.is_initialized():
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group()
        atexit.register(_leave)
    return Processes(dist.get_rank(), dist.get_world_size())


def _leave() -> None:
    import torch.distributed as dist

    # A thread of the group that lets go of a tensor while the interpreter ends would abort the
    # process: what refers to the group in cycles goes, and its threads get a moment.
    gc.collect()
    time.sleep(_MOMENT)
    if dist.is_initialized():
        dist.destroy_process_group()
