"""Compiling kernels: once per machine where a cache can be written, else once per process.

Without numba, which is larger than all else that a model needs on a machine that only answers,
Python runs the same lines: a thousand times slower, and to the same labels.  So the lines of a
kernel mean the same to both, and say ``int(...)`` where NumPy would add up bytes as bytes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import numpy as np

from p2pselect.exceptions import P2PSelectWarning

try:
    import numba
except ModuleNotFoundError:
    numba = None  # type: ignore[assignment]


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile ``function`` with numba, without the GIL and cached on disk where possible.

    A cache folder that is missing, full or read-only costs a compilation per process and
    nothing else.
    """
    if numba is None:
        return _interpreted(function)
    try:
        kernel = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba found no folder that it may write to
        return numba.njit(nogil=True)(function)

    @wraps(function)
    def call(*args: Any) -> Any:
        try:
            return kernel(*args)
        except OSError:  # raised when storing the compiled code, which is ready by then
            return kernel(*args)

    return call


def kernel_part(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let kernels call ``function``."""
    return function if numba is None else numba.njit(function)


def _interpreted(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any) -> Any:
        _warn_once()
        with np.errstate(all="ignore"):  # as compiled code does; some room is never filled
            return function(*args)

    return call


@cache
def _warn_once() -> None:
    warnings.warn(
        "numba is not installed: the regions are the same, but each image takes about a second "
        "or two (pip install numba)",
        P2PSelectWarning,
        stacklevel=2,
    )
