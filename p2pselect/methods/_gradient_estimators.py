"""Gradients through binary masks: of E[reward(s)] in l, where s ~ Bernoulli(sigmoid(l)).

Logits and masks have the shape (n, d); ``present`` (n, d) is 0 for padding.  An estimator
returns a surrogate (n,) to maximize, of which only the gradient means something.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

#: Maps masks (n, d) in [0, 1] to a reward (n,) per image.
Reward = Callable[[Tensor], Tensor]


def bernoulli_log_prob(logits: Tensor, masks: Tensor, present: Tensor) -> Tensor:
    """Log-probability of binary masks under independent Bernoullis, (n, d) -> (n,)."""
    # logsigmoid, because the logarithm of a sigmoid that is rounded to 0 is infinite.
    log_prob = masks * F.logsigmoid(logits) + (1 - masks) * F.logsigmoid(-logits)
    return (log_prob * present).sum(dim=1)


def sample_bernoulli(logits: Tensor, uniform: Tensor) -> Tensor:
    """Binary masks of probability sigmoid(logits), from uniform numbers; without a gradient."""
    return (uniform < logits.detach().sigmoid()).to(logits.dtype)


def reinforce(logits: Tensor, masks: Tensor, reward: Tensor, present: Tensor) -> Tensor:
    r"""REINFORCE: the reward (n,), a constant, times the log-probability of sampled masks."""
    return reward.detach() * bernoulli_log_prob(logits, masks, present)


def rebar(
    logits: Tensor,
    reward: Reward,
    present: Tensor,
    u: Tensor,
    v: Tensor,
    temperature: float = 0.1,
) -> Tensor:
    r"""REBAR (Tucker et al., 2017), with one sample and three calls of the reward.

    With :math:`u, v` uniform, :math:`z = l + \operatorname{logit}(u)`, the mask
    :math:`s = 1[z > 0]`, :math:`\tilde z` a draw of z given s, and the relaxed rewards
    :math:`c = F(\sigma(z / T))`, :math:`\tilde c = F(\sigma(\tilde z / T))`, the surrogate is

    .. math:: (F(s) - \tilde c)\, \log q(s) + c - \tilde c

    where the bracket is a constant and gradients flow through :math:`z` and
    :math:`\tilde z`.  It is unbiased at every temperature; the control-variate weight is 1.
    """
    u, v = u.clamp(1e-6, 1 - 1e-6), v.clamp(1e-6, 1 - 1e-6)
    z = logits + torch.logit(u)
    masks = (z > 0).to(logits.dtype).detach()
    q = torch.sigmoid(-logits)
    # A uniform number given the mask, which is 1 above q.  The gradient flows through q, too.
    given = masks * (q + v * (1 - q)) + (1 - masks) * v * q
    z_given = logits + torch.logit(given.clamp(1e-6, 1 - 1e-6))
    with torch.no_grad():
        hard = reward(masks)
    relaxed = reward(torch.sigmoid(z / temperature))
    relaxed_given = reward(torch.sigmoid(z_given / temperature))
    log_prob = bernoulli_log_prob(logits, masks, present)
    return (hard - relaxed_given).detach() * log_prob + relaxed - relaxed_given
