"""A mapping of settings that nothing can change, and what a method takes of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from p2pselect._settings import Options, Settings


class Preset(Mapping[str, Any]):
    """Arguments for ``P2PClassifier`` that nothing can change: each is made afresh when read.

    Parameters
    ----------
    **settings
        Settings of :class:`~p2pselect.P2PClassifier`; those of a group as ``group__name``.

    Examples
    --------
    >>> preset = Preset(image_size=64, training__lr_schedule="cosine")
    >>> {**preset, "lr": 1e-3}
    {'image_size': 64, 'training': TrainingOptions(lr_schedule='cosine'), 'lr': 0.001}
    >>> preset["training"] is preset["training"]
    False
    """

    def __init__(self, **settings: Any):
        self._settings = settings

    def __getitem__(self, name: str) -> Any:
        if name in self._settings:
            return deepcopy(self._settings[name])
        if name not in iter(self):
            raise KeyError(name)
        from p2pselect.methods import P2PClassifier

        own = {k: v for k, v in self._settings.items() if k.startswith(f"{name}__")}
        return getattr(P2PClassifier().set_params(**deepcopy(own)), name)

    def __iter__(self) -> Iterator[str]:
        return iter(_outer(self._settings))

    def __len__(self) -> int:
        return len(_outer(self._settings))

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**self, **other}

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**other, **self}

    def __repr__(self) -> str:
        return f"Preset({', '.join(f'{k}={v!r}' for k, v in self._settings.items())})"


def settings_for(method: type[Settings], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of some settings that a method has, as arguments for its constructor.

    Parameters
    ----------
    method : type
        A method such as :class:`~p2pselect.methods.RealXClassifier`.
    settings : mapping
        A preset, or arguments for another method's constructor.  Settings of a group may also
        be named ``group__name``.

    Returns
    -------
    dict of str to object
        The values are not copied.

    Examples
    --------
    >>> from p2pselect.methods import BlackboxClassifier
    >>> from p2pselect.presets import SMALL
    >>> small = settings_for(BlackboxClassifier, SMALL)
    >>> "selector" in SMALL, "selector" in small, small["training"].optimizer
    (True, False, 'adamw')
    """
    estimator = method()
    known = estimator.get_params()
    taken = {name: value for name, value in single_settings(settings).items() if name in known}
    estimator.set_params(**taken)
    return {name: getattr(estimator, name) for name in _outer(taken)}


def single_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings; those of a group as ``group__name``, unless they are defaults."""
    single: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Options):
            defaults = type(value)().get_params()
            own = value.get_params()
            single |= {f"{name}__{k}": own[k] for k in own if own[k] != defaults[k]}
        else:
            single[name] = value
    return single


def _outer(names: Iterable[str]) -> list[str]:
    """Names of single settings, and of the groups of all others, in order."""
    return [*dict.fromkeys(name.partition("__")[0] for name in names)]
