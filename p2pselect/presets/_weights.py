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


@dataclass(frozen=True)
class Found:
    """What was found for selector and classifier.

    Attributes
    ----------
    pretrained : object
        The setting ``pretrained``.
    missing : list of str
        Names of networks whose weights are nowhere.
    words : str
        Where the weights are, or why there are none.
    """

    pretrained: Any
    missing: list[str]
    words: str


def look_for_weights(networks: Mapping[str, Any], pretrained: Any) -> Found:
    """Say where the weights of networks would come from; nothing is downloaded.

    ``pretrained`` is ``"auto"`` or a folder.  Factories bring their own weights.

    Raises
    ------
    WeightsNotFoundError
        If a folder is given that has no weights of a network, which are not elsewhere either.
    """
    from p2pselect.nn._weight_sources import locate_weights, networks_in_folder

    folder = None if pretrained == "auto" else Path(pretrained)
    files: dict[str, list[str]] = {}
    missing = {}
    for name in dict.fromkeys(name for name in networks.values() if isinstance(name, str)):
        try:
            where, file = _place(locate_weights(name, folder))
            files.setdefault(where, []).extend(file)
        except WeightsNotFoundError:
            raise
        except OSError as error:
            missing[name] = str(error)
    if folder is not None and missing:
        there = networks_in_folder(folder)
        raise WeightsNotFoundError(
            f"pretrained weights: {brief_path(folder)} has no file of {', '.join(missing)}, as "
            f"{next(iter(missing))}.safetensors would be (it has files of "
            f"{', '.join(there) or 'no network'}), and {next(iter(missing.values()))}"
        )
    if missing:
        reasons = "; ".join(dict.fromkeys(missing.values()))
        by_role = {role: name not in missing for role, name in networks.items()}
        return Found(by_role, [*missing], f"no pretrained weights: {reasons}")
    where = ", ".join(
        f"{place} ({', '.join(names)})" if names else place for place, names in files.items()
    )
    # Where they are known to be, a failure to load them must not end in random weights.
    source = True if folder is None else os.fspath(folder)
    return Found(source, [], f"weights from {where}" if where else "networks of your own")


def _place(source: Any) -> tuple[str, list[str]]:
    """Where weights are, in words, and the file there that one may want to know."""
    if source.place == "folder":
        return str(Path(source.location).parent), [Path(source.location).name]
    return ("the local cache" if source.place == "cache" else "a download"), []
