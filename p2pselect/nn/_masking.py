"""Between pixels and regions: scores, random masks, and what a mask does to an image.

A mask is 1 where something is kept.  Images with fewer regions than others are padded with
regions of area 0.  Pixels with the label -1, the padding beside an image, belong to no region:
they count nowhere and are never kept.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from p2pselect._fill import Fill, filled


def region_areas(regions: Tensor) -> Tensor:
    """Count the pixels of every region.

    Parameters
    ----------
    regions : Tensor of shape (n, h, w), int64
        Label maps; -1 for pixels that belong to no region.

    Returns
    -------
    Tensor of shape (n, d), float32
        The width d is the largest number of regions of an image; 0 for labels that an image
        lacks.

    Examples
    --------
    >>> region_areas(torch.tensor([[[0, 0, 1]], [[0, 0, 0]]]))
    tensor([[2., 1.],
            [3., 0.]])
    """
    # One column more, which the pixels without a region get; it is dropped in the end.
    n, d = len(regions), int(regions.max()) + 2
    # With the labels of image i moved up by i * d, one call counts for all images.
    flat = regions.flatten(1) + (1 + d * torch.arange(n, device=regions.device)[:, None])
    return torch.bincount(flat.flatten(), minlength=n * d).view(n, d)[:, 1:].float()


def region_mean(maps: Tensor, regions: Tensor, areas: Tensor) -> Tensor:
    r"""Mean of every map over every region (paper, section 3, :math:`\mu_j` and :math:`E_j`).

    Parameters
    ----------
    maps : Tensor of shape (n, k, h', w')
        At any resolution; they are interpolated bilinearly to that of the regions.
    regions : Tensor of shape (n, h, w), int64
        Label maps; -1 for pixels that belong to no region.
    areas : Tensor of shape (n, d)
        From :func:`region_areas`.

    Returns
    -------
    Tensor of shape (n, k, d)
        0 for regions that an image lacks.

    Examples
    --------
    >>> regions = torch.tensor([[[0, 0, 1]]])
    >>> region_mean(torch.tensor([[[[1.0, 3.0, 5.0]]]]), regions, region_areas(regions))
    tensor([[[2., 5.]]])
    """
    if maps.shape[-2:] != regions.shape[-2:]:
        maps = upsample(maps, regions.shape[-2], regions.shape[-1])
    n, k = maps.shape[:2]
    index = (regions.flatten(1) + 1)[:, None].expand(-1, k, -1)
    # The first column is that of pixels without a region.
    sums = maps.new_zeros(n, k, areas.shape[1] + 1).scatter_add(2, index, maps.flatten(2))
    return sums[..., 1:] / areas[:, None].clamp(min=1)


def upsample(maps: Tensor, height: int, width: int) -> Tensor:
    """Bilinear interpolation to (height, width), as ``F.interpolate`` with aligned edges off.

    Two products with interpolation matrices: for the few maps of a selector several times
    faster on a CPU, forward and backward.
    """
    rows = _interpolation(maps.shape[-2], height, maps.device)
    columns = _interpolation(maps.shape[-1], width, maps.device)
    return rows.T @ (maps @ columns)


@lru_cache(maxsize=32)
def _interpolation(n_in: int, n_out: int, device: torch.device) -> Tensor:
    # Kept between calls, so it must not be born as an inference tensor.
    with torch.inference_mode(False):
        identity = torch.eye(n_in, device=device)[None]
        return F.interpolate(identity, size=n_out, mode="linear", align_corners=False)[0]


def sample_logits(mean: Tensor, embeddings: Tensor, noise: Tensor) -> Tensor:
    r"""Sample region logits from :math:`N(\mu, E^\top E)` (paper, section 3).

    :math:`\mu + E^\top \varepsilon` with :math:`\varepsilon \sim N(0, I_k)` has exactly that
    distribution; no factorization of the singular (d, d) covariance is needed.

    Parameters
    ----------
    mean : Tensor of shape (n, d)
        Selection logits.
    embeddings : Tensor of shape (n, k, d)
        The k numbers of every region.
    noise : Tensor of shape (n, k)
        Standard normal, such as ``step.randn_like(embeddings[:, :, 0])``.

    Returns
    -------
    Tensor of shape (n, d)
        Sampled logits.

    Examples
    --------
    >>> mean, embeddings = torch.tensor([[1.0, -1.0]]), torch.tensor([[[0.5, 0.25]]])
    >>> sample_logits(mean, embeddings, torch.tensor([[2.0]]))
    tensor([[ 2.0000, -0.5000]])
    """
    return mean + torch.einsum("nk,nkd->nd", noise, embeddings)


def relaxed_bernoulli(
    logits: Tensor, uniform: Tensor, temperature: float, straight_through: bool = False
) -> Tensor:
    r"""Sample a relaxed Bernoulli (binary concrete) variable per logit.

    :math:`m = \operatorname{sigmoid}((\ell + \log u - \log(1 - u)) / T)`, u uniform
    (Maddison et al., 2017, appendix C.3.2; Jang et al., 2017).

    Parameters
    ----------
    logits : Tensor of any shape
        Logits of the probabilities.
    uniform : Tensor of the same shape
        Random numbers u, uniform in (0, 1), such as ``step.rand_like(logits)``.
    temperature : float
        T > 0; towards 0 the samples become binary.
    straight_through : bool, default=False
        Return 0 or 1, with the gradient of the relaxed sample.

    Returns
    -------
    Tensor of the same shape
        Samples in [0, 1].

    Examples
    --------
    >>> logits, uniform = torch.tensor([0.0, 0.0]), torch.tensor([0.25, 0.75])
    >>> relaxed_bernoulli(logits, uniform, temperature=1.0)
    tensor([0.2500, 0.7500])
    >>> relaxed_bernoulli(logits, uniform, temperature=1.0, straight_through=True)
    tensor([0., 1.])
    """
    soft = torch.sigmoid((logits + torch.logit(uniform, eps=1e-6)) / temperature)
    if not straight_through:
        return soft
    # The bracket is exactly 0: a removed region must not shine through by a rounding error.
    return (soft > 0.5).to(soft.dtype) + (soft - soft.detach())


def to_pixels(values: Tensor, regions: Tensor, outside: float = 0.0) -> Tensor:
    """Give every pixel the value of its region.

    Parameters
    ----------
    values : Tensor of shape (n, d)
        One per region, for example a mask.
    regions : Tensor of shape (n, h, w), int64
        Label maps; -1 for pixels that belong to no region.
    outside : float, default=0.0
        Value of pixels that belong to no region.

    Returns
    -------
    Tensor of shape (n, h, w)
        A value per pixel.

    Examples
    --------
    >>> to_pixels(torch.tensor([[0.0, 1.0]]), torch.tensor([[[0, 0, 1]]]))
    tensor([[[0., 0., 1.]]])
    """
    values = F.pad(values, (1, 0), value=outside)
    return values.gather(1, regions.flatten(1) + 1).view(regions.shape)


def apply_mask(images: Tensor, pixel_masks: Tensor, fill: Fill = "black") -> Tensor:
    r"""Replace removed pixels, :math:`x_m = m x + (1 - m) f` (paper, section 3, with f = 0).

    Parameters
    ----------
    images : Tensor of shape (n, c, h, w)
        In [0, 1], before any normalization: black is 0.
    pixel_masks : Tensor of shape (n, h, w)
        In [0, 1]; 1 = kept.
    fill : {"black", "blur", "noise", "drop"} or tuple of float, default="black"
        What takes the place of removed pixels: see ``fill`` of
        :class:`~p2pselect.estimators.NetworkOptions`.  Numbers in [0, 1] are the value of all
        channels, or of each.  ``"drop"`` is black: the network leaves out what is black.

    Returns
    -------
    Tensor of shape (n, c, h, w)
        The masked images.

    Examples
    --------
    >>> apply_mask(torch.ones(1, 1, 1, 3), torch.tensor([[[1.0, 0.0, 0.5]]])).flatten()
    tensor([1.0000, 0.0000, 0.5000])
    >>> apply_mask(torch.ones(1, 1, 1, 2), torch.tensor([[[1.0, 0.0]]]), (0.25,)).flatten()
    tensor([1.0000, 0.2500])
    """
    return filled(images, pixel_masks[:, None].to(images.dtype), fill)
