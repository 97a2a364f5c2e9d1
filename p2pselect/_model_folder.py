"""A saved model: a folder of ``model.safetensors``, the weights, and ``config.json``, the rest.

Beside them is a ``README.md``, for people, which is written and never read.  This module writes
the files, checks the two that count, and knows no class.  Reading never unpickles, never
imports a name that a file gives, and never leaves the folder.  Values in the config come back
equal in value and in type; what JSON has no word for is an object of one key, a tag:
``{"tuple": [1, 2]}``, ``{"dict": [[0, 1.5]]}``, ``{"numpy": ["<f4", 0.5]}``.

A change that an older reader would misread raises ``FORMAT``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from p2pselect.atomic_write import atomic_folder, write_json
from p2pselect.exceptions import InputError, ModelFileError, brief

if TYPE_CHECKING:
    # Loaded with a model: what a saved model says about itself is known without them.
    import torch

    from p2pselect.regions._transformer import SuperpixelTransformer

FORMAT = 5
WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
#: All that the folder of a model has.
FILES = (CONFIG, WEIGHTS, CARD)
#: A config is settings and class labels: anything larger is not one of ours.
MAX_CONFIG_BYTES = 64 * 2**20


# -- the folder ------------------------------------------------------------------------------


def write_model(
    path: Path,
    config: dict[str, Any],
    state: dict[str, torch.Tensor],
    card: Callable[[bytes | None], bytes],
) -> None:
    """Write a model, all of it or nothing; a saved model at this place is replaced.

    ``card`` makes the model card, given the one that is there, if any.
    """
    from safetensors.torch import save_file

    with atomic_folder(path, FILES, "a saved model") as new:
        # safetensors refuses tensors that are not contiguous.
        save_file({k: v.cpu().contiguous() for k, v in state.items()}, new / WEIGHTS)
        config = {"format": FORMAT, **config, "weights_sha256": sha256(new / WEIGHTS)}
        config["config_sha256"] = config_digest(config)
        write_json(new / CONFIG, config)
        old = path / CARD
        (new / CARD).write_bytes(card(old.read_bytes() if old.is_file() else None))


def read_config(path: Path) -> dict[str, Any]:
    """The checked config of a model, once its weights are known to be those it names."""
    file = _own_file(path, CONFIG)
    if file.stat().st_size > MAX_CONFIG_BYTES:
        raise ModelFileError(f"{file} is larger than any config ({file.stat().st_size} bytes)")
    config = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(config, dict) or not isinstance(config.get("format"), int):
        raise ModelFileError(f"{file} is not the config of a p2pselect model")
    # Before the checksums, so that a file of another version is not called damaged.
    if config["format"] != FORMAT:
        age = "newer" if config["format"] > FORMAT else "older"
        raise ModelFileError(
            f"{file} has format {config['format']}, and this version reads format {FORMAT}: "
            f"{'a' if age == 'newer' else 'an'} {age} p2pselect wrote it"
        )
    if config.get("config_sha256") != config_digest(config):
        raise ModelFileError(f"{file} is damaged: its checksum does not match its content")
    weights = _own_file(path, WEIGHTS)
    if sha256(weights) != config["weights_sha256"]:
        raise ModelFileError(f"{weights} is damaged or of another model: wrong checksum")
    return config


def weight_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the weights of a model; none of them is read."""
    from safetensors import safe_open

    with safe_open(path / WEIGHTS, framework="pt") as stored:
        return {k: tuple(stored.get_slice(k).get_shape()) for k in stored.keys()}  # noqa: SIM118


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The weights of a model."""
    from safetensors.torch import load

    # From bytes: a tensor read from an open file leaves something behind (safetensors 0.8).
    return load((path / WEIGHTS).read_bytes())


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn whatever a damaged file leads to into one kind of error, which names the model."""
    try:
        yield
    except ModelFileError:
        raise
    except Exception as error:
        raise ModelFileError(
            f"{path} is not a readable p2pselect model: {type(error).__name__}: {error}"
        ) from error


