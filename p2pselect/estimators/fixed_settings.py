"""Settings that became part of the model in fit: it is an error to change them afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from p2pselect.exceptions import InputError, brief
from p2pselect.regions.transformer import SuperpixelTransformer

#: What the networks were built from: not even a training that goes on can change it.
NETWORKS = (
    "amortized",
    "cell_size",
    "centre",
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
    return {name: _as_it_is(getattr(estimator, name)) for name in names}


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
    fixed = estimator._fixed_by_fit
    for name in names:
        if name in fixed and _as_it_is(getattr(estimator, name)) != fixed[name]:
            raise InputError(
                f"{name}={brief(getattr(estimator, name))} was set after fit, which used "
                f"{brief(fixed[name])}: the model is made for that.  Fit again, or set it back"
            )


def _as_it_is(value: Any) -> Any:
    """A copy that does not change with the setting, and that compares by value."""
    if isinstance(value, SuperpixelTransformer):
        settings = value.get_params(deep=False)
        return {k: v for k, v in settings.items() if k not in _OF_THE_MACHINE}
    if isinstance(value, (dict, list)):
        return deepcopy(value)
    return value
