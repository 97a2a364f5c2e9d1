"""A network as everything else sees it: images in [0, 1] in, 32-bit numbers out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from p2pselect._fill import Fill
from p2pselect.exceptions import InputError, P2PSelectWarning, first_line
from p2pselect.nn._dilation import without_dilation
from p2pselect.nn._frozen import PartlyFrozen
from p2pselect.nn._frozen_features import FrozenPart
from p2pselect.nn._frozen_prefix import find_joint, join_rows
from p2pselect.nn._kept_features import KeptFeatures
from p2pselect.nn._token_dropping import forward_without, undimmed

#: Number type inside the networks, by name of the setting; None leaves it alone.
PRECISIONS: dict[str, torch.dtype | None] = {
    "32": None,
    "bf16-mixed": torch.bfloat16,
}


class ImageNetwork(PartlyFrozen):
    """A network that resizes and normalizes the images it is given.

    Black is 0 outside, whatever the normalization inside.  Layers that are replaced are
    replaced in a copy of ``network``.  ``mean`` and ``std`` are per channel, in units of the
    [0, 1] range, and repeated for more channels.  ``image_size`` is the side, or the
    height and width, in pixels at which the network sees the images; by default as they are.
    ``fill`` is what takes the place of the pixels that were removed from them.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        mean: Sequence[float] = (0.0,) * 3,
        std: Sequence[float] = (1.0,) * 3,
        image_size: int | tuple[int, int] | None = None,
        n_channels: int = 3,
    ):
        super().__init__()
        self.network = without_dilation(network)
        self.image_size = image_size
        self.precision = "32"  # one of PRECISIONS
        self.fill: Fill = "black"
        self._frozen_part: FrozenPart | None = None  # in a training that keeps its features
        self._found_joint: tuple[nn.Module, nn.Module | None] | None = None
        # Not saved: they come with the network when it is built again.
        self.normalize_by(repeated(mean, n_channels), repeated(std, n_channels))

    def normalize_by(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Take these constants for the channels."""
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    @property
    def n_channels(self) -> int:
        """How many channels the images have."""
        return len(self.mean)

    # Not in forward, which may be compiled.
    def __call__(
        self, images: Tensor, fixed: Tensor | None = None, masks: Tensor | None = None
    ) -> Any:
        """Map images; ``fixed``, bool of shape (n,), are those no gradient is asked for.

        They come again in another training.  ``masks`` (n, h, w) are what the images are
        behind, where patches are dropped.
        """
        part = self._frozen_part
        come_again = fixed is not None and bool(fixed.all())
        if come_again:
            images = images.detach()
        elif fixed is not None and fixed.any() and (joint := self._joint(images)) is not None:
            known = None
            if part is not None and joint is part.head:
                known = part.features_of(images[fixed].detach(), True)
            return join_rows(super().__call__, joint, images, fixed, known)
        if part is not None:
            features = part.features_of(images, come_again)
            if features is not None:
                return self._in_precision(part.head, features)
        if masks is not None:
            return super().__call__(images, masks)
        return super().__call__(images)

    def _joint(self, images: Tensor) -> nn.Module | None:
        """Where images that need gradients meet those that do not, behind frozen layers."""
        compiled: Any = self._compiled_call_impl
        if compiled or not self.frozen_share:
            return None
        if not images.requires_grad and self._frozen_part is None:
            return None
        if self.fill == "drop":  # the numbers of tokens would have to be the same
            return None
        learning = self.first_learning_layer()
        if self._found_joint is None or self._found_joint[0] is not learning:
            noise = torch.rand(3, *images.shape[1:], generator=torch.Generator().manual_seed(0))
            found = find_joint(self.network, self, learning, noise.to(images.device))
            self._found_joint = (learning, found)
        return self._found_joint[1]

    def forward(self, images: Tensor, masks: Tensor | None = None) -> Any:
        """Map images (n, c, h, w) in [0, 1] to whatever the network returns."""
        images = self._resized(images)
        if self.fill != "drop":
            return self._in_precision(self.network, (images - self.mean) / self.std)
        network: Any = self.network
        weights = None
        if masks is not None:
            masks = self._resized(masks[:, None])[:, 0]
            images, weights = undimmed(images, masks, network.patch_embed.patch_size)
        inputs = (images - self.mean) / self.std
        return self._in_precision(partial(forward_without, network), inputs, images, weights)

    def _resized(self, images: Tensor) -> Tensor:
        if self.image_size is None:
            return images
        # Antialiased: a small copy is an average of the image, not a sample.
        return F.interpolate(images, size=self.image_size, mode="bilinear", antialias=True)

    def _in_precision(self, network: Callable[..., Any], *inputs: Any) -> Any:
        dtype = PRECISIONS[self.precision]
        if dtype is None:
            return network(*inputs)
        with torch.autocast(self.mean.device.type, dtype):
            return network(*inputs).float()

    def keep_features(self, kept: KeptFeatures | None) -> None:
        """Look up what the frozen part says of images that were seen before; None ends this."""
        self._frozen_part = None
        # Where patches are dropped, the last bits of a result depend on the images beside it.
        if kept is not None and self.frozen_share == 1 and self.fill != "drop":
            settings = (
                f"{self.image_size}|{self.precision}|{self.mean.tolist()}|{self.std.tolist()}"
            )
            self._frozen_part = FrozenPart(self.network, self.forward, settings, kept)


@contextmanager
def keeping_features(model: nn.Module, kept: KeptFeatures | None) -> Iterator[None]:
    """Inside, wholly frozen networks of a model look up what they have said of an image."""
    networks = [module for module in model.modules() if isinstance(module, ImageNetwork)]
    try:
        for network in networks:
            network.keep_features(kept)
        yield
    finally:
        for network in networks:
            network.keep_features(None)


def as_image_network(network: nn.Module, n_channels: int = 3) -> ImageNetwork:
    """Put a network behind the mean and std of its own ``pretrained_cfg``."""
    config = getattr(network, "pretrained_cfg", None) or {}
    mean, std = config.get("mean", (0.0,) * 3), config.get("std", (1.0,) * 3)
    return ImageNetwork(network, mean, std, n_channels=n_channels)


def repeated(constants: Sequence[float], n_channels: int) -> list[float]:
    """One constant per channel, taken in turn, as timm repeats weights for more channels."""
    return [constants[i % len(constants)] for i in range(n_channels)]


def prepare_networks(
    model: nn.Module, precision: str, compiled: bool, image_size: tuple[int, int]
) -> None:
    """Set the precision of the networks of a model, and compile them for images of a size.

    On a machine that cannot compile (without a C++ compiler, for example) a warning is given
    and the networks stay as they are.
    """
    networks = [module for module in model.modules() if isinstance(module, ImageNetwork)]
    for network in networks:
        network.precision = precision
        if compiled and network.fill == "drop":
            raise InputError(
                "training__compile=True needs shapes that stay the same, which those of "
                "networks__fill='drop' do not; set one of them otherwise"
            )
        if compiled:
            _compile(network, image_size)


def _compile(network: ImageNetwork, image_size: tuple[int, int]) -> None:
    training = network.training
    network.eval()  # a trial must not touch the batch statistics
    network.compile()
    try:
        with torch.no_grad():
            network(torch.zeros(2, network.n_channels, *image_size, device=network.mean.device))
    except Exception as error:
        # What compile() has set; torch has no public way back.
        network._compiled_call_impl = None
        warnings.warn(
            "compile=True: the networks run uncompiled, torch.compile says: "
            f"{first_line(error)}",
            P2PSelectWarning,
            stacklevel=2,
        )
    network.train(training)
