"""Settings as JSON and back, equal in value and in type, without a name to import.

What JSON has no word for is written as an object of one key, a tag: ``{"tuple": [1, 2]}``,
``{"dict": [[0, 1.5]]}``, ``{"numpy": ["<f4", 0.5]}``.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, cast

import numpy as np

from p2pselect.exceptions import InputError, brief

#: Tag of the one object that settings hold.
TRANSFORMER = "SuperpixelTransformer"
_TAGS = (TRANSFORMER, "tuple", "dict", "float", "numpy", "device", "optimizer", "random_state")


def encode(name: str, value: Any) -> Any:
    """A value as what ``json`` can write.

    Parameters
    ----------
    name : str
        Of the setting, for the message.
    value : object

    Returns
    -------
    object

    Raises
    ------
    InputError
        If the value is of a kind that cannot be written, for example a function.
    """
    if isinstance(value, np.generic) and value.dtype.kind in "biufU":
        return {"numpy": [value.dtype.str, encode(name, value.item())]}
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(float(value))}
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        items = [encode(name, item) for item in value]
        return items if isinstance(value, list) else {"tuple": items}
    if isinstance(value, dict):
        items = [[encode(name, k), encode(name, v)] for k, v in value.items()]
        plain = all(type(k) is str for k in value) and not (
            len(value) == 1 and {*value} & {*_TAGS}
        )
        return dict(items) if plain else {"dict": items}
    if isinstance(value, np.random.RandomState):
        kind, key, *rest = cast(tuple, value.get_state(legacy=True))
        return {"random_state": [kind, key.tolist(), *rest]}
    return _encode_object(name, value)


def _encode_object(name: str, value: Any) -> Any:
    import torch

    from p2pselect.regions._transformer import SuperpixelTransformer

    if isinstance(value, SuperpixelTransformer):
        settings = value.get_params(deep=False)
        return {TRANSFORMER: {k: encode(f"{name}__{k}", v) for k, v in settings.items()}}
    if isinstance(value, torch.device):
        return {"device": str(value)}
    if _torch_optimizer(getattr(value, "__name__", "")) is value:
        return {"optimizer": value.__name__}
    raise InputError(
        f"{name}={brief(value)} cannot be written to a file: a saved model says what it is "
        "made of in numbers, words and lists of them; use joblib.dump for functions of your own"
    )


def decode(value: Any) -> Any:
    """What :func:`encode` was given.

    Parameters
    ----------
    value : object
        As ``json`` has read it.

    Returns
    -------
    object

    Raises
    ------
    InputError
        If something tagged is not what its tag says.
    """
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1 or not {*value} & {*_TAGS}:
        return {k: decode(v) for k, v in value.items()}
    ((tag, content),) = value.items()
    try:
        return _DECODERS[tag](content)
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{brief(value)} is not a {tag}: {error}") from error


def largest(value: Any) -> float:
    """The largest absolute value of the numbers in a setting, 0 without any.

    Parameters
    ----------
    value : object

    Returns
    -------
    float

    Examples
    --------
    >>> largest({"depth": 12, "sizes": (3, [-16])})
    16.0
    """
    if isinstance(value, dict):
        return max(map(largest, [*value, *value.values()]), default=0.0)
    if isinstance(value, (list, tuple)):
        return max(map(largest, value), default=0.0)
    return abs(float(value)) if isinstance(value, Real) else 0.0


def _decode_transformer(content: Any) -> Any:
    from p2pselect.regions._transformer import SuperpixelTransformer

    return SuperpixelTransformer(**{name: decode(value) for name, value in content.items()})


def _decode_numpy(content: Any) -> np.generic:
    kind, value = content
    dtype = np.dtype(kind)
    value = decode(value)
    if dtype.kind == "U":
        return np.str_(value)
    if dtype.kind not in "biuf":
        raise ValueError(f"numbers of type {dtype}")
    return dtype.type(value)


def _decode_random_state(content: Any) -> np.random.RandomState:
    kind, key, position, has_gauss, cached = content
    random_state = np.random.RandomState(0)
    random_state.set_state((kind, np.array(key, np.uint32), position, has_gauss, cached))
    return random_state


def _decode_device(content: Any) -> Any:
    import torch

    try:
        return torch.device(str(content))
    except RuntimeError as error:
        raise ValueError(str(error)) from error


def _decode_optimizer(content: Any) -> Any:
    optimizer = _torch_optimizer(content)
    if optimizer is None:
        raise ValueError("torch.optim has no such optimizer")
    return optimizer


def _torch_optimizer(name: Any) -> Any:
    """The optimizer that torch itself has under a name: no other name leads anywhere."""
    import torch

    found = vars(torch.optim).get(name) if isinstance(name, str) else None
    is_optimizer = isinstance(found, type) and issubclass(found, torch.optim.Optimizer)
    return found if is_optimizer else None


_DECODERS: dict[str, Any] = {
    TRANSFORMER: _decode_transformer,
    "tuple": lambda content: tuple(decode(item) for item in content),
    "dict": lambda content: {decode(k): decode(v) for k, v in content},
    "float": float,
    "numpy": _decode_numpy,
    "device": _decode_device,
    "optimizer": _decode_optimizer,
    "random_state": _decode_random_state,
}
