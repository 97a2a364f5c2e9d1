"""Randomness that is the estimator's own, and the device it runs on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state

from p2pselect.exceptions import InputError
from p2pselect.processes import together


def draw_seed(random_state: Any) -> int:
    """One seed from a ``random_state``; ``None`` leaves numpy's global generator alone."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] >> 1)
    return int(check_random_state(random_state).randint(2**31 - 1))


@contextmanager
def isolated_rng(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch inside; outside, its generators are as they were."""
    cuda = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if cuda else [], enabled=True):
        torch.manual_seed(seed)
        yield


def resolve_device(device: str | torch.device) -> torch.device:
    """The torch device behind ``"auto"`` or a name.

    Raises
    ------
    InputError
        If torch does not know the device, or it is not there.
    """
    together()  # which gives every process a GPU of its own
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        if torch.backends.mps.is_available():
            return torch.device("mps")
        return torch.device("cpu")
    try:
        resolved = torch.device(device)
        torch.empty(0, device=resolved)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device={device!r} cannot be used: {error}") from error
    return resolved
