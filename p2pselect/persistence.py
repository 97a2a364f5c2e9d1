"""Fitted estimators as a folder of ``model.safetensors`` and ``config.json``.

Loading never unpickles and never imports a name that the file gives: the class comes from a
fixed list, networks are built from the settings, shapes are compared before any weight is
read.  Upgrade rule: a reader knows its own ``FORMAT`` and all lower ones; a change that an
older reader would misread raises ``FORMAT``.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from p2pselect.exceptions import InputError, ModelFileError
from p2pselect.whole_files import write_json, written_whole_folder

if TYPE_CHECKING:
    # Loaded when a model is: what a saved model says of itself is known without them.
    import torch

FORMAT = 1
WEIGHTS, CONFIG = "model.safetensors", "config.json"
#: A config is settings and class labels: anything larger is not one of ours.
MAX_CONFIG_BYTES = 64 * 2**20

_CLASSES = {
    "P2PClassifier": "p2pselect.estimators.p2p",
    "BcosClassifier": "p2pselect.baselines.bcos",
    "BlackboxClassifier": "p2pselect.baselines.blackbox",
    "BlackboxPixelClassifier": "p2pselect.baselines.blackbox_pixel",
    "COMET1Classifier": "p2pselect.baselines.comet",
    "COMETClassifier": "p2pselect.baselines.comet",
    "DiETClassifier": "p2pselect.baselines.diet",
    "INVASEClassifier": "p2pselect.baselines.invase",
    "InfoMaskClassifier": "p2pselect.baselines.infomask",
    "L2XClassifier": "p2pselect.baselines.l2x",
    "RBAEMClassifier": "p2pselect.baselines.rbaem",
    "RealXClassifier": "p2pselect.baselines.realx",
}
_TRANSFORMER = "SuperpixelTransformer"
#: What a saved model does not keep: where and how it was trained, not what it is.
_FORGOTTEN = {
    "blackbox": None,
    "callbacks": None,
    "checkpoint_dir": None,
    "compile": False,
    "device": "auto",
    "pretrained": False,
    "warm_start": False,
}
_FITTED = ("image_shape_in_", "n_channels_in_", "n_features_in_", "score_cuts_", "trained_tau_")


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator to the folder ``path``; all of it or nothing.

    Parameters
    ----------
    estimator : P2PClassifier or a method of ``p2pselect.baselines``
    path : str or path-like
        A new folder, or one that holds a saved model, which is replaced in one step.  A folder
        that holds anything else is never touched.

    Raises
    ------
    InputError
        If a setting is a function, which a file cannot hold, or ``path`` is something else.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from p2pselect import P2PClassifier, datasets, load, presets
    >>> scenes = datasets.make_digit_scenes(24, image_size=32, random_state=0)
    >>> settings = {**presets.SMALL, "image_size": 32, "max_epochs": 1}
    >>> clf = P2PClassifier(**settings).fit(scenes.images, scenes.target % 2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     clf.save(Path(folder, "digits.model"))
    ...     again = load(Path(folder, "digits.model"))
    >>> bool((again.predict(scenes.images) == clf.predict(scenes.images)).all())
    True
    """
    from safetensors.torch import save_file
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(estimator)
    with written_whole_folder(Path(path), CONFIG, "a saved model") as new:
        state = estimator.module_.state_dict()
        save_file({k: v.cpu().contiguous() for k, v in state.items()}, new / WEIGHTS)
        config = _describe(estimator)
        config["weights_sha256"] = _sha256(new / WEIGHTS)
        config["config_sha256"] = _config_digest(config)
        write_json(new / CONFIG, config)


