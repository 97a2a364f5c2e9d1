"""One radial basis function per image as a mask: its map, and the network that places it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def rbf_logits(centre: Tensor, sigma: Tensor, size: int) -> Tensor:
    r"""Logits of :math:`p = \exp(-r^2 / (2 \sigma^2))`, the probability to keep a pixel.

    In closed form, so that the gradient of sigma is exact; dividing a Gaussian density by
    its detached maximum, as is sometimes done, biases it.

    Parameters
    ----------
    centre : Tensor of shape (n, 2)
        Row and column in pixels; the middle of the first pixel is at 0.5.
    sigma : Tensor of shape (n,)
        In pixels.
    size : int
        Side of the map.

    Returns
    -------
    Tensor of shape (n, 1, size, size)
    """
    middle = torch.arange(size, device=centre.device, dtype=centre.dtype) + 0.5
    rows = (middle - centre[:, :1]).square()[:, :, None]
    columns = (middle - centre[:, 1:]).square()[:, None, :]
    exponent = (rows + columns) / (2 * sigma.square())[:, None, None]
    exponent = exponent.clamp(min=1e-6)  # p = 1 at the centre itself has no logit
    return (-exponent - torch.log(-torch.expm1(-exponent)))[:, None]


def sigma_of_area(area: float, size: int) -> float:
    """Sigma in pixels at which the mean of p over an open plane's square is ``area``."""
    return size * math.sqrt(area / (2 * math.pi))


class RBFSelector(nn.Module):
    """Places one radial basis function per image.

    Parameters
    ----------
    pixel_scorer : Module
        Maps images (n, 3, h, w) to maps: ``LINEAR_MAPS`` of them, or two.
    size : int
        Side of the images in pixels.
    sigma : float
        Where sigma starts, in pixels.
    centre : {"linear", "softargmax"}
        ``"linear"``: one full-size linear layer on the maps gives centre and sigma.
        ``"softargmax"``: the centre is the mean position under the softmax of the first
        map, sigma follows from the mean of the second.
    """

    LINEAR_MAPS = 8
    _SIDE = 8
    #: In shares of the side: how far centres go, and the step of one unit of the network.
    REACH, GAIN = 108 / 224, 50 / 224

    def __init__(self, pixel_scorer: nn.Module, size: int, sigma: float, centre: str):
        super().__init__()
        self.pixel_scorer = pixel_scorer
        self.size = size
        self.start = math.log(math.expm1(sigma)) if sigma < 30 else sigma
        self.centre = centre
        if centre == "linear":
            self.place = nn.Linear(self.LINEAR_MAPS * self._SIDE**2, 3)
            nn.init.normal_(self.place.weight, std=1e-3)
            nn.init.zeros_(self.place.bias)

    def parameters_of_rbf(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Centre (n, 2) and sigma (n,) in pixels."""
        maps = self.pixel_scorer(images)
        if self.centre == "linear":
            cells = F.adaptive_avg_pool2d(maps, self._SIDE).flatten(1)
            out = self.place(cells) * self.GAIN * self.size
            reach = self.REACH * self.size
            centre = self.size / 2 + reach * torch.tanh(out[:, :2] / reach)
            raw = out[:, 2]
        else:
            share = maps[:, 0].flatten(1).softmax(dim=1).view_as(maps[:, 0])
            centre = torch.stack([self._mean(share.sum(2)), self._mean(share.sum(1))], dim=1)
            raw = maps[:, 1].mean(dim=(1, 2)) * self.GAIN * self.size
        return centre, F.softplus(raw + self.start) + 1e-3

    def _mean(self, share: Tensor) -> Tensor:
        n = share.shape[1]
        middle = (torch.arange(n, device=share.device) + 0.5) * self.size / n
        return share @ middle

    def forward(self, images: Tensor) -> Tensor:
        """Map images (n, 3, h, w) in [0, 1] to logits (n, 1, size, size)."""
        return rbf_logits(*self.parameters_of_rbf(images), self.size)
