"""Pretrained weights: read from a file, compared with a network, and put into it."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from p2pselect.exceptions import (
    P2PSelectWarning,
    WeightsNotFoundError,
    brief,
    brief_path,
    first_line,
)
from p2pselect.nn._weight_sources import locate_weights, networks_in_folder

#: What timm calls the functions that adapt weights, in the modules of its families.
_REMAPS = ("checkpoint_filter_fn", "_filter_fn", "_filter_torchvision_pretrained")
Pretrained = bool | str | os.PathLike[str]
T = TypeVar("T")


#: Where training programs put the weights in what they save; averaged weights come first.
_WRAPPERS = (
    *("state_dict_ema", "model_ema", "ema_state_dict", "state_dict", "model_state_dict"),
    *("model", "network", "net", "module", "weights"),
)


def read_state_dict(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """Read the weights in a file, without unpickling code.

    A ``.safetensors`` file, or what ``torch.save`` wrote: a state dict, or a dict that has one
    as ``state_dict``, ``model`` or the like.  Moving averages are preferred.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsNotFoundError(f"pretrained weights: there is no file {path}")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # torch's own message is a page, and starts with how to run the file's code.
        reason = first_line(error)
        if "Weights only load failed" in reason and "GLOBAL" in str(error).upper():
            reason = (
                "it holds a whole pickled model or other objects, which run code when they "
                "are read; where you trust it, open it with torch.load(file, "
                "weights_only=False) and write torch.save(model.state_dict(), other_file)"
            )
        raise WeightsNotFoundError(
            f"pretrained weights: {path} is not a file of tensors: {reason}"
        ) from error
    for name in _WRAPPERS:
        if isinstance(state, Mapping) and isinstance(state.get(name), Mapping):
            state = state[name]
    tensors = {}
    if isinstance(state, Mapping):
        tensors = {k: v for k, v in state.items() if isinstance(v, torch.Tensor)}
    if not tensors:
        raise WeightsNotFoundError(
            f"pretrained weights: {path} holds no tensors by name, but a {type(state).__name__}"
        )
    return tensors


@dataclass(frozen=True)
class FileOfWeights:
    """Weights of a file: as they were given, and as the network that they are for has them."""

    given: dict[str, torch.Tensor]
    fitting: dict[str, torch.Tensor]


def fitting_weights(
    path: str | os.PathLike[str],
    network: nn.Module,
    name: str,
    heads: Sequence[str] = (),
    needed: Callable[[str], bool] | None = None,
) -> FileOfWeights:
    """The weights in a file that belong to a network, which may be on the meta device.

    A prefix that all names in the file share (``module.``, ``model.``) is removed.  All weights
    must be there (or those that are ``needed``, which is asked with "_" for every "."), except
    in sub-modules named in ``heads``, which may be missing or made for other classes.
    """
    wanted = network.state_dict()
    given = _as_called_in(wanted, _without_prefix(read_state_dict(path), wanted))
    state = adapt_weights(given, network)
    fits = {k: v for k, v in state.items() if k in wanted and v.shape == wanted[k].shape}
    learned = {k for k, _ in network.named_parameters()}
    # The rest, such as counters of batches, is as good in the new network.
    must = [
        k
        for k in wanted
        if (k in learned or k.endswith(("running_mean", "running_var")))
        and (needed is None or needed(k.replace(".", "_")))
        and not _is_in(k, heads)
    ]
    missing = [k for k in must if k not in fits]
    odd = [k for k in state if k not in wanted and not _is_in(k, heads)]
    if missing:
        first = f"{brief(missing[0])} is missing"
        if missing[0] in state:
            shapes = tuple(state[missing[0]].shape), tuple(wanted[missing[0]].shape)
            first = f"{brief(missing[0])} has shape {shapes[0]}, expected {shapes[1]}"
        raise WeightsNotFoundError(
            f"{path} does not hold the weights of {name!r}: {len(must) - len(missing)} of "
            f"{len(must)} tensors fit, {first}"
            + (f"; the file has {brief(odd[0])}, which the network does not" if odd else "")
        )
    if odd:
        warnings.warn(
            f"{path}: {len(odd)} of {len(state)} tensors have no place in {name!r} and are "
            f"left out, first {brief(odd[0])}",
            P2PSelectWarning,
            stacklevel=2,
        )
    return FileOfWeights(given, fits)


