"""Where the pretrained weights of a network are: in a folder, in a cache, or on a server."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from p2pselect.exceptions import WeightsNotFoundError, brief_path, first_line
from p2pselect.nn._network_names import (
    TORCHVISION_LRASPP,
    TORCHVISION_NAMES,
    check_network_name,
    split_file_name,
)

#: Endings of files of weights; where a folder has the same weights twice, the first counts.
_ENDINGS = (".safetensors", ".pth", ".pt", ".bin")
#: Names that the model hub's client gives to the weights of a model, in a folder of its own.
_FILES_ON_THE_HUB = ("model.safetensors", "pytorch_model.bin")
#: Seconds that a server has for its answer.
_PATIENCE = 3.0
#: Seconds for which a server that did not answer is not asked again.
_SILENCE = 60.0
_unanswered: dict[str, tuple[float, str]] = {}


@dataclass(frozen=True)
class WeightsSource:
    """Where the pretrained weights of a network are: what :func:`find_weights` returns.

    Parameters
    ----------
    place : {"folder", "cache", "download"}
        A folder of your own, the local cache of timm or torchvision, or a server.
    location : str
        Path of the file; for a download, what it is called on the model hub, or its address.

    Examples
    --------
    >>> print(WeightsSource("folder", "weights/resnet18.a1_in1k.safetensors"))
    weights/resnet18.a1_in1k.safetensors
    >>> print(WeightsSource("download", "timm/resnet18.a1_in1k"))
    download of timm/resnet18.a1_in1k
    """

    place: Literal["folder", "cache", "download"]
    location: str

    def __str__(self) -> str:
        return f"download of {self.location}" if self.place == "download" else self.location


def find_weights(
    name: str, folder: str | os.PathLike[str] | None = None
) -> WeightsSource | None:
    """Say whether there are pretrained weights for a network, and where, without loading them.

    The order is that of ``pretrained``: a file in ``folder``, the local cache, a download.
    Nothing is downloaded.  A server has three seconds to say that it is there, and is not asked
    again for a minute if it does not.

    Parameters
    ----------
    name : str
        A timm model, with or without the tag of its weights (``"resnet18"``,
        ``"resnet18.a1_in1k"``), or ``"lraspp_mobilenet_v3_large"``.
    folder : str or path, optional
        Folder of files that are named as timm names its models: see ``pretrained`` of
        :class:`~p2pselect.P2PClassifier`.

    Returns
    -------
    WeightsSource or None
        None where there are no weights that could be loaded now.

    Raises
    ------
    UnknownNameError
        If there is no such network.
    WeightsNotFoundError
        If there is no such folder.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     (Path(folder) / "resnet18.a1_in1k.safetensors").touch()
    ...     source = find_weights("resnet18", folder)
    >>> source.place
    'folder'
    """
    try:
        return locate_weights(name, folder)
    except WeightsNotFoundError:
        raise
    except OSError:
        return None


def locate_weights(name: str, folder: str | os.PathLike[str] | None = None) -> WeightsSource:
    """As :func:`find_weights`; raises OSError, which says what was tried, instead of None."""
    check_network_name(name, known=TORCHVISION_NAMES)
    if folder is not None and (file := file_in_folder(name, folder)):
        return WeightsSource("folder", str(file))
    if name in TORCHVISION_NAMES:
        return _at_address(_torchvision_address(name))
    return _of_timm(name)


def file_in_folder(name: str, folder: str | os.PathLike[str]) -> Path | None:
    """The file of a folder that has the weights of a network, by its name.

    Of several, the one that has no more than the name is taken, then that with timm's own tag
    for the name, then the first in order of the alphabet.
    """
    import timm

    base, _, tag = name.partition(".")
    config: Any = None if base == TORCHVISION_LRASPP else timm.get_pretrained_cfg(base)
    usual = f".{tag or (config.tag if config is not None else '')}"
    found = [
        (rest != (usual if tag else ""), rest != usual, rest, order, file)
        for file, stem, order in _files(folder)
        if (split := split_file_name(stem)) and split[0] == base
        # A file of other weights for the same network is not what was asked for.
        for rest in [split[1]]
        if not tag or rest == usual or not rest.startswith(".")
    ]
    return min(found)[-1] if found else None


def networks_in_folder(folder: str | os.PathLike[str]) -> list[str]:
    """Names of the networks that a folder has weights of, in order of the alphabet."""
    split = [split_file_name(stem) for _, stem, _ in _files(folder)]
    return sorted({found[0] for found in split if found})


def _files(folder: str | os.PathLike[str]) -> list[tuple[Path, str, int]]:
    """Files of weights, each with the name that says which, and the rank of its format."""
    folder = Path(folder)
    if not folder.is_dir():
        raise WeightsNotFoundError(
            f"pretrained weights: there is no folder {brief_path(folder)}"
        )
    files = []
    for entry in folder.iterdir():
        if entry.suffix in _ENDINGS and entry.is_file():
            files.append((entry, entry.stem, _ENDINGS.index(entry.suffix)))
        elif entry.is_dir():
            files += [
                (entry / name, entry.name, len(_ENDINGS) + order)
                for order, name in enumerate(_FILES_ON_THE_HUB)
                if (entry / name).is_file()
            ]
    return files


def _of_timm(name: str) -> WeightsSource:
    import huggingface_hub
    import timm

    config: Any = timm.get_pretrained_cfg(name)
    if config is None or not config.has_weights:
        raise OSError("timm has no weights of this name")
    if not config.hf_hub_id:
        return _at_address(config.url)
    repository, _, revision = config.hf_hub_id.partition("@")
    own = (config.hf_hub_filename,) if config.hf_hub_filename else _FILES_ON_THE_HUB
    for file in own:
        cached = huggingface_hub.try_to_load_from_cache(
            repository, file, revision=revision or None
        )
        if isinstance(cached, str):
            return WeightsSource("cache", cached)
    _ask("the model hub", lambda: _ask_the_hub(repository))
    return WeightsSource("download", config.hf_hub_id)


def _ask_the_hub(repository: str) -> None:
    import huggingface_hub

    # The client answers a single request at once; downloads retry for most of a minute.
    huggingface_hub.HfApi().model_info(repository, timeout=_PATIENCE)


def _at_address(url: str) -> WeightsSource:
    """Weights that torch's own downloads get from an address."""
    import torch

    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(url).path).name
    if file.is_file():
        return WeightsSource("cache", str(file))
    server = urlsplit(url).netloc
    request = Request(url, method="HEAD")
    _ask(server, lambda: urlopen(request, timeout=_PATIENCE).close())
    return WeightsSource("download", url)


def _ask(server: str, question: Any) -> None:
    """Raise OSError unless a server answers; one that is silent is left alone for a minute."""
    since, reason = _unanswered.get(server, (-_SILENCE, ""))
    if time.monotonic() - since >= _SILENCE:
        try:
            question()
        # The errors of HTTP libraries differ from version to version.
        except Exception as error:
            reason = first_line(error)
            # What has a status is an answer, to this question only.
            if getattr(error, "response", None) is None and not hasattr(error, "code"):
                _unanswered[server] = (time.monotonic(), reason)
        else:
            return
    raise OSError(f"they are not in the local cache, and {server} cannot be reached: {reason}")


def _torchvision_address(name: str) -> str:
    from torchvision.models import MobileNet_V3_Large_Weights
    from torchvision.models.segmentation import LRASPP_MobileNet_V3_Large_Weights

    if name == TORCHVISION_LRASPP:
        return str(LRASPP_MobileNet_V3_Large_Weights.DEFAULT.url)
    return str(MobileNet_V3_Large_Weights.IMAGENET1K_V1.url)
