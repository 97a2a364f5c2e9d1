"""What happens to a setting that is changed after ``fit``: one rule for all of them.

Every setting acts the next time it is read, unless the networks were built from it (role
``"networks"``) or have seen images of that kind (role ``"input"``).  Predictions and
``partial_fit`` refuse a change of either; a ``fit`` that continues refuses one of the networks.
A training that continues takes every other setting as it is now.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy, deepcopy
from typing import Any

from sklearn.base import clone

from p2pselect._settings import Role
from p2pselect.exceptions import InputError, P2PSelectWarning, brief
from p2pselect.regions._transformer import SuperpixelTransformer

# Settings of a SuperpixelTransformer that leave the regions of an image as they are.
_OF_THE_MACHINE = ("cache_dir", "channels", "n_jobs", "output")


def remembered(estimator: Any, *roles: Role) -> dict[str, Any]:
    """The settings with these roles as they are now, whatever happens to them later."""
    params = estimator.get_params()
    return {name: _copy(params[name]) for name in estimator._names_by_role(*roles)}


def changes(estimator: Any, before: dict[str, Any]) -> dict[str, Any]:
    """The remembered settings that are others now, with the values that they had."""
    params = estimator.get_params()
    return {
        name: used
        for name, used in before.items()
        if _comparable(params[name]) != _comparable(used)
    }


def refuse_changes(estimator: Any, *roles: Role) -> None:
    """Raise where a setting that the fitted networks depend on is not what it was in fit."""
    names = estimator._names_by_role(*(roles or ("networks", "input")))
    for name, used in changes(estimator, estimator._fixed_by_fit).items():
        if name in names:
            raise InputError(
                f"{name}={brief(estimator.get_params()[name])} was set after fit, which used "
                f"{brief(used)}: the model is made for that.  Fit again, or set it back"
            )


def params_as_fitted(estimator: Any, stacklevel: int) -> dict[str, Any]:
    """All settings by their deep names, those that fit has fixed as they were then.

    There is a warning where they differ.  The settings of a group that is None are left out.
    """
    changed = changes(estimator, estimator._fixed_by_fit)
    if changed:
        used = ", ".join(f"{name}={brief(value)}" for name, value in changed.items())
        warnings.warn(
            f"{', '.join(changed)}: changed after fit; saved is what was fitted: {used}",
            P2PSelectWarning,
            stacklevel=stacklevel,
        )
    params = estimator.get_params(deep=False)
    for group in estimator._groups():
        if params[group] is not None:
            own = params.pop(group).get_params(deep=False)
            params |= {f"{group}__{name}": value for name, value in own.items()}
    return {**params, **changed}


@contextmanager
def unchanged_by_errors(estimator: Any) -> Iterator[None]:
    """A fit that cannot begin leaves the estimator as it was, fitted or not."""
    before = dict(vars(estimator))
    try:
        yield
    # Ctrl-C must not leave half a fit behind, either.
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def _copy(value: Any) -> Any:
    """A value that does not change with the setting."""
    if isinstance(value, SuperpixelTransformer):
        return clone(value)
    if isinstance(value, dict):
        return deepcopy(value)
    return copy(value) if isinstance(value, list) else value


def _comparable(value: Any) -> Any:
    """A value without what belongs to the machine."""
    if isinstance(value, SuperpixelTransformer):
        settings = value.get_params(deep=False)
        return {k: v for k, v in settings.items() if k not in _OF_THE_MACHINE}
    if isinstance(value, tuple) and any(hasattr(part, "__len__") for part in value):
        return [*map(id, value)]  # images and labels: equal arrays say so pixel by pixel
    return value
