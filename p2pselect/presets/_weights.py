"""Which networks could start from pretrained weights, and where these would come from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from p2pselect.exceptions import WeightsNotFoundError, brief_path

#: The settings that name networks.
NETWORKS = ("selector", "classifier")
_ENDINGS = (".safetensors", ".pth", ".pt", ".bin")


@dataclass(frozen=True)
class Found:
    """What was found for the networks of a model.

    Attributes
    ----------
    pretrained : dict of str to object
        The setting ``pretrained``, network by network.
    missing : dict of str to str
        Which of them have none, and why.
    words : str
        Where the weights are, or why there are none.
    """

    pretrained: dict[str, Any]
    missing: dict[str, str]
    words: str


def find_weights(networks: Mapping[str, Any], folder: str | os.PathLike[str] | None) -> Found:
    """Look for the weights of selector and classifier; nothing is downloaded.

    A factory brings its own weights.
    """
    pretrained: dict[str, Any] = {}
    missing, places = {}, []
    for role, name in networks.items():
        pretrained[role] = False
        if not isinstance(name, str):
            continue
        try:
            place = weights_of(name, folder)
        except WeightsNotFoundError as error:
            if folder is not None:
                raise
            missing[role] = str(error)
            continue
        pretrained[role] = place if isinstance(place, Path) else True
        places.append(str(place.parent) if isinstance(place, Path) else place)
    if missing:
        words = "; ".join(dict.fromkeys(missing.values()))
        return Found(pretrained, missing, words)
    words = " and ".join(dict.fromkeys(places))
    return Found(pretrained, missing, f"weights: {words}" if words else "networks of your own")


def weights_of(name: str, folder: str | os.PathLike[str] | None = None) -> Path | str:
    """Where weights would come from: a file, "local cache", or "model hub".

    Raises
    ------
    WeightsNotFoundError
        If they are nowhere; the message says why.
    """
    if folder is not None:
        return _file_of(name, Path(folder))
    from p2pselect.nn._weights import check_hub

    try:
        check_hub(name)
    except OSError as error:
        raise WeightsNotFoundError(f"no pretrained weights: {error}") from error
    return "model hub"


def _file_of(name: str, folder: Path) -> Path:
    """The file of a folder that is named after a timm model."""
    if not folder.is_dir():
        raise WeightsNotFoundError(f"weights: there is no folder {brief_path(folder)}")
    files = sorted(file for file in folder.iterdir() if file.suffix in _ENDINGS)
    fitting = [file for file in files if file.stem == name] or [
        file for file in files if file.stem.startswith((f"{name}_", f"{name}.", f"{name}-"))
    ]
    if not fitting:
        held = ", ".join(file.name for file in files[:5]) or "no file of weights"
        raise WeightsNotFoundError(
            f"weights: {brief_path(folder)} has no weights of {name}, which would be called "
            f"{name}.safetensors; it holds {held}"
        )
    return fitting[0]