def _as_called_in(
    wanted: Mapping[str, Any], state: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """The same weights; layers that a backbone calls "a_0" are "a.0", as in the whole model."""
    called = {name.replace(".", "_"): name for name in wanted}
    return {called.get(name.replace(".", "_"), name): state[name] for name in state}


def adapt_weights(
    state: dict[str, torch.Tensor], network: nn.Module
) -> dict[str, torch.Tensor]:
    """As timm changes the weights of a family of models before it loads them.

    Names that their authors gave to layers become timm's, and position embeddings are resampled
    for another size of the images.
    """
    family = vars(sys.modules[type(network).__module__])
    remap = next((family[name] for name in _REMAPS if name in family), None)
    if remap is None:
        return state
    try:
        takes_network = len(signature(remap).parameters) > 1
        return remap(dict(state), network) if takes_network else remap(dict(state))
    except Exception:
        # Nothing that belongs to this family: the comparison says what is missing.
        return state


def _without_prefix(
    state: dict[str, torch.Tensor], wanted: Mapping[str, Any]
) -> dict[str, torch.Tensor]:
    """The names as the network has them, whatever it was wrapped in when it was saved."""
    # Wrappers nest, as in "module.model." or in the "classifier.network." of a saved model.
    names = {".".join(name.split(".")[:depth]) for name in state for depth in (1, 2, 3)}
    prefixes = ["", *sorted(f"{name}." for name in names)]
    counts = [sum(prefix + name in state for name in wanted) for prefix in prefixes]
    # The first of equals: no prefix, unless one of them helps.
    prefix = prefixes[counts.index(max(counts))]
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def _is_in(name: str, modules: Sequence[str]) -> bool:
    return any(name.startswith(f"{module}.") for module in modules)


def with_pretrained(name: str, pretrained: Pretrained, build: Callable[[Any], T]) -> T:
    """Call ``build`` with True, False or the path of a file, as ``pretrained`` says.

    ``True`` downloads the weights (or takes them from the cache) and raises where that fails;
    ``"auto"`` falls back to random weights with a warning; the path of a file is read; in a
    folder the file with the name of the network is, and without one it is as with ``True``.
    """
    if pretrained is False:
        return build(False)
    folder = None
    if pretrained not in (True, "auto"):
        path = Path(pretrained)  # type: ignore[arg-type]
        if path.is_file():
            return build(path)
        if not path.is_dir():
            raise WeightsNotFoundError(
                f"pretrained weights of {brief(name)}: there is no file or folder "
                f"{brief_path(path)}; pretrained takes True, False, 'auto', or the path of a "
                "file or a folder"
            )
        folder = path
    try:
        source = locate_weights(name, folder)
        return build(Path(source.location) if source.place == "folder" else True)
    except WeightsNotFoundError:
        raise
    except (OSError, RuntimeError) as error:
        reason = first_line(error)
        if folder is not None:
            there = networks_in_folder(folder)
            raise WeightsNotFoundError(
                f"pretrained weights of {brief(name)}: {brief_path(folder)} has no file of "
                f"that name (it has files of {there or 'no network'}), and {reason}"
            ) from error
        if pretrained is True:
            raise WeightsNotFoundError(
                f"pretrained weights of {brief(name)} could not be loaded: {reason}. "
                "Pass pretrained=False, or the path of a safetensors or pt file."
            ) from error
        warnings.warn(
            f"no pretrained weights for {brief(name)} ({reason}): training starts from random "
            "weights; pass pretrained=<path of a file or folder of weights>, or "
            "pretrained=False to say that this is meant",
            P2PSelectWarning,
            stacklevel=2,
        )
        return build(False)
