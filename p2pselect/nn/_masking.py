"""The one place that knows what a mask does to an image: 1 keeps, 0 blackens."""

from __future__ import annotations

from torch import Tensor


def apply_mask(images: Tensor, pixel_masks: Tensor, fill_value: float = 0.0) -> Tensor:
    r"""Replace removed pixels, :math:`x_m = f + m (x - f)` (paper, section 3, with f = 0).

    Parameters
    ----------
    images : Tensor of shape (n, c, h, w)
        In [0, 1], before any normalization: black is 0.
    pixel_masks : Tensor of shape (n, h, w)
        In [0, 1]; 1 = kept.
    fill_value : float, default=0.0
        Value of removed pixels, in [0, 1].

    Returns
    -------
    Tensor of shape (n, c, h, w)
        The masked images.

    Examples
    --------
    >>> import torch
    >>> apply_mask(torch.ones(1, 1, 1, 3), torch.tensor([[[1.0, 0.0, 0.5]]])).flatten()
    tensor([1.0000, 0.0000, 0.5000])
    """
    masks = pixel_masks[:, None].to(images.dtype)
    if fill_value == 0:
        return images * masks
    return fill_value + masks * (images - fill_value)
