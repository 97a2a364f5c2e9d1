"""Settings that became part of the model in fit: it is an error to change them afterwards."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from sklearn.base import clone

from p2pselect.exceptions import InputError, P2PSelectWarning, brief
from p2pselect.regions._transformer import SuperpixelTransformer

#: What the networks were built from: not even a training that goes on can change it.
NETWORKS = (
    "cell_size",
    "center",
    "classifier",
    "classifier_options",
    "embedding_dim",
    "selector",
    "selector_image_size",
    "selector_options",
    "sparsity",
    "tau_input",
)
#: What the networks have seen; a training that goes on may change it.
GRID = ("image_size", "regions")
_OF_THE_MACHINE = ("cache_dir", "channels", "n_jobs", "output")


def fixed_by_fit(estimator: Any) -> dict[str, Any]:
    """The settings that predictions depend on and that only a fit can change, as they are."""
    names = [name for name in (*NETWORKS, *GRID) if hasattr(estimator, name)]
    return {name: _copy(getattr(estimator, name)) for name in names}


def changes_since_fit(estimator: Any) -> dict[str, Any]:
    """The settings fixed by fit that are others now, with the values that fit used.

    Parameters
    ----------
    estimator : estimator
        Fitted.

    Returns
    -------
    dict of str to object
    """
    return {
        name: used
        for name, used in estimator._fixed_by_fit.items()
        if _comparable(getattr(estimator, name)) != _comparable(used)
    }


def params_as_fitted(estimator: Any, stacklevel: int) -> dict[str, Any]:
    """All parameters, those that fit has fixed as they were then; warns where they differ."""
    changed = changes_since_fit(estimator)
    if changed:
        used = ", ".join(f"{name}={brief(value)}" for name, value in changed.items())
        warnings.warn(
            f"{', '.join(changed)}: changed after fit; saved is what was fitted: {used}",
            P2PSelectWarning,
            stacklevel=stacklevel,
        )
    return {**estimator.get_params(deep=False), **changed}


@contextmanager
def unchanged_by_errors(estimator: Any) -> Iterator[None]:
    """A fit that cannot begin leaves the estimator as it was, fitted or not."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def refuse_changes(estimator: Any, names: Iterable[str] = (*NETWORKS, *GRID)) -> None:
    """Say which setting is not what it was in fit.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    names : iterable of str, default: all that a fit fixes
        Settings to look at.

    Raises
    ------
    InputError
        If one of them has changed; the message names it, with both values.
    """
    for name, used in changes_since_fit(estimator).items():
        if name in names:
            raise InputError(
                f"{name}={brief(getattr(estimator, name))} was set after fit, which used "
                f"{brief(used)}: the model is made for that.  Fit again, or set it back"
            )


def _copy(value: Any) -> Any:
    """A value that does not change with the setting."""
    if isinstance(value, SuperpixelTransformer):
        return clone(value)
    return deepcopy(value) if isinstance(value, (dict, list)) else value


def _comparable(value: Any) -> Any:
    """A value without what belongs to the machine."""
    if isinstance(value, SuperpixelTransformer):
        settings = value.get_params(deep=False)
        return {k: v for k, v in settings.items() if k not in _OF_THE_MACHINE}
    return value
