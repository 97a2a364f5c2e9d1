"""Several processes that work as one: those of a script that ``torchrun`` has started.

Every process runs the same script on the same data.  ``fit`` divides each batch among them,
``predict`` and ``explain`` divide the images, and each process gets the whole result.  Nothing
else in the library knows about processes: whoever calls ``save`` writes a whole file.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import accumulate, count
from multiprocessing import parent_process
from typing import Any

from p2pselect.exceptions import InputError

__all__ = ["Group", "disabled", "group"]


@dataclass(frozen=True)
class Group:
    """Processes that work together, and which of them this one is.

    Parameters
    ----------
    rank : int, default=0
        Number of this process, from 0.
    size : int, default=1
        Number of processes.
    handle : torch.distributed.ProcessGroup, default=None
        What torch communicates through; None for its default group.

    See Also
    --------
    group : Opens the group of a script under ``torchrun``.

    Examples
    --------
    >>> Group(rank=1, size=3).part(8)
    slice(3, 6, None)
    """

    rank: int = 0
    size: int = 1
    handle: Any = None

    def __reduce__(self) -> Any:
        # A copy in a worker process can divide rows, and does not communicate.
        return Group, (self.rank, self.size)

    def sizes(self, n: int) -> tuple[int, ...]:
        """Count the rows that each process takes, which are as even as possible.

        Parameters
        ----------
        n : int
            Number of all rows.

        Returns
        -------
        tuple of int
            One number for each process.
        """
        each, more = divmod(n, self.size)
        return tuple(each + (rank < more) for rank in range(self.size))

    def part(self, n: int) -> slice:
        """Find the rows that this process takes.

        Parameters
        ----------
        n : int
            Number of all rows.

        Returns
        -------
        slice
            Consecutive rows.
        """
        stops = (0, *accumulate(self.sizes(n)))
        return slice(stops[self.rank], stops[self.rank + 1])

    def gather(self, value: Any) -> list[Any]:
        """Collect a value of every process; waits for all of them.

        Parameters
        ----------
        value : object
            Anything that can be pickled.

        Returns
        -------
        list
            The values in the order of the processes, the same in all of them.
        """
        if self.size == 1:
            return [value]
        import torch.distributed as dist

        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value, self.handle)
        return values

    def broadcast(self, value: Any) -> Any:
        """Hand the value of the first process to all of them.

        Parameters
        ----------
        value : object
            Anything that can be pickled; that of other processes is ignored.

        Returns
        -------
        object
            The value of the first process.
        """
        if self.size == 1:
            return value
        import torch.distributed as dist

        values = [value]
        dist.broadcast_object_list(values, src=0, group=self.handle)
        return values[0]

    def check_same(self, what: str, value: Callable[[], Any]) -> None:
        """Raise InputError, in every process, if one of them was given other data.

        Parameters
        ----------
        what : str
            Names the data in the message, in the plural.
        value : callable
            Returns something picklable that tells the data from others; not called where
            there is one process only.
        """
        if self.size == 1:
            return
        digests = self.gather(hashlib.sha256(pickle.dumps(value())).digest())
        other = [rank for rank, digest in enumerate(digests) if digest != digests[0]]
        if other:
            raise InputError(
                f"all processes of torchrun must be given the same data: the {what} of process "
                f"{other[0]} differ from those of process 0. Pass all of them in every process "
                "(with a random_state where they are drawn), or use "
                "`with p2pselect.distributed.disabled():` to work in one process only"
            )


#: The group that is open in this thread, and how many were opened before.
_OPEN: ContextVar[Group | None] = ContextVar("open_group", default=None)
_NUMBERS = count()


@contextmanager
def disabled() -> Iterator[None]:
    """Let this process work by itself, although ``torchrun`` has started others.

    Yields
    ------
    None
        Inside, :func:`group` opens a group of this process only.

    See Also
    --------
    group : Opens the group of all processes.

    Examples
    --------
    >>> with disabled(), group() as only_this:
    ...     only_this
    Group(rank=0, size=1, handle=None)
    """
    token = _OPEN.set(Group())
    try:
        yield
    finally:
        _OPEN.reset(token)


@contextmanager
def group() -> Iterator[Group]:
    """Open the group of the processes that ``torchrun`` has started, and close it at the end.

    A process group that the script has initialized stays as it is.  Threads and child
    processes, such as the workers of joblib, work by themselves, as does any process that
    ``torchrun`` has not started.  All processes have to open and close it together.

    Yields
    ------
    Group
        That of the surrounding ``with``, where there is one.

    See Also
    --------
    disabled : Lets one process work by itself.

    Examples
    --------
    >>> with group() as processes:
    ...     processes
    Group(rank=0, size=1, handle=None)
    """
    surrounding = _OPEN.get()
    if surrounding is not None or local_rank() is None:
        yield surrounding or Group()
        return
    import torch.distributed as dist
    from torch.distributed import PrefixStore, rendezvous  # type: ignore[attr-defined]

    is_ours = not dist.is_initialized()
    if is_ours:
        # A prefix of its own: the store still has what earlier groups have written, and what
        # processes have that were lost, in whose place torchrun has started these.
        store, rank, size = next(iter(rendezvous("env://")))
        start = os.environ["TORCHELASTIC_RESTART_COUNT"]
        store = PrefixStore(f"p2pselect/{start}/{next(_NUMBERS)}", store)
        dist.init_process_group(store=store, rank=rank, world_size=size)
    handle = None if is_ours else dist.new_group()
    opened = Group(dist.get_rank(), dist.get_world_size(), handle)
    token = _OPEN.set(opened)
    try:
        yield opened
        opened.gather(None)  # nobody leaves while others still wait for an answer
    finally:
        _OPEN.reset(token)
        dist.destroy_process_group(handle)


def local_rank() -> int | None:
    """Number of this process on its machine; None where it does not work with others."""
    surrounding = _OPEN.get()
    is_child = parent_process() is not None
    is_thread = threading.current_thread() is not threading.main_thread()
    is_launched = "TORCHELASTIC_RUN_ID" in os.environ
    if is_child or is_thread or not is_launched or surrounding == Group():
        return None
    return int(os.environ["LOCAL_RANK"])
