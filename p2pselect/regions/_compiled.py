"""Compiling kernels: once per machine where a cache can be written, else once per process."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile ``function`` with numba, without the GIL and cached on disk where possible.

    A cache folder that is missing, full or read-only costs a compilation per process and
    nothing else.
    """
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