def _own_file(path: Path, name: str) -> Path:
    file = path / name
    if not file.is_file():
        raise ModelFileError(f"{path} is not a saved model: it has no {name}")
    if file.resolve().parent != path.resolve():
        raise ModelFileError(
            f"{file} is a link to {file.resolve()}, outside of the model's folder, and a model "
            "reads nothing else: put a copy of the file in its place"
        )
    return file


def sha256(file: Path) -> str:
    """Checksum of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def config_digest(config: dict[str, Any]) -> str:
    """Checksum of a config, without the one that it holds."""
    rest = {k: v for k, v in config.items() if k != "config_sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


# -- the values ------------------------------------------------------------------------------

#: Tag of the one object that settings hold.
TRANSFORMER = "SuperpixelTransformer"
_TAGS = (TRANSFORMER, "tuple", "dict", "float", "numpy", "device", "optimizer", "random_state")


def encode(name: str, value: Any) -> Any:
    """A value as something that ``json`` can write.

    Raises
    ------
    InputError
        If the value is of a kind that cannot be written, for example a function; the message
        has the name of the setting.
    """
    # First, because np.float64 is a float and np.str_ a str, which are handled below.
    if isinstance(value, np.generic) and value.dtype.kind in "biufU":
        return {"numpy": [value.dtype.str, encode(name, value.item())]}
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(float(value))}
    # Not their subclasses: a named tuple would come back as a plain one.
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        items = [encode(name, item) for item in value]
        return items if isinstance(value, list) else {"tuple": items}
    if isinstance(value, dict):
        items = [[encode(name, k), encode(name, v)] for k, v in value.items()]
        # JSON keys are always text, and a single key that is a tag would be read as one.
        plain = all(type(k) is str for k in value) and not (
            len(value) == 1 and {*value} & {*_TAGS}
        )
        return dict(items) if plain else {"dict": items}
    if isinstance(value, np.random.RandomState):
        kind, key, *rest = cast(tuple, value.get_state(legacy=True))
        return {"random_state": [kind, key.tolist(), *rest]}
    from p2pselect.regions._transformer import SuperpixelTransformer

    if isinstance(value, SuperpixelTransformer):
        settings = value.get_params(deep=False)
        return {TRANSFORMER: {k: encode(f"{name}__{k}", v) for k, v in settings.items()}}
    import torch

    if isinstance(value, torch.device):
        return {"device": str(value)}
    # By identity: a class of your own may have the name of one of torch's.
    if _torch_optimizer(getattr(value, "__name__", "")) is value:
        return {"optimizer": value.__name__}
    raise InputError(
        f"{name}={brief(value)} cannot be written to a file: a saved model says what it is "
        "made of in numbers, words and lists of them; use joblib.dump for functions of your own"
    )


def decode(value: Any) -> Any:
    """What :func:`encode` was given, from what ``json`` has read.

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
    except (TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(f"{brief(value)} is not a {tag}: {error}") from error


def largest(value: Any) -> float:
    """The largest absolute value of the numbers in a setting, 0 without any.

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


def _decode_numpy(content: Any) -> np.generic:
    kind, value = content
    dtype = np.dtype(kind)
    value = decode(value)
    if dtype.kind == "U":
        return np.str_(value)
    # A file may name any type, "O" too, but only these are ever written.
    if dtype.kind not in "biuf":
        raise ValueError(f"numbers of type {dtype}")
    return dtype.type(value)


def _decode_transformer(content: Any) -> SuperpixelTransformer:
    from p2pselect.regions._transformer import SuperpixelTransformer

    return SuperpixelTransformer(**{k: decode(content[k]) for k in content})


def _decode_random_state(content: Any) -> np.random.RandomState:
    kind, key, position, has_gauss, cached = content
    random_state = np.random.RandomState(0)
    random_state.set_state((kind, np.array(key, np.uint32), position, has_gauss, cached))
    return random_state


def _decode_device(content: Any) -> torch.device:
    import torch

    return torch.device(str(content))


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
