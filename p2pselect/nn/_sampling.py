"""Random masks that gradients pass through."""

from __future__ import annotations

import torch
from torch import Tensor


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
