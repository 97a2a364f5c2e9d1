"""An estimator computes as if it were alone in the process, and changes nothing around it.

Networks draw their initial weights and their dropout from torch's default generators, which
belong to the whole process.  An estimator therefore puts generators of its own in place for a
step of training and the caller's back afterwards.  Only one thread at a time may do so.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import Tensor

from p2pselect.distributed import local_rank
from p2pselect.exceptions import InputError, brief

#: Devices for which autocast can be on.
_AUTOCAST = ("cpu", "cuda", "mps", "xpu")


def draw_seed(random_state: Any) -> int:
    """One seed from a ``random_state``; ``None`` draws it from numpy's global generator."""
    return int(check_random_state(random_state).randint(2**31 - 1))


class Turns:
    """A re-entrant lock that threads get in the order in which they asked for it.

    A thread that releases one of Python's own locks and takes it again at once usually gets it
    again, no matter how many others wait.
    """

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._queue = threading.Lock()
        self._turn = threading.Lock()
        self._owner: int | None = None
        self._depth = 0

    def __enter__(self) -> None:
        me = threading.get_ident()
        if self._owner != me:
            # Whoever waits for the turn holds the queue, which the last owner has to join.
            with self._queue:
                self._turn.acquire()
            self._owner = me
        self._depth += 1

    def __exit__(self, *exception: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._owner = None
            self._turn.release()

    def after_fork(self) -> None:
        """In a child process, forget the threads that only exist in its parent."""
        depth = self._depth if self._owner == threading.get_ident() else 0
        self._start()
        for _ in range(depth):
            self.__enter__()


_TURNS = Turns()
#: What the thread whose turn it is has to put back.
_CALLERS: list[tuple[Tensor, torch.dtype]] = []
_is_forked = False


def _after_fork() -> None:
    global _is_forked
    _is_forked = True
    if _CALLERS and _TURNS._owner != threading.get_ident():
        # Another thread was in the middle of a step, which nobody ends here.
        rng, dtype = _CALLERS[0]
        torch.set_rng_state(rng)
        torch.set_default_dtype(dtype)
        _CALLERS.clear()
    _TURNS.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Randomness:
    """The random numbers of one estimator, on the CPU and on one other device.

    >>> own = Randomness(0, torch.device("cpu"))
    >>> with own.in_place():
    ...     first = torch.rand(2)
    >>> _ = torch.rand(7)  # the program's own
    >>> with own.in_place():
    ...     second = torch.rand(2)
    >>> torch.equal(torch.cat([first, second]), torch.rand(4, generator=torch.manual_seed(0)))
    True
    """

    def __init__(self, seed: int, device: torch.device):
        self.device = device
        devices = [torch.device("cpu"), *([] if device.type == "cpu" else [device])]
        self.states = [torch.Generator(d).manual_seed(seed).get_state() for d in devices]

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, torch's default generators are those of this estimator.

        New parameters are float32 inside, as they are unless the program says otherwise.
        """
        with _TURNS:
            callers, dtype = _get_states(self.device), torch.get_default_dtype()
            _CALLERS.append((callers[0], dtype))
            try:
                _set_states(self.states, self.device)
                torch.set_default_dtype(torch.float32)
                yield
            finally:
                self.states = _get_states(self.device)
                torch.set_default_dtype(dtype)
                _set_states(callers, self.device)
                _CALLERS.pop()


def _get_states(device: torch.device) -> list[Tensor]:
    states = [torch.get_rng_state()]
    if device.type == "mps":
        states.append(torch.mps.get_rng_state())
    elif device.type != "cpu":
        states.append(torch.get_device_module(device).get_rng_state(device))
    return states


def _set_states(states: Sequence[Tensor], device: torch.device) -> None:
    torch.set_rng_state(states[0])
    if device.type == "mps":
        torch.mps.set_rng_state(states[1])
    elif device.type != "cpu":
        torch.get_device_module(device).set_rng_state(states[1], device)


@contextmanager
def usual_surroundings() -> Iterator[None]:
    """Inside, this thread computes as if nothing had been switched around it.

    Gradients are on, inference mode and autocast are off, new tensors are made on the CPU, and
    numpy treats overflows and invalid operations as it does by default.  A process that was
    forked computes in one thread.  Afterwards everything is as the caller had it.
    """
    with ExitStack() as inside:
        if _is_forked and (threads := torch.get_num_threads()) > 1:
            # OpenMP would wait for the threads of the parent, which are not there, forever.
            torch.set_num_threads(1)
            inside.callback(torch.set_num_threads, threads)
        inside.enter_context(
            np.errstate(divide="warn", over="warn", under="ignore", invalid="warn")
        )
        if torch.is_inference_mode_enabled():
            inside.enter_context(torch.inference_mode(False))
        inside.enter_context(torch.enable_grad())
        for device in _AUTOCAST:
            if torch.is_autocast_enabled(device):
                inside.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            inside.enter_context(torch.device("cpu"))
        yield


def resolve_device(device: str | torch.device) -> torch.device:
    """The torch device behind ``"auto"`` or a name; under ``torchrun``, a GPU per process."""
    if device == "auto":
        backends = {"cuda": torch.cuda, "mps": torch.backends.mps}
        device = next((name for name, found in backends.items() if found.is_available()), "cpu")
    try:
        resolved = torch.device(device)
        if resolved == torch.device("cuda") and (rank := local_rank()) is not None:
            resolved = torch.device("cuda", rank)
        torch.empty(0, device=resolved)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device={brief(device)} cannot be used: {error!s:.300}") from error
    if resolved.type == "meta":
        raise InputError("device='meta' cannot be used: its tensors hold no numbers")
    return resolved
