"""A calibration in lists and numbers, for the file of a saved model."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from p2pselect.exceptions import InputError
from p2pselect.selection._prediction_sets import SetCalibration
from p2pselect.selection._stop_calibration import StopCalibration

#: Types of the arrays; whatever else there is stays as it is.
_ARRAYS = {
    "certainty": np.float32,
    "true_proba": np.float32,
    "kept": np.float32,
    "correct": bool,
    "unanswered_level": np.int64,
    "answered_classes": bool,
}


def as_lists(calibration: Any) -> dict[str, Any]:
    """A calibration in lists and numbers."""
    found: dict[str, Any] = {f.name: getattr(calibration, f.name) for f in fields(calibration)}
    for name, value in found.items():
        if isinstance(value, np.ndarray):
            found[name] = value.tolist()
        elif isinstance(value, SetCalibration):
            found[name] = as_lists(value)
    return found


def from_lists(stored: dict[str, Any], n_classes: int) -> StopCalibration:
    """What :func:`as_lists` made; raises InputError if it is anything else."""
    values = _with_arrays(stored)
    if values["sets"] is not None:
        values["sets"] = SetCalibration(**_with_arrays(values["sets"]))
    calibration = StopCalibration(**values)
    names = ("max_error", "alpha", "mean_kept", "bound", "lowest_familiarity")
    numbers = [getattr(calibration, name) for name in names]
    sets, classes = calibration.sets, calibration.answered_classes
    fits = (
        _are_paths(calibration.certainty, calibration.correct, calibration.kept)
        and _are_levels(calibration.unanswered_level, calibration.certainty)
        and all(value is None or isinstance(value, float) for value in numbers)
        and (classes is None or classes.shape == (n_classes,))
        and (sets is None or _are_paths(sets.certainty, sets.true_proba))
        and (sets is None or _are_levels(sets.unanswered_level, sets.certainty))
        and (sets is None or isinstance(sets.set_error, float))
        and isinstance(calibration.settings, dict)
    )
    if not fits:
        raise InputError("the calibration is not one of paths of certainties")
    return calibration


def _with_arrays(stored: dict[str, Any]) -> dict[str, Any]:
    values = dict(stored)
    for name in _ARRAYS.keys() & values.keys():
        if values[name] is None:
            continue
        array = np.array(values[name])
        if (array.dtype == bool) != (_ARRAYS[name] is bool):
            raise InputError(f"the calibration has {name} of another kind")
        values[name] = array.astype(_ARRAYS[name])
    return values


def _are_levels(levels: np.ndarray | None, certainty: np.ndarray) -> bool:
    if levels is None:
        return True
    n, n_levels = certainty.shape
    return levels.shape == (n,) and bool(((levels >= 0) & (levels < n_levels)).all())


def _are_paths(certainty: np.ndarray, *others: np.ndarray) -> bool:
    within = ((certainty >= 0) & (certainty <= 1.001)).all()
    return (
        certainty.ndim == 2 and bool(within) and all(o.shape == certainty.shape for o in others)
    )