def load(path: str | os.PathLike[str], expected: type | None = None) -> Any:
    """Read a model that ``estimator.save(path)`` or :func:`save` wrote.

    Parameters
    ----------
    path : str or path-like
    expected : type, optional
        Class that the estimator must be of.

    Returns
    -------
    The fitted estimator, on the device that ``device="auto"`` finds.

    Raises
    ------
    ModelFileError
        If the folder is missing, damaged, of a newer format or of another class.

    Examples
    --------
    >>> load("digits.model")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    p2pselect.exceptions.ModelFileError: digits.model is not a saved model: ...
    """
    path = Path(path)
    with _readable(path):
        return _load(path, expected)


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Say what a saved model is, without building its networks.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    dict
        ``class``, ``classes`` (str), ``image_size``, ``regions``, ``certainty_threshold``, and
        ``parameters``: how many of them each part has.

    Raises
    ------
    ModelFileError
        If the folder is missing, damaged or of a newer format.

    Examples
    --------
    >>> describe("digits.model")["image_size"]  # doctest: +SKIP
    64
    """
    path = Path(path)
    with _readable(path):
        config = _read_config(path)
        _check_weights(path, config)
        regions = config["params"]["regions"]
        if isinstance(regions, dict) and set(regions) == {_TRANSFORMER}:
            settings = ", ".join(f"{k}={v!r}" for k, v in sorted(regions[_TRANSFORMER].items()))
            regions = f"{_TRANSFORMER}({settings})"
        return {
            "class": config["class"],
            "classes": [str(label) for label in config["classes"]["values"]],
            "image_size": config["params"]["image_size"],
            "regions": regions,
            "certainty_threshold": config["params"]["certainty_threshold"],
            "parameters": config["parameters"],
        }


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Whatever a damaged file leads to is one kind of error, which names the model."""
    try:
        yield
    except ModelFileError:
        raise
    except Exception as error:
        raise ModelFileError(
            f"{path} is not a readable p2pselect model: {type(error).__name__}: {error}"
        ) from error


def _load(path: Path, expected: type | None) -> Any:
    config = _read_config(path)
    cls = getattr(import_module(_CLASSES[config["class"]]), config["class"])
    if expected is not None and not issubclass(cls, expected):
        raise ModelFileError(f"{path} holds a {cls.__name__}, not a {expected.__name__}")
    # Whatever a file says of these: nothing is downloaded or opened on its behalf.
    own = cls._get_param_names()
    params = config["params"] | {k: v for k, v in _FORGOTTEN.items() if k in own}
    estimator = cls(**{k: _decode(v) for k, v in params.items()})
    estimator._validate_params()
    dtype = np.dtype(config["classes"]["dtype"])
    if dtype.kind not in "biufUO":
        raise ModelFileError(f"{path / CONFIG}: class labels of type {dtype}")
    estimator.classes_ = np.array(config["classes"]["values"], dtype=dtype)
    for name in _FITTED:
        if name in config["fitted"]:
            value = config["fitted"][name]
            setattr(estimator, name, tuple(value) if isinstance(value, list) else value)
    state = _read_weights(path, config, estimator)
    estimator._restore(state, config["seed"])
    return estimator


def _read_config(path: Path) -> dict[str, Any]:
    file = path / CONFIG
    if not file.is_file():
        raise ModelFileError(f"{path} is not a saved model: it has no {CONFIG}")
    if file.stat().st_size > MAX_CONFIG_BYTES:
        raise ModelFileError(f"{file} is larger than any config ({file.stat().st_size} bytes)")
    config = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(config, dict) or not isinstance(config.get("format"), int):
        raise ModelFileError(f"{file} is not the config of a p2pselect model")
    if not 1 <= config["format"] <= FORMAT:
        raise ModelFileError(
            f"{file} has format {config['format']}, this version reads up to {FORMAT}: "
            "a newer p2pselect wrote it"
        )
    if config.get("config_sha256") != _config_digest(config):
        raise ModelFileError(f"{file} is damaged: its checksum does not fit its content")
    if config["class"] not in _CLASSES:
        raise ModelFileError(
            f"{file}: class must be one of {sorted(_CLASSES)}, got {config['class']!r}"
        )
    return config


