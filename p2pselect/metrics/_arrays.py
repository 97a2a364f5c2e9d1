"""What scores are given, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from p2pselect.exceptions import InputError


def as_array(value: Any, name: str) -> np.ndarray:
    """Make an array of numbers or booleans.

    Parameters
    ----------
    value : array-like
    name : str
        What it is called, for the message.

    Returns
    -------
    ndarray

    Raises
    ------
    InputError
        When it is none.
    """
    try:
        array = np.asarray(value)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{name} cannot be one array: {error}") from error
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} must hold numbers or booleans, got dtype {array.dtype}")
    return array


def as_masks(value: Any, name: str) -> np.ndarray:
    """Make an array of booleans.

    Parameters
    ----------
    value : array-like
        bool, or 0 and 1.
    name : str

    Returns
    -------
    ndarray, bool

    Raises
    ------
    InputError
        When it is none.
    """
    array = as_array(value, name)
    if array.dtype != bool and not np.isin(array, (0, 1)).all():
        raise InputError(f"{name} must be bool, or 0 and 1, got dtype {array.dtype}")
    return array.astype(bool, copy=False)
