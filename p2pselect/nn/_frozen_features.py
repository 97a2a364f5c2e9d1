"""What the frozen part of a network says of images: each goes through it once.

That part is a function of its images, so that its results can be looked up by their content.
These are views, which come again in later epochs, and views under random masks, which another
training draws again.  A training sees the same numbers, rounded to 16 bits, whether they were
kept or had to be computed: what is kept decides about time and about nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from p2pselect.nn._frozen import heads_of
from p2pselect.nn._frozen_prefix import input_of
from p2pselect.nn._kept_features import KeptFeatures

#: Images that go through a network at once.  Always as many, because the last bits of a result
#: can depend on that number (but not on the images beside it).
_AT_ONCE = 8


@dataclass(frozen=True)
class Layout:
    """How the tensors that enter a head lie in the bytes that are kept for an image."""

    #: Their names where the head takes a dict; None where it takes a single tensor.
    names: tuple[str, ...] | None
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, features: Any) -> Layout | None:
        """That of the features of one image or more; None where the head takes other things."""
        names = tuple(features) if isinstance(features, dict) else None
        tensors = list(features.values()) if isinstance(features, dict) else [features]
        if not all(isinstance(t, Tensor) and t.is_floating_point() for t in tensors):
            return None
        return cls(names, tuple(tuple(t.shape[1:]) for t in tensors))

    def pack(self, features: Any) -> list[bytes]:
        """Bytes for every image; 16 bits a number, unless one of them is too large for that."""
        tensors = [features] if self.names is None else list(features.values())
        rows = torch.cat([t.float().flatten(1) for t in tensors], dim=1).cpu().numpy()
        with np.errstate(over="ignore"):
            halves = rows.astype(np.float16)
        finite: np.ndarray = np.asarray(np.isfinite(halves).all(axis=1))
        return [
            (half if good else row).tobytes()
            for half, row, good in zip(halves, rows, finite, strict=True)
        ]

    def unpack(self, packed: Sequence[bytes], device: torch.device) -> Any:
        """The features of these images, float32."""
        sizes = [int(np.prod(shape)) for shape in self.shapes]
        rows = np.empty((len(packed), sum(sizes)), np.float32)
        for row, values in zip(rows, packed, strict=True):
            row[:] = np.frombuffer(
                values, np.float16 if len(values) < row.nbytes else np.float32
            )
        parts = torch.from_numpy(rows).to(device).split(sizes, dim=1)
        tensors = [
            _laid_out(part.reshape(-1, *shape))
            for part, shape in zip(parts, self.shapes, strict=True)
        ]
        return tensors[0] if self.names is None else dict(zip(self.names, tensors, strict=True))


class FrozenPart:
    """The part of a network before its head, whose results are kept.

    ``forward`` maps images (n, 3, h, w) in [0, 1] to what ``network`` says of them;
    ``settings`` is a text with what decides about that besides ``network``.
    """

    def __init__(
        self,
        network: nn.Module,
        forward: Callable[[Tensor], Any],
        settings: str,
        kept: KeptFeatures,
    ):
        self.network = network
        self.forward = forward
        self.settings = settings
        self.kept = kept
        self._heads = heads_of(network)
        own = {module for head in self._heads for module in head.modules()}
        self._modules = {n: m for n, m in network.named_modules() if m not in own}
        self._state: Any = None
        self._fingerprint = b""
        self._layout: Layout | None = None

    @property
    def head(self) -> nn.Module:
        """The part that learns."""
        return self._heads[0]

    def features_of(self, images: Tensor, come_again: bool) -> Any:
        """What enters the head for these images; None where that is not kept.

        Images of the present step are kept, and others if they are said to ``come_again``.
        """
        if not self.kept.are_of(images):
            # From a GPU, they would have to be fetched to be looked up.
            if not come_again or images.device.type != "cpu":
                return None
        if len(self._heads) != 1 or not self._is_frozen():
            return None
        self._look_at_network(images)
        if self._layout is None:
            return None
        keys = self.kept.keys(self._fingerprint, images)
        found = self.kept.get(keys)
        missing = {key: row for row, key in enumerate(keys) if key not in found}
        if missing:
            new = self._computed(images, list(missing.values()))
            values = dict(zip(missing, new, strict=True))
            self.kept.put(values)
            found |= values
        return self._layout.unpack([found[key] for key in keys], images.device)

    def _is_frozen(self) -> bool:
        return not any(
            module.training or any(p.requires_grad for p in module.parameters(recurse=False))
            for module in self._modules.values()
        )

    def _tensors(self) -> list[tuple[str, Tensor]]:
        return [
            (f"{place}.{name}", tensor)
            for place, module in self._modules.items()
            for tensors in (module.named_parameters, module.named_buffers)
            for name, tensor in tensors(recurse=False)
        ]

    def _look_at_network(self, images: Tensor) -> None:
        """Find out what tells this network from others, unless it is as it was."""
        tensors = self._tensors()
        state = [images.shape[1:], *((t.data_ptr(), t._version) for _, t in tensors)]
        if state == self._state:
            return
        self._state = state
        noise = torch.rand(1, *images.shape[1:], generator=torch.Generator().manual_seed(0))
        noise = noise.to(images.device)
        given = self._before_head(noise) if self._head_is_last(noise) else None
        self._layout = None if given is None else Layout.of(given)
        if self._layout is None:
            return
        digest = hashlib.sha256(f"{self.settings}|{self._layout}|{torch.__version__}|".encode())
        for name, tensor in tensors:
            digest.update(f"{name}|{tuple(tensor.shape)}|{tensor.dtype}|".encode())
            digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
        # Networks can differ in more than their weights: in what they do to an image.
        for value in self._layout.pack(given):
            digest.update(value)
        self._fingerprint = digest.digest()

    def _computed(self, images: Tensor, rows: list[int]) -> list[bytes]:
        assert self._layout is not None
        packed: list[bytes] = []
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            filled = some + some[-1:] * (_AT_ONCE - len(some))
            given = self._before_head(images[filled])
            packed += self._layout.pack(given)[: len(some)]
        return packed

    def _before_head(self, images: Tensor) -> Any:
        """What the head is given; None where it is given more than one thing."""
        with torch.no_grad():
            return input_of(self.head, self.forward, images)

    def _head_is_last(self, images: Tensor) -> bool:
        """Whether what the head says is what the network says."""
        outputs: list[Any] = []
        handles = [
            module.register_forward_hook(lambda *call: outputs.append(call[-1]))
            for module in (self.head, self.network)
        ]
        training = {module: module.training for module in self.head.modules()}
        try:
            self.head.eval()  # a trial must not touch its batch statistics
            with torch.no_grad():
                self.forward(images)
        finally:
            for module, flag in training.items():
                module.training = flag
            for handle in handles:
                handle.remove()
        return len(outputs) == 2 and outputs[0] is outputs[1]


def _laid_out(values: Tensor) -> Tensor:
    # As the layers before the head would have left it.
    return values.contiguous(memory_format=torch.channels_last) if values.ndim == 4 else values