def _check_weights(path: Path, config: dict[str, Any]) -> Path:
    """The file of weights, if it is that of the config."""
    file = path / WEIGHTS
    if not file.is_file():
        raise ModelFileError(f"{path} is not a saved model: it has no {WEIGHTS}")
    if _sha256(file) != config["weights_sha256"]:
        raise ModelFileError(f"{file} is damaged or of another model: wrong checksum")
    return file


def _read_weights(
    path: Path, config: dict[str, Any], estimator: Any
) -> dict[str, torch.Tensor]:
    import torch
    from safetensors import safe_open
    from safetensors.torch import load as load_tensors

    file = _check_weights(path, config)
    # timm's own import computes, which the meta device cannot.
    import_module("timm")
    # On the meta device a network costs nothing, however large the settings claim it is.
    with torch.device("meta"):
        wanted = estimator._build_model(len(estimator.classes_)).state_dict()
    with safe_open(file, framework="pt") as stored:
        names = list(stored.keys())
        shapes = {k: tuple(stored.get_slice(k).get_shape()) for k in names}
    if shapes != {k: tuple(v.shape) for k, v in wanted.items()}:
        odd = sorted(k for k in {*shapes, *wanted} if shapes.get(k) != _shape(wanted.get(k)))
        raise ModelFileError(
            f"{file}: the weights do not fit the settings, first at {odd[0]!r}"
        )
    # From bytes: a tensor read from an open file leaves something behind (safetensors 0.8).
    return load_tensors(file.read_bytes())


def _shape(tensor: torch.Tensor | None) -> tuple[int, ...] | None:
    return None if tensor is None else tuple(tensor.shape)


def _describe(estimator: Any) -> dict[str, Any]:
    name = type(estimator).__name__
    if name not in _CLASSES:
        raise InputError(
            f"{name} is not one of {sorted(_CLASSES)}: use joblib.dump for classes of your own"
        )
    params = estimator.get_params(deep=False)
    params |= {name: value for name, value in _FORGOTTEN.items() if name in params}
    if not isinstance(params["random_state"], int):
        params["random_state"] = None
    classes = estimator.classes_
    return {
        "format": FORMAT,
        "class": name,
        "params": {k: _encode(k, v) for k, v in params.items()},
        "classes": {"dtype": classes.dtype.str, "values": _labels(classes)},
        "fitted": {k: getattr(estimator, k) for k in _FITTED if hasattr(estimator, k)},
        "seed": estimator._seed,
        # For people; nothing is built from it.
        "parameters": {
            name: sum(p.numel() for p in part.parameters())
            for name, part in estimator.module_.named_children()
        },
    }


def _labels(classes: np.ndarray) -> list[Any]:
    values = classes.tolist()
    if not all(isinstance(value, (bool, int, float, str)) for value in values):
        raise InputError(
            f"class labels must be numbers, booleans or strings to be saved, got {values[:3]}"
        )
    return values


def _encode(name: str, value: Any) -> Any:
    from p2pselect.regions.transformer import SuperpixelTransformer

    if isinstance(value, SuperpixelTransformer):
        settings = value.get_params(deep=False)
        return {_TRANSFORMER: {k: _encode(f"{name}__{k}", v) for k, v in settings.items()}}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.generic):
        return value.item()
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        raise InputError(
            f"{name}={value!r} cannot be written to a file: a saved model names what it is "
            "made of; use joblib.dump for functions of your own"
        ) from None


def _decode(value: Any) -> Any:
    from p2pselect.regions.transformer import SuperpixelTransformer

    if isinstance(value, dict) and set(value) == {_TRANSFORMER}:
        return SuperpixelTransformer(**value[_TRANSFORMER])
    return value


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _config_digest(config: dict[str, Any]) -> str:
    rest = {k: v for k, v in config.items() if k != "config_sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
