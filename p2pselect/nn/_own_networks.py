"""Networks of the user: built by a factory, and tried once before anything is trained."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from p2pselect.exceptions import InputError, P2PSelectError, P2PSelectWarning
from p2pselect.nn._image_network import ImageNetwork, as_image_network
from p2pselect.nn._weights import Pretrained, fitting_weights

_HOW = {
    "classifier": "a factory n_classes -> Module, whose module maps images (n, c, h, w) to "
    "logits (n, n_classes)",
    "selector": "a factory n_maps -> Module, whose module maps images (n, c, h, w) to maps "
    "(n, n_maps, height, width)",
}


def build_own(
    setting: str,
    factory: Callable[[int], Any],
    n_outputs: int,
    image_size: int | tuple[int, int],
    pretrained: Pretrained,
    n_channels: int = 3,
) -> ImageNetwork:
    """A copy of the module that a factory makes; training leaves the original as it is.

    It is tried on images of a size, and given the weights of a file if there is one.
    """
    if isinstance(factory, nn.Module):
        raise InputError(
            f"{setting} must be the name of a network or {_HOW[setting]}; got a module "
            f"({type(factory).__name__}): pass a function that makes one, such as its class, "
            "so that every fit starts from weights of its own"
        )
    network = factory(n_outputs)
    if not isinstance(network, nn.Module):
        raise InputError(
            f"{setting} must be {_HOW[setting]}; the factory returned a "
            f"{type(network).__name__}"
        )
    network = deepcopy(network)
    _try(setting, network, n_outputs, image_size, n_channels)
    # A folder has no weights of a network that has no name.
    where: Any = pretrained
    if where not in (True, False, "auto") and not Path(where).is_dir():
        weights = fitting_weights(where, network, f"the {setting}'s factory")
        # What was needed is there; counters of batches, for example, may be missing.
        network.load_state_dict(weights.fitting, strict=False)
    return as_image_network(network, n_channels)


def _try(
    setting: str,
    network: nn.Module,
    n_outputs: int,
    size: int | tuple[int, int],
    n_channels: int,
) -> None:
    """Try a network on two images, in training and in evaluation; nothing about it changes.

    Raises InputError if the network fails or returns anything but one tensor of the right
    shape, and warns if a classifier returns probabilities: their softmax is nearly even.
    """
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    height, width = (size, size) if isinstance(size, int) else size
    images = torch.linspace(0, 1, 2 * n_channels * height * width, device=device)
    images = images.view(2, n_channels, height, width)
    was_training = network.training
    cuda = [device] if device.type == "cuda" else []
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=cuda):
            # Both ways, because some networks return more than logits while they train.
            for training in (True, False):
                network.train(training)
                # Batch statistics move in copies.
                state = {k: v.clone() for k, v in network.named_buffers()}
                out = functional_call(network, state, (images,))
                _check_output(setting, out, n_outputs)
    except P2PSelectError:
        raise
    except Exception as error:
        raise InputError(
            f"{setting}: {type(network).__name__} fails on images of shape "
            f"{tuple(images.shape)}: {type(error).__name__}: {error}"
        ) from error
    finally:
        network.train(was_training)
    if setting == "classifier" and out.min() >= 0 and (out.sum(1) - 1).abs().max() < 1e-4:
        warnings.warn(
            f"classifier: {type(network).__name__} seems to return probabilities; it must "
            "return logits, so leave out its softmax",
            P2PSelectWarning,
            stacklevel=2,
        )


def _check_output(setting: str, out: Any, n_outputs: int) -> None:
    if not isinstance(out, Tensor):
        parts = [*out] if isinstance(out, dict) else getattr(out, "_fields", ())
        named = f" of {', '.join(map(str, parts))}" if parts else ""
        raise InputError(
            f"{setting} must be {_HOW[setting]}, one tensor; got a {type(out).__name__}"
            f"{named}: put the network into a module whose forward returns the tensor alone"
        )
    expected = (2, n_outputs)
    good = out.shape == expected if setting == "classifier" else out.shape[:2] == expected
    if not good or (setting == "selector" and (out.ndim != 4 or 0 in out.shape)):
        more = "" if setting == "classifier" else ", height, width"
        raise InputError(
            f"{setting} must be {_HOW[setting]}: for 2 images expected shape "
            f"(2, {n_outputs}{more}), got {tuple(out.shape)}"
        )
    if not out.is_floating_point():
        raise InputError(f"{setting} must return floating-point numbers, got {out.dtype}")
