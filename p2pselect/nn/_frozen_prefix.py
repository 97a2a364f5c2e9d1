"""Frozen first layers without the cost of gradients that nothing asks for.

Where a selector learns through a classifier, gradients have to pass the classifier's first
layers even if these are frozen, but only for images whose masks the selector chose.  The others
go through those layers by themselves, and both meet before the first layer that learns, or
before the head: batch statistics are those of all images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


def find_joint(
    whole: nn.Module, network: nn.Module, learning: nn.Module, images: Tensor
) -> nn.Module | None:
    """The innermost module around a learning layer through which all that is seen must pass.

    It is tried out: given what it gets for some images, the ``network`` must say of others
    what it says of those.  None where only the ``whole`` network is like that.
    """
    around = [m for m in whole.modules() if any(inner is learning for inner in m.modules())]
    training = {module: module.training for module in network.modules()}
    try:
        network.eval()  # a trial must not touch batch statistics
        with torch.no_grad():
            expected = network(images)
            for module in reversed(around[1:]):
                given = input_of(module, network, images)
                if not isinstance(given, Tensor):
                    continue
                if torch.equal(_said_instead(network, module, given, images), expected):
                    return module
    finally:
        for module, flag in training.items():
            module.training = flag
    return None


def _said_instead(
    network: nn.Module, module: nn.Module, given: Tensor, images: Tensor
) -> Tensor:
    """What a network says of other images, of another number, with a module's input given."""
    try:
        with replaced_input(module, lambda _: given):
            return network(images[1:])
    except Exception:  # the rest of a network, about numbers of images that do not fit
        return given.new_empty(0)


def join_rows(
    forward: Callable[[Tensor], Any],
    joint: nn.Module,
    images: Tensor,
    fixed: Tensor,
    known: Tensor | None = None,
) -> Any:
    """What ``forward`` makes of images, with gradients to those that are not ``fixed``.

    ``known`` is what the joint is given for those that are, where they have been seen before.
    """
    without = known
    if without is None:
        with torch.no_grad():
            without = input_of(joint, forward, images[fixed])
    order = torch.cat([fixed.nonzero()[:, 0], (~fixed).nonzero()[:, 0]]).argsort()
    with replaced_input(joint, lambda given: torch.cat([without, given])[order]):
        return forward(images[~fixed])


def input_of(module: nn.Module, forward: Callable[[Tensor], Any], images: Tensor) -> Any:
    """The one thing that a module is given on the way; None where it is given more."""
    calls: list[Any] = []

    def note(_: nn.Module, args: Any, options: Any) -> None:
        calls.append((args, options))
        raise _Reached

    handle = module.register_forward_pre_hook(note, with_kwargs=True)
    try:
        forward(images)
    except _Reached:
        pass
    finally:
        handle.remove()
    alone = len(calls) == 1 and len(calls[0][0]) == 1 and not calls[0][1]
    return calls[0][0][0] if alone else None


@contextmanager
def replaced_input(module: nn.Module, replace: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Inside, a module gets something else than it is given."""
    handle = module.register_forward_pre_hook(lambda _, args: (replace(*args),))
    try:
        yield
    finally:
        handle.remove()


class _Reached(Exception):
    """The rest of a forward pass is not needed."""
