"""Where pretrained weights come from: a hub, the local cache, a file, or nowhere."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlparse

import torch

from p2pselect.exceptions import P2PSelectWarning, WeightsNotFoundError, brief

Pretrained = bool | str | os.PathLike[str]
T = TypeVar("T")


def read_state_dict(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """Read a ``.safetensors`` file or a ``.pt`` / ``.pth`` state dict, without unpickling code.

    Raises
    ------
    WeightsNotFoundError
        If the file is missing or is not a file of tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsNotFoundError(f"pretrained weights: there is no file {path}")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
        return state.get("state_dict", state)
    except Exception as error:
        raise WeightsNotFoundError(
            f"pretrained weights: {path} is not a file of tensors ({error})"
        ) from error


def with_pretrained(name: str, pretrained: Pretrained, build: Callable[[Any], T]) -> T:
    """Call ``build`` with what ``pretrained`` comes to for the network ``name``.

    Parameters
    ----------
    name : str
        Name of the network, for messages.
    pretrained : {True, False, "auto"} or path
        ``True`` downloads (or takes from the cache) and raises where that fails;
        ``"auto"`` falls back to random weights with one warning; a path is read.
    build : callable
        Builds the network, given ``True``, ``False`` or the path.

    Returns
    -------
    The network.

    Raises
    ------
    WeightsNotFoundError
        If the weights were asked for and cannot be had.
    """
    if pretrained is False:
        return build(False)
    if pretrained not in (True, "auto"):
        path = Path(pretrained)  # type: ignore[arg-type]
        if not path.is_file():
            raise WeightsNotFoundError(
                f"pretrained weights of {brief(name)}: there is no file {path}; "
                "pretrained takes True, False, 'auto' or the path of a file"
            )
        return build(path)
    try:
        if not _may_load(name):
            raise OSError("no connection to the model hub, and not in the local cache")
        return build(True)
    except (OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0][:160]
        if pretrained is True:
            raise WeightsNotFoundError(
                f"pretrained weights of {brief(name)} could not be loaded: {reason}. "
                "Pass pretrained=False, or the path of a safetensors or pt file."
            ) from error
        warnings.warn(
            f"no pretrained weights for {brief(name)} ({reason}): training starts from random "
            "weights; pass pretrained=<path of a weights file>, or pretrained=False to "
            "say that this is meant",
            P2PSelectWarning,
            stacklevel=2,
        )
        return build(False)


def _may_load(name: str) -> bool:
    """Whether a download has a chance: the hub's client retries for most of a minute."""
    import huggingface_hub
    import timm

    if not timm.is_model(name):
        return True  # torchvision's downloads fail at once by themselves
    config: Any = timm.get_pretrained_cfg(name)
    if config is None:
        return False
    hub_id = config.hf_hub_id
    cached = hub_id and any(
        isinstance(huggingface_hub.try_to_load_from_cache(hub_id, file), str)
        for file in ("model.safetensors", "pytorch_model.bin")
    )
    if cached or any(key.lower() in ("http_proxy", "https_proxy") for key in os.environ):
        return True
    host = urlparse(huggingface_hub.constants.ENDPOINT).hostname or "huggingface.co"
    try:
        socket.create_connection((host, 443), timeout=3).close()
    except OSError:
        return False
    return True
