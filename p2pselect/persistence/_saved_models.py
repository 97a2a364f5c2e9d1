"""Fitted estimators as a folder of ``model.safetensors`` and ``config.json``.

Loading never unpickles and never imports a name that the file gives: the class is one of the
library's methods or the one that the caller expects, networks are built from the settings, and
shapes are compared before any weight is read.  Upgrade rule: a reader knows its own ``FORMAT``
and all lower ones; a change that an older reader would misread raises ``FORMAT``.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from p2pselect.atomic_write import atomic_folder, write_json
from p2pselect.exceptions import InputError, ModelFileError, P2PSelectWarning, brief
from p2pselect.persistence._config_values import TRANSFORMER, decode, encode, largest
from p2pselect.persistence._model_folder import (
    CONFIG,
    FORMAT,
    WEIGHTS,
    check_weights,
    config_digest,
    read_config,
    sha256,
)

if TYPE_CHECKING:
    # Loaded when a model is: what a saved model says of itself is known without them.
    import torch

#: A network with so many channels or layers is not one of ours, and would fill the memory.
MAX_OPTION = 2**16

#: Settings of the machine that a model was trained on: paths, and objects with their own code.
_NOT_KEPT = ("blackbox", "training__callbacks", "training__checkpoint_dir")
#: Settings that are kept and act from the next fit on: a network that has its weights needs no
#: others, and compiling writes files.
_FOR_THE_NEXT_FIT = {"pretrained": False, "training__compile": False}
_FITTED = ("image_shape_in_", "n_channels_in_", "n_features_in_", "score_cuts_", "trained_tau_")


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator to the folder ``path``; all of it or nothing.

    Every setting comes back as it was, but for what belongs to this machine: paths (of
    ``pretrained``, ``checkpoint_dir`` and the ``cache_dir`` of regions), ``callbacks`` and
    ``blackbox`` are not written, so that a model can be given away.

    Parameters
    ----------
    estimator : SelectiveImageClassifier
        A method of ``p2pselect.methods``, or of your own.
    path : str or path-like
        A new folder, or one that holds a saved model, which is replaced in one step.  A folder
        that holds anything else is never touched.

    Raises
    ------
    InputError
        If a setting is a function, which a file cannot hold, or ``path`` is something else;
        nothing was written.
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
    config = _describe(estimator)
    with atomic_folder(Path(path), CONFIG, "a saved model") as new:
        state = estimator.module_.state_dict()
        save_file({k: v.cpu().contiguous() for k, v in state.items()}, new / WEIGHTS)
        config["weights_sha256"] = sha256(new / WEIGHTS)
        config["config_sha256"] = config_digest(config)
        write_json(new / CONFIG, config)


def load(path: str | os.PathLike[str], expected: type | None = None) -> Any:
    """Read a model that ``estimator.save(path)`` or :func:`save` wrote.

    Parameters
    ----------
    path : str or path-like
        The folder of the model.
    expected : type, optional
        Class that the estimator must be of.  A model of a class of your own needs it: a name in
        a file never decides what is imported.

    Returns
    -------
    estimator
        The fitted estimator.  It is on its ``device`` if this exists here, otherwise on the one
        that ``"auto"`` finds.  ``pretrained`` and ``compile`` take effect in the next ``fit``.

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
    """Describe a saved model without building its networks.

    Parameters
    ----------
    path : str or path-like
        The folder of the model.

    Returns
    -------
    dict
        ``class``, ``classes`` (str), ``image_size``, ``regions``, ``certainty_threshold``, and
        ``parameters``, the number of parameters of each network.

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
        config = read_config(path)
        check_weights(path, config)
        regions = config["params"]["regions"]
        if isinstance(regions, dict) and set(regions) == {TRANSFORMER}:
            named = sorted(regions[TRANSFORMER].items())
            regions = f"{TRANSFORMER}({', '.join(f'{k}={brief(decode(v))}' for k, v in named)})"
        return {
            "class": config["class"],
            "classes": [str(label) for label in config["classes"]["values"]],
            "image_size": int(decode(config["params"]["image_size"])),
            "regions": regions,
            "certainty_threshold": float(decode(config["params"]["certainty_threshold"])),
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


def _known_classes() -> dict[str, type]:
    """The library's own methods by class name."""
    from p2pselect.methods import METHODS

    return {method.cls.__name__: method.cls for method in METHODS.values()}


def _class_named(name: Any, expected: type | None, path: Path) -> type:
    """The class that a saved model names: one of the library's, or the expected one itself."""
    known = _known_classes()
    if expected is not None and expected.__name__ not in known:
        known[expected.__name__] = expected
    if name not in known:
        raise ModelFileError(
            f"{path / CONFIG}: class must be one of {sorted(known)}, got {brief(name)}; a "
            "model of a class of your own is read by its own load: MyClassifier.load(path)"
        )
    cls = known[name]
    if expected is not None and not issubclass(cls, expected):
        raise ModelFileError(f"{path} holds a {cls.__name__}, not a {expected.__name__}")
    return cls


