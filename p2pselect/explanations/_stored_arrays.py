"""Explanations in files: NumPy's ``.npz`` format, checked when it is read, and no pickle."""

from __future__ import annotations

import json
from dataclasses import fields
from os import PathLike
from typing import Any

import numpy as np

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect._fill import known_fill
from p2pselect.atomic_write import atomic_open, check_writable_file
from p2pselect.exceptions import InputError, brief
from p2pselect.images._geometry import NO_REGION, RESIZES
from p2pselect.images._meaning import check_display_channels

_FORMAT = 1
_OPTIONAL = (
    "region_embeddings",
    "soft_region_masks",
    "path_tau",
    "path_counts",
    "path_proba",
    "stop_certainty",
    "prediction_sets",
    "answered_classes",
    "lowest_familiarity",
    "original_sizes",
    "multilabel",
    "target",
    "n_masks_seen",
)
#: Arrays without axes, which are numbers.
_NUMBERS = ("certainty_threshold", "stop_certainty", "lowest_familiarity")
#: Axes of every array in a file (those with one letter are equally long) and kinds of values.
#: The order counts: an array that does not fit those before it is the one to be named.
_AXES = {
    "images": ("nhwc", "uf"),
    "regions": ("nhw", "iu"),
    "region_masks": ("nd", "b"),
    "selection_logits": ("nd", "f"),
    "selection_probs": ("nd", "f"),
    "tau": ("n", "f"),
    "proba": ("nm", "f"),
    "classes": ("m", "biufSU"),
    "answered": ("n", "b"),
    "certainty_threshold": ("", "iuf"),
    "region_embeddings": ("nkd", "f"),
    "soft_region_masks": ("nd", "f"),
    "path_tau": ("t", "f"),
    "path_counts": ("nt", "iu"),
    "path_proba": ("ntm", "f"),
    "stop_certainty": ("", "iuf"),
    "prediction_sets": ("nm", "b"),
    "answered_classes": ("m", "b"),
    "lowest_familiarity": ("", "iuf"),
    "original_sizes": ("n2", "iu"),
    "resize": ("", "U"),
    "multilabel": ("", "b"),
    "target": ("", "biufU"),
    "n_masks_seen": ("", "iu"),
}


def write_arrays(explanation: ExplanationArrays, path: str | PathLike[str]) -> None:
    """Write all arrays and numbers of an explanation to one file."""
    check_writable_file(path)
    arrays = {f.name: getattr(explanation, f.name) for f in fields(explanation)}
    present: dict[str, Any] = {
        name: np.asarray(arrays[name]) for name in _AXES if arrays[name] is not None
    }
    # An array of objects, such as pandas' strings, could be stored by pickle only.
    if present["classes"].dtype == object:
        if not all(isinstance(label, str) for label in present["classes"]):
            raise InputError(
                "class labels must be numbers, booleans or strings to be saved, "
                f"got {brief(present['classes'][:3].tolist())}"
            )
        present["classes"] = present["classes"].astype(str)
    # As an array, because a .npz file holds nothing else.
    described = {
        "format": _FORMAT,
        "fill": explanation.fill,
        "display_channels": explanation.display_channels,
    }
    header = np.frombuffer(json.dumps(described).encode(), dtype=np.uint8)
    with atomic_open(path, "wb") as file:
        # To an open file: to a name, NumPy might append ".npz".
        np.savez_compressed(file, header=header, **present)


def read_arrays(path: str | PathLike[str]) -> dict[str, Any]:
    """What a file holds, by name, once it is known to fit together."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            # numpy returns the bytes of a member that is not an array.
            arrays = {name: np.asarray(stored[name]) for name in stored.files}
        described = json.loads(arrays.pop("header").tobytes())
        version = described["format"]
    except FileNotFoundError:
        raise
    # zipfile, zlib, json and NumPy each have errors of their own for a damaged file.
    except Exception as error:
        raise InputError(f"{path} is not a saved explanation: {error}") from error
    if version != _FORMAT:
        raise InputError(f"{path} has format {version}, this version reads {_FORMAT}")
    names = set(_AXES)
    missing = names - set(_OPTIONAL) - set(arrays)
    if missing or set(arrays) - names:
        raise InputError(f"{path} is not a saved explanation: it has {brief(sorted(arrays))}")
    fault = _misfit(arrays)
    if fault:
        raise InputError(f"{path} is not a saved explanation: {fault}")
    n_channels, shown = arrays["images"].shape[-1], described.get("display_channels")
    if shown is not None:
        shown = tuple(tuple(one) if isinstance(one, list) else one for one in shown)
    try:
        fill = known_fill(described.get("fill"), n_channels)
        check_display_channels(shown, n_channels)
    except InputError as error:
        raise InputError(f"{path} is not a saved explanation: {error}") from error
    values: dict[str, Any] = {**arrays, "resize": str(arrays["resize"]), "fill": fill}
    values["display_channels"] = shown
    values |= {name: float(arrays[name]) for name in _NUMBERS if name in arrays}
    plain = ("multilabel", "target", "n_masks_seen")
    values |= {name: arrays[name].item() for name in plain if name in arrays}
    return values


def _misfit(arrays: dict[str, np.ndarray]) -> str | None:
    """What is wrong with the first array that does not fit the ones before it."""
    lengths = {"2": 2}
    for name, (axes, kinds) in _AXES.items():
        if name not in arrays:
            continue
        array = arrays[name]
        if array.dtype.kind not in kinds:
            return f"{name} has values of type {array.dtype}"
        fits = array.ndim == len(axes) and all(
            lengths.setdefault(axis, length) == length
            for axis, length in zip(axes, array.shape, strict=True)
        )
        if not fits:
            expected = ", ".join(str(lengths.get(axis, axis)) for axis in axes)
            return f"{name} has shape {array.shape}, expected ({expected})"
    labels = arrays["regions"]
    if labels.size and not NO_REGION <= labels.min() <= labels.max() < lengths["d"]:
        return (
            f"regions has labels from {labels.min()} to {labels.max()}, "
            f"region_masks has {lengths['d']} regions"
        )
    if arrays["resize"] not in RESIZES:
        return f"resize is {brief(str(arrays['resize']))}, expected one of {RESIZES}"
    if "target" in arrays and arrays["target"].item() not in arrays["classes"].tolist():
        return f"target is {brief(arrays['target'].item())}, which is not one of the classes"
    sizes = arrays.get("original_sizes")
    if sizes is not None and (sizes < 1).any():
        return f"original_sizes has {sizes.min()}"
    return None
