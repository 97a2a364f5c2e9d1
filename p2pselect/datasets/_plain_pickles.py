"""Pickle files that hold plain data: containers, strings, numbers and arrays.

CIFAR-10 and ImageNet-9's lists are distributed as pickles.  Unpickling calls whatever a file
names, so these are read by an unpickler that knows NumPy's arrays only.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import IO, Any

import numpy as np

from p2pselect.exceptions import InputError

_MODULES = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray")
_OBJECTS = {
    "ndarray": np.ndarray,
    "dtype": np.dtype,
    "_reconstruct": np.empty(0).__reduce__()[0],
    "scalar": np.int64(0).__reduce__()[0],
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module in _MODULES and name in _OBJECTS:
            return _OBJECTS[name]
        raise pickle.UnpicklingError(f"{module}.{name} is no plain data")


def read_pickle(path: Path) -> Any:
    """Read a pickle of plain data, also one of Python 2.

    Parameters
    ----------
    path : Path

    Returns
    -------
    object
        Strings of Python 2 become ``str``.

    Raises
    ------
    InputError
        When the file is missing, damaged, or holds anything but plain data.
    """
    try:
        with path.open("rb") as file:
            return _load(file)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    # A damaged pickle can raise nearly anything.
    except Exception as error:
        raise InputError(f"{path} is not a pickle of plain data: {error}") from error


def _load(file: IO[bytes]) -> Any:
    return _PlainUnpickler(file, encoding="latin1").load()