def _load(path: Path, expected: type | None) -> Any:
    config = read_config(path)
    cls = _class_named(config["class"], expected, path)
    params = {name: decode(value) for name, value in config["params"].items()}
    kept = _portable(params)
    if odd := [name for name in params if kept[name] is not params[name]]:
        warnings.warn(
            f"{path / CONFIG} has paths or objects of another machine in {', '.join(odd)}: "
            "they are ignored",
            P2PSelectWarning,
            stacklevel=4,
        )
    for name in ("networks__selector_options", "networks__classifier_options"):
        if largest(kept.get(name)) > MAX_OPTION:
            raise ModelFileError(f"{name} has a number above {MAX_OPTION}")
    estimator = cls()
    if unknown := set(kept) - set(estimator.get_params()):
        raise ModelFileError(f"{path / CONFIG}: {cls.__name__} has no {brief(sorted(unknown))}")
    estimator.set_params(**kept)
    estimator._validate_params()
    estimator.classes_ = _read_classes(config["classes"])
    for name in _FITTED:
        if name in config["fitted"]:
            setattr(estimator, name, decode(config["fitted"][name]))
    later = {name: kept[name] for name in _FOR_THE_NEXT_FIT if name in kept}
    estimator.set_params(**{name: _FOR_THE_NEXT_FIT[name] for name in later})
    state = _read_weights(path, config, estimator)
    estimator._restore(state, config["seed"])
    return estimator.set_params(**later)


def _read_classes(stored: dict[str, Any]) -> np.ndarray:
    from p2pselect._labels import as_labels, find_classes

    labels = as_labels(stored["values"], "classes")
    dtype = np.dtype(stored["dtype"])
    if dtype.kind in "biuf" and labels.dtype.kind in "biuf":
        labels = labels.astype(dtype)
    if not np.array_equal(find_classes(labels, "classes"), labels):
        raise InputError("classes are not sorted")
    return labels


def _portable(params: dict[str, Any]) -> dict[str, Any]:
    """The same settings without what belongs to one machine; each either as it was or new."""
    from sklearn.base import clone

    from p2pselect.regions._transformer import SuperpixelTransformer

    params = dict(params)
    for name in _NOT_KEPT:
        if params.get(name) not in (None, []):
            params[name] = None
    pretrained = params.get("pretrained")
    if isinstance(pretrained, dict) and any(map(_is_path, pretrained.values())):
        params["pretrained"] = {
            network: False if _is_path(value) else value
            for network, value in pretrained.items()
        }
    elif _is_path(pretrained):
        params["pretrained"] = False
    regions = params.get("regions")
    if isinstance(regions, SuperpixelTransformer) and regions.cache_dir is not None:
        params["regions"] = clone(regions).set_params(cache_dir=None)
    return params


def _is_path(pretrained: Any) -> bool:
    return isinstance(pretrained, (str, os.PathLike)) and pretrained != "auto"


def _read_weights(
    path: Path, config: dict[str, Any], estimator: Any
) -> dict[str, torch.Tensor]:
    import torch
    from safetensors import safe_open
    from safetensors.torch import load as load_tensors

    file = check_weights(path, config)
    with safe_open(file, framework="pt") as stored:
        names = list(stored.keys())
        shapes = {k: tuple(stored.get_slice(k).get_shape()) for k in names}
    # timm's own import computes, which the meta device cannot.
    import_module("timm")
    # On the meta device a layer costs nothing, however large the settings claim it is.
    with torch.device("meta"), _few_parameters(8 * len(names) + 1000):
        wanted = estimator._build_model(len(estimator.classes_)).state_dict()
    if shapes != {k: tuple(v.shape) for k, v in wanted.items()}:
        odd = sorted(k for k in {*shapes, *wanted} if shapes.get(k) != _shape(wanted.get(k)))
        raise ModelFileError(
            f"{file}: the weights do not fit the settings, first at {brief(odd[0])}"
        )
    # From bytes: a tensor read from an open file leaves something behind (safetensors 0.8).
    return load_tensors(file.read_bytes())


@contextmanager
def _few_parameters(most: int) -> Iterator[None]:
    """Stop a network that is being built from having a million layers."""
    from torch.nn.modules.module import register_module_parameter_registration_hook

    count, me = 0, threading.get_ident()

    def register(*args: Any) -> None:
        nonlocal count
        count += threading.get_ident() == me
        if count > most:
            raise InputError("the settings name a network with far more layers than weights")

    hook = register_module_parameter_registration_hook(register)
    try:
        yield
    finally:
        hook.remove()


def _shape(tensor: torch.Tensor | None) -> tuple[int, ...] | None:
    return None if tensor is None else tuple(tensor.shape)


def _describe(estimator: Any) -> dict[str, Any]:
    from p2pselect._labels import as_labels
    from p2pselect.estimators._fixed_settings import params_as_fitted

    name = type(estimator).__name__
    if _known_classes().get(name, type(estimator)) is not type(estimator):
        raise InputError(
            f"a class of your own must not have the name of one of the library's to be saved, "
            f"got {name}: rename it, or use joblib.dump"
        )
    params = _portable(params_as_fitted(estimator, stacklevel=5))
    classes = as_labels(estimator.classes_, "classes_")
    fitted = {k: getattr(estimator, k) for k in _FITTED if hasattr(estimator, k)}
    return {
        "format": FORMAT,
        "class": name,
        "params": {k: encode(k, v) for k, v in params.items()},
        "classes": {"dtype": classes.dtype.str, "values": classes.tolist()},
        "fitted": {k: encode(k, v) for k, v in fitted.items()},
        "seed": int(estimator._seed),
        # For people; nothing is built from it.
        "parameters": {
            name: sum(p.numel() for p in part.parameters())
            for name, part in estimator.module_.named_children()
        },
    }
