"""What the program around may have switched, and what it must not change here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch

#: Devices for which autocast can be on.
_AUTOCAST = ("cpu", "cuda", "mps", "xpu")
_is_forked = False


def _after_fork() -> None:
    global _is_forked
    _is_forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


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
