"""Networks by name: any timm model as classifier, any timm backbone as selector trunk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from p2pselect.exceptions import InputError, brief
from p2pselect.nn._image_network import ImageNetwork, as_image_network
from p2pselect.nn._network_names import check_network_name
from p2pselect.nn._own_networks import build_own
from p2pselect.nn._timm_sketches import sketch
from p2pselect.nn._weights import Pretrained, fitting_weights, with_pretrained

_WEIGHTS = "pretrained= says where weights come from"
#: Arguments that turn a timm model into a backbone.
_OF_BACKBONES = ("features_only", "feature_cls", "out_indices")
#: Arguments of ``timm.create_model`` that have a setting of their own.
_SETTLED = {
    "cache_dir": _WEIGHTS,
    "checkpoint_path": _WEIGHTS,
    "features_only": "a classifier needs its head",
    "img_size": "image_size= says it",
    "in_chans": "there are as many as the images have, see images__n_channels",
    "num_classes": "there are as many as y has",
    "pretrained": _WEIGHTS,
    "pretrained_cfg": _WEIGHTS,
    "pretrained_cfg_overlay": _WEIGHTS,
    "pretrained_strict": _WEIGHTS,
}


def create_timm(name: str, pretrained: Pretrained, **options: Any) -> nn.Module:
    """Create a timm model; weights come from timm's hub, a folder or a file."""
    import timm

    check_network_name(name)

    def build(source: bool | Path) -> nn.Module:
        if not isinstance(source, Path):
            return timm.create_model(name, pretrained=source, **options)
        return _create_from_file(name, source, options)

    with _without_unused_layers():
        return with_pretrained(name, pretrained, build)


@contextmanager
def _without_unused_layers() -> Iterator[None]:
    """Keep timm from listing the layers of a file that a network has no use for.

    A backbone never has a use for the head; what else is odd in a file, ``fitting_weights``
    says.
    """
    logger = logging.getLogger("timm.models._builder")
    logger.addFilter(_is_worth_saying)
    try:
        yield
    finally:
        logger.removeFilter(_is_worth_saying)


def _is_worth_saying(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("Unexpected keys")


def _create_from_file(name: str, path: Path, options: dict[str, Any]) -> nn.Module:
    """A timm model with the weights of a file, which are compared before any is taken."""
    import timm

    # Files hold whole models of color images; timm adapts their first layer to other channels.
    own = {k: v for k, v in options.items() if k not in (*_OF_BACKBONES, "in_chans")}
    with torch.device("meta"):
        whole: Any = timm.create_model(name, **own)
        part: Any = timm.create_model(name, **options)
    heads = whole.pretrained_cfg.get("classifier") or ()
    heads = (heads,) if isinstance(heads, str) else tuple(heads)
    weights = fitting_weights(path, whole, name, heads, _names_of_part(part).__contains__)
    head = [k for k in whole.state_dict() if k.startswith(tuple(f"{head}." for head in heads))]
    # timm takes everything but the head for a number of classes that no model has.
    overlay = {"state_dict": weights.given, "num_classes": -1}
    network = timm.create_model(
        name, pretrained=True, pretrained_cfg_overlay=overlay, **options
    )
    if "features_only" not in options and all(k in weights.fitting for k in head):
        network.load_state_dict({k: weights.fitting[k] for k in head}, strict=False)
    # timm keeps what it was given: the weights would be in memory, and in pickles, twice.
    for module in network.modules():
        for config in ("pretrained_cfg", "default_cfg"):
            if isinstance(vars(module).get(config), dict):
                vars(module)[config].pop("state_dict", None)
    return network


def _names_of_part(part: nn.Module) -> set[str]:
    """Names that the weights of a timm backbone have in the whole model, with "_" for "."."""
    names = part.state_dict()
    # Some backbones hold the whole model, others call a layer "a_0" where it has "a.0".
    wrappers = {"FeatureGetterNet": "model.", "FeatureHookNet": "body."}
    wrapper = wrappers.get(type(part).__name__, "")
    return {name.removeprefix(wrapper).replace(".", "_") for name in names}


def build_classifier(
    classifier: str | Callable[[int], nn.Module],
    n_classes: int,
    image_size: int | tuple[int, int],
    pretrained: Pretrained = False,
    options: dict[str, Any] | None = None,
    n_channels: int = 3,
) -> ImageNetwork:
    """Build the classifier that will see the masked images, with this many channels.

    It is a timm model (``options`` are more arguments of ``timm.create_model``), or that of a
    factory ``n_classes -> Module``.  A factory's module is given images in [0, 1], unless it
    carries timm's ``pretrained_cfg`` with a mean and a std.
    """
    if callable(classifier):
        own = ("classifier", classifier, n_classes, image_size, pretrained)
        return build_own(*own, n_channels)
    if settled := sorted(set(options or {}) & {*_SETTLED}):
        raise InputError(
            f"classifier_options must not have {brief(settled[0])}: {_SETTLED[settled[0]]}"
        )
    check_network_name(classifier)
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    options = {**(options or {}), "num_classes": n_classes, **channels_option(n_channels)}
    seen = sketch(classifier, size, **options)
    network = create_timm(classifier, pretrained, **options, **seen.options)
    network = as_image_network(network, n_channels)
    network.image_size = None if seen.size == size else seen.size
    return network


def channels_option(n_channels: int) -> dict[str, int]:
    """What ``timm.create_model`` has to know of the channels; nothing where they are three."""
    return {} if n_channels == 3 else {"in_chans": n_channels}


def mean_and_std(name: str) -> tuple[Sequence[float], Sequence[float]]:
    """The constants that a timm model's pretrained weights expect; ImageNet's without any."""
    import timm
    from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

    config: Any = timm.get_pretrained_cfg(name)
    if config is None:
        return IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
    return config.mean, config.std
