"""Networks by name: any timm model as classifier, any timm backbone as selector trunk."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from p2pselect.exceptions import InputError, UnknownNameError, brief
from p2pselect.nn.image_network import ImageNetwork
from p2pselect.nn.weights import Pretrained, read_state_dict, with_pretrained

_WEIGHTS = "pretrained= says where weights come from"
#: Arguments of ``timm.create_model`` that have a setting of their own.
_SETTLED = {
    "cache_dir": _WEIGHTS,
    "checkpoint_path": _WEIGHTS,
    "in_chans": "networks see three channels",
    "num_classes": "there are as many as y has",
    "pretrained": _WEIGHTS,
    "pretrained_cfg": _WEIGHTS,
    "pretrained_cfg_overlay": _WEIGHTS,
    "pretrained_strict": _WEIGHTS,
}


def check_network_name(name: str, known: Sequence[str] = ()) -> None:
    """Raise :class:`UnknownNameError` with near matches unless timm or ``known`` has it."""
    import timm

    if name in known or timm.is_model(name):
        return
    near = difflib.get_close_matches(name, [*known, *timm.list_models()], n=3, cutoff=0.4)
    hint = f"; did you mean {', '.join(map(repr, near))}?" if near else ""
    raise UnknownNameError(
        f"there is no network {brief(name)}: expected the name of a timm model"
        + (f" or one of {list(known)}" if known else "")
        + hint
    )


def create_timm(
    name: str, pretrained: Pretrained, image_size: int | None = None, **options: Any
) -> nn.Module:
    """Create a timm model; weights come from timm's hub or from a local file.

    Parameters
    ----------
    name : str
        A timm model name, with or without a pretrained tag.
    pretrained : {True, False, "auto"} or path
    image_size : int, optional
        Passed on as ``img_size`` where the architecture is built for one input size.
    **options
        Passed to ``timm.create_model``.
    """
    import timm

    check_network_name(name)
    config: Any = timm.get_pretrained_cfg(name)
    if image_size is not None and config is not None and config.fixed_input_size:
        options["img_size"] = image_size

    def build(source: bool | Path) -> nn.Module:
        if isinstance(source, Path):
            read_state_dict(source)  # timm's own errors do not name the file
            options["pretrained_cfg_overlay"] = {"file": os.fspath(source)}
        return timm.create_model(name, pretrained=bool(source), **options)

    return with_pretrained(name, pretrained, build)


def build_classifier(
    classifier: str | Callable[[int], nn.Module],
    n_classes: int,
    image_size: int,
    pretrained: Pretrained = False,
    options: dict[str, Any] | None = None,
) -> ImageNetwork:
    """Build the classifier that will see the masked images.

    Parameters
    ----------
    classifier : str or callable
        A timm model name, or a factory ``n_classes -> Module`` whose module maps images
        (n, 3, h, w) to logits (n, n_classes).  A factory's module is given images in
        [0, 1] unless it carries timm's ``pretrained_cfg`` with a mean and a std.
    n_classes : int
    image_size : int
        Side of the model's grid in pixels.
    pretrained : {True, False, "auto"} or path, default=False
    options : dict, optional
        More keyword arguments for ``timm.create_model``, for example ``drop_rate``.

    Raises
    ------
    UnknownNameError
        If no network has this name; the message lists near matches.
    InputError
        If `options` has an argument that another setting decides on.
    """
    if callable(classifier):
        network = classifier(n_classes)
    else:
        if settled := sorted(set(options or {}) & {*_SETTLED}):
            raise InputError(
                f"classifier_options must not have {brief(settled[0])}: {_SETTLED[settled[0]]}"
            )
        options = {**(options or {}), "num_classes": n_classes}
        network = create_timm(classifier, pretrained, image_size, **options)
    return as_image_network(network)


def mean_and_std(name: str) -> tuple[Sequence[float], Sequence[float]]:
    """The constants that a timm model's pretrained weights expect; ImageNet's without any."""
    import timm
    from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

    config: Any = timm.get_pretrained_cfg(name)
    if config is None:
        return IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
    return config.mean, config.std


def as_image_network(network: nn.Module) -> ImageNetwork:
    """Put a network behind the mean and std of its own ``pretrained_cfg``."""
    config = getattr(network, "pretrained_cfg", None) or {}
    return ImageNetwork(network, config.get("mean", (0.0,) * 3), config.get("std", (1.0,) * 3))
