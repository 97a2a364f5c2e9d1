"""What a timm network does with images of a size: tried on a sketch of it, without weights."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from p2pselect.exceptions import InputError, brief, first_line
from p2pselect.nn._weights import adapt_weights

#: Sides are rounded up to multiples of these where a network fails on images as they are.
_MULTIPLES = (8, 16, 32, 64)


@dataclass(frozen=True)
class Sketch:
    """A timm network as it would be built, which has run on an image.

    ``size`` is the height and width at which it sees images, ``options`` what
    ``timm.create_model`` needs for that.
    """

    network: Any
    size: tuple[int, int]
    options: dict[str, Any]


def sketch(name: str, size: tuple[int, int], **options: Any) -> Sketch:
    """Find out at which size a timm network can see images of a height and width.

    That is their own size where the network runs on it.  A network that cuts images into
    patches would not see what is left over: the sides are rounded up to whole patches.  Where
    the network fails, they are rounded up to multiples of 8 to 64 pixels, and at last it sees
    images at the size that it was made for.  So it does where pretrained weights would not fit
    otherwise, because timm cannot resample their positions.
    """
    failures: list[Exception] = []
    # Some networks compute with numbers in memory that sketches do not have.
    for device in ("meta", "cpu"):
        try:
            own = _create(name, device, options)
        except Exception as error:  # timm's models raise what they like
            failures.append(error)
            continue
        for seen, fixed in _tries(name, size, own):
            try:
                # What timm and torch warn about here is nobody's business.
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    network = _create(name, device, {**options, **fixed}) if fixed else own
                    _run(network, (options.get("in_chans", 3), *seen), device)
                    _check_weights(name, own, network, {**options, **fixed})
            except Exception as error:  # as above
                failures.append(error)
                continue
            return Sketch(network, seen, fixed)
    raise InputError(
        f"timm's network {brief(name)} cannot be used on images of {size[0]} x {size[1]} "
        f"pixels{f' with {brief(options)}' if options else ''}: "
        f"{type(failures[0]).__name__}: {first_line(failures[0])}"
    ) from failures[0]


def _tries(
    name: str, size: tuple[int, int], own: nn.Module
) -> Iterator[tuple[tuple[int, int], dict[str, Any]]]:
    """Sizes, from the best one on, each with the options of a network that is made for it."""
    import timm

    config: Any = timm.get_pretrained_cfg(name)
    patch = _patch(own)
    steps = [patch, *(tuple(math.lcm(side, step) for side in patch) for step in _MULTIPLES)]
    sizes = [tuple(-(-s // m) * m for s, m in zip(size, step, strict=True)) for step in steps]
    if config is not None:
        sizes.append(tuple(config.input_size[1:]))
    for height, width in dict.fromkeys(sizes):
        # Such networks, mostly transformers, are built for a size; others do not know img_size.
        fixed = config is not None and config.fixed_input_size
        yield (height, width), {"img_size": (height, width)} if fixed else {}


def _check_weights(
    name: str, own: nn.Module, network: nn.Module, options: dict[str, Any]
) -> None:
    """Raise ValueError unless weights for a network's own size can be adapted to another."""
    before, after = own.state_dict(), network.state_dict()
    if all(before[k].shape == after[k].shape for k in before if k in after):
        return
    own_size = {k: v for k, v in options.items() if k not in ("features_only", "img_size")}
    whole = _create(name, "meta", {**own_size, "img_size": options["img_size"]})
    wanted = whole.state_dict()
    # Positions are resampled with numpy by some families, so that these must be in memory.
    state = {
        k: torch.zeros(v.shape) if k in wanted and wanted[k].shape != v.shape else v
        for k, v in _create(name, "meta", own_size).state_dict().items()
    }
    adapted = adapt_weights(state, whole)
    for k, v in adapted.items():
        if k in wanted and wanted[k].shape != v.shape:
            raise ValueError(f"{k} of another size of images does not fit")


def _create(name: str, device: str, options: dict[str, Any]) -> nn.Module:
    import timm

    with torch.device(device):
        network: nn.Module = timm.create_model(name, **options)
    return network


def _run(network: nn.Module, shape: tuple[int, ...], device: str) -> None:
    training = network.training
    with torch.no_grad(), torch.device(device):
        network.eval()(torch.zeros(1, *shape))
    network.train(training)


def _patch(network: nn.Module) -> tuple[int, ...]:
    """Height and width of the patches that a network cuts images into, or (1, 1)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            # Not padded, and without overlap: what is left over at the border goes unseen.
            cut = module.kernel_size == module.stride and module.padding in ((0, 0), 0)
            return tuple(module.stride) if cut else (1, 1)
    return (1, 1)


def choose_maps(reductions: Sequence[int], strides: tuple[int, int] | None) -> tuple[int, int]:
    """Choose a finer and a coarser feature map of a network, from their strides.

    Without ``strides`` these are the coarsest of stride 8 at most (the finest, if there is
    none) and the next one of stride 16 at least (the coarsest, if there is none).  Where both
    have the same stride, as in most transformers, they come from half the depth and the end.
    """
    if strides is None:
        low = max((r for r in reductions if r <= 8), default=min(reductions))
        coarser = [r for r in reductions if r >= 16 and r > low]
        strides = (low, min(coarser, default=max(reductions)))
    first, second = ([i for i, r in enumerate(reductions) if r == s] for s in strides)
    low_index = first[(len(first) - 1) // 2] if first == second else first[-1]
    return low_index, second[-1]
