"""A fitted estimator as a saved model, and back."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from p2pselect._fill import known_fill
from p2pselect._labels import as_labels, find_classes
from p2pselect._model_card import card, circumstances, facts, findings
from p2pselect._model_folder import (
    CONFIG,
    WEIGHTS,
    decode,
    encode,
    largest,
    read_weights,
    weight_shapes,
    write_model,
)
from p2pselect.estimators._changes import params_as_fitted
from p2pselect.estimators._options import MAX_CHANNELS
from p2pselect.exceptions import InputError, ModelFileError, P2PSelectWarning, brief
from p2pselect.images._meaning import check_value_range
from p2pselect.regions._transformer import SuperpixelTransformer
from p2pselect.selection._calibration_file import as_lists, from_lists

#: A network with more channels or layers than this is not ours, and would fill the memory.
MAX_OPTION = 2**16
#: Settings that are kept and act from the next fit on: a network that has its weights needs no
#: others, and compiling writes files.
_FOR_THE_NEXT_FIT = {"pretrained": False, "training__compile": False}


def save_model(estimator: Any, path: Path, audit: Any = None) -> None:
    """Write a fitted estimator to a folder; see ``SelectiveImageClassifier.save``."""
    check_is_fitted(estimator)
    found = None if audit is None else findings(audit)
    params = _portable(estimator, params_as_fitted(estimator, stacklevel=5))
    classes = as_labels(estimator.classes_, "classes_")
    fitted = {k: getattr(estimator, k) for k in estimator._fitted if hasattr(estimator, k)}
    calibration = getattr(estimator, "calibration_", None)
    config = {
        "class": type(estimator).__name__,
        "params": {k: encode(k, v) for k, v in params.items()},
        "classes": {"dtype": classes.dtype.str, "values": classes.tolist()},
        "fitted": {k: encode(k, v) for k, v in fitted.items()},
        "calibration": encode("calibration_", calibration and as_lists(calibration)),
        "seed": int(estimator._seed),
        # What happened within an epoch is left out.
        "history": [
            encode("history", {k: v for k, v in row.items() if k != "batches"})
            for row in estimator.history_
        ],
        # For people; nothing is built from it.
        "parameters": {
            name: sum(p.numel() for p in part.parameters())
            for name, part in estimator.module_.named_children()
        },
        "audit": found,
        "circumstances": circumstances(),
    }
    said = facts(config)
    write_model(path, config, estimator.module_.state_dict(), lambda old: card(said, old))


def load_model(cls: Any, path: Path, config: dict[str, Any]) -> Any:
    """The estimator of this class that a saved model with this checked config holds."""
    if config["class"] != cls.__name__:
        raise ModelFileError(f"{path} holds a {config['class']}, not a {cls.__name__}")
    estimator = cls()
    params = {name: decode(value) for name, value in config["params"].items()}
    if unknown := set(params) - set(estimator.get_params()):
        raise ModelFileError(f"{path / CONFIG}: {cls.__name__} has no {brief(sorted(unknown))}")
    kept = _portable(estimator, params)
    if odd := [name for name in params if kept[name] is not params[name]]:
        warnings.warn(
            f"{path / CONFIG} has paths or objects of another machine in {', '.join(odd)}: "
            "they are ignored",
            P2PSelectWarning,
            stacklevel=3,
        )
    for name in cls._names_by_role("networks"):
        if largest(kept.get(name)) > MAX_OPTION:
            raise ModelFileError(f"{name} has a number above {MAX_OPTION}")
    estimator.set_params(**kept)
    estimator._validate_params()
    for name in estimator._fitted:
        if name in config["fitted"]:
            setattr(estimator, name, decode(config["fitted"][name]))
    if type(estimator.multilabel_) is not bool:
        raise InputError(f"multilabel_ is {brief(estimator.multilabel_)}")
    estimator.classes_ = _read_classes(config["classes"], estimator.multilabel_)
    _check_channels(estimator)
    _check_counts(estimator.class_counts_, len(estimator.classes_))
    if type(estimator.n_masks_seen_) is not int or estimator.n_masks_seen_ < 0:
        raise InputError(f"n_masks_seen_ is {brief(estimator.n_masks_seen_)}")
    if stored := decode(config["calibration"]):
        estimator.calibration_ = from_lists(stored, len(estimator.classes_))
    later = {name: kept[name] for name in _FOR_THE_NEXT_FIT if name in kept}
    estimator.set_params(**{name: _FOR_THE_NEXT_FIT[name] for name in later})
    _check_shapes(path, estimator)
    estimator._restore(read_weights(path), config["seed"])
    estimator.history_.extend(decode(row) for row in config["history"])
    return estimator.set_params(**later)


def _portable(estimator: Any, params: dict[str, Any]) -> dict[str, Any]:
    """The same settings without what belongs to one machine; each either as it was or new."""
    params = dict(params)
    for name, one in estimator._single_settings().items():
        if not one.saved and params.get(name) not in (None, []):
            params[name] = None
    if not isinstance(params.get("validation"), str | Real | None):
        params["validation"] = None  # images or a splitter
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


def _read_classes(stored: dict[str, Any], multilabel: bool) -> np.ndarray:
    labels = as_labels(stored["values"], "classes")
    dtype = np.dtype(stored["dtype"])
    if dtype.kind in "biuf" and labels.dtype.kind in "biuf":
        # JSON has numbers, but not their types.
        labels = labels.astype(dtype)
    known = find_classes(labels, "classes")
    # The labels of an image are in the order of the columns that were learned.
    if not multilabel and not np.array_equal(known, labels):
        raise InputError("classes are not sorted")
    if len(known) != len(labels):
        raise InputError("classes are there twice")
    return labels


def _check_channels(estimator: Any) -> None:
    """Refuse what no training can have seen, before networks are built for it."""
    n_channels, constants = estimator.n_channels_seen_, estimator.normalization_
    if type(n_channels) is not int or not 1 <= n_channels <= MAX_CHANNELS:
        raise InputError(f"n_channels_seen_ is {brief(n_channels)}")
    found = estimator.value_range_
    check_value_range(found)
    estimator.fill_ = known_fill(estimator.fill_, n_channels)
    # With other words, every set of images to predict would find a range of its own.
    if found not in (None, "window") and (
        isinstance(found, str) or len(found) not in (1, n_channels)
    ):
        raise InputError(f"value_range_ is {brief(found)}")
    if constants is None:
        return
    array = np.asarray(constants, dtype=float)
    # Means, and standard deviations, by which pixels are divided.
    if array.shape != (2, n_channels) or not (np.isfinite(array).all() and array[1].min() > 0):
        raise InputError(f"normalization_ is {brief(constants)}")


def _check_counts(counts: Any, n_classes: int) -> None:
    """Refuse numbers of images that a model card could not tell."""
    parts = isinstance(counts, dict) and set(counts) == {"trained", "held_out"}
    if not parts or not all(
        isinstance(part, list)
        and len(part) == n_classes
        and all(type(n) is int and n >= 0 for n in part)
        for part in counts.values()
    ):
        raise InputError(f"class_counts_ is {brief(counts)}")


def _check_shapes(path: Path, estimator: Any) -> None:
    """Refuse weights that do not fit the settings, before any of them is read."""
    import timm  # noqa: F401  its own import computes, which the meta device cannot

    shapes = weight_shapes(path)
    # On the meta device a layer costs nothing, however large the settings claim it is.
    # The limit is generous, because building also registers layers that are then replaced.
    with torch.device("meta"), _few_parameters(8 * len(shapes) + 1000):
        wanted = estimator._build_model(len(estimator.classes_)).state_dict()
    expected = {name: tuple(tensor.shape) for name, tensor in wanted.items()}
    if shapes != expected:
        odd = sorted(k for k in {*shapes, *expected} if shapes.get(k) != expected.get(k))
        raise ModelFileError(
            f"{path / WEIGHTS}: the weights do not fit the settings, first at {brief(odd[0])}"
        )


@contextmanager
def _few_parameters(most: int) -> Iterator[None]:
    """Stop a network that is being built from having a million layers."""
    from torch.nn.modules.module import register_module_parameter_registration_hook

    count, me = 0, threading.get_ident()

    def register(*args: Any) -> None:
        nonlocal count
        # The hook is torch's, for all threads: another one may be building a network, too.
        count += threading.get_ident() == me
        if count > most:
            raise InputError("the settings name a network with far more layers than weights")

    hook = register_module_parameter_registration_hook(register)
    try:
        yield
    finally:
        hook.remove()
