"""The terms that objectives are made of: one function, one formula each.

Every term gives one value per image, so that sample weights and reports mean the same thing for
all of them.  Schedules map the progress of a phase, in [0, 1], to a value.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from p2pselect.images._geometry import FORBIDDEN, WANTED
from p2pselect.nn import region_areas


def expected_kept_fraction(probs: Tensor, areas: Tensor) -> Tensor:
    r"""Expected fraction of the pixels that are kept (section 3).

    :math:`\bar p = \frac{1}{HW} \sum_j p_j |R_j|`

    Parameters
    ----------
    probs : Tensor of shape (n, d)
        Selection probabilities in [0, 1].
    areas : Tensor of shape (n, d)
        Number of pixels of every region; padding has 0 and takes no part.

    Returns
    -------
    Tensor of shape (n,)
        In [0, 1].

    Examples
    --------
    >>> expected_kept_fraction(torch.tensor([[0.5, 1.0]]), torch.tensor([[30.0, 10.0]]))
    tensor([0.6250])
    """
    return (probs * areas).sum(dim=1) / areas.sum(dim=1)


def sparsity_hinge(p_bar: Tensor, tau: Tensor, eps: float = 1e-6) -> Tensor:
    r"""Masking loss: 0 up to tau, :math:`-\log\frac{1 - \bar p}{1 - \tau}` above.

    Equation 3 up to the constant :math:`\log(1 - \tau)`, which makes it continuous at tau
    and leaves the gradient as it is.

    Parameters
    ----------
    p_bar : Tensor of shape (n,)
        Expected fraction of the pixels that are kept, in [0, 1].
    tau : Tensor of shape (n,)
        In [0, 1].
    eps : float, default=1e-6
        Keeps the value finite as ``p_bar`` goes to 1.

    Returns
    -------
    Tensor of shape (n,)
        Not negative.

    Examples
    --------
    >>> tau = torch.tensor([0.2, 0.2])
    >>> sparsity_hinge(torch.tensor([0.1, 0.6]), tau)
    tensor([0.0000, 0.6931])
    """
    return torch.relu(torch.log1p(eps - tau) - torch.log1p(eps - p_bar))


def covariance_penalty(embeddings: Tensor, areas: Tensor) -> Tensor:
    r"""Mean absolute entry of :math:`\Sigma = E^\top E` over an image's own regions.

    Equation 5 writes :math:`\|\Sigma\|_1`; as in the released code, the mean over the
    :math:`D^2` entries is taken, so that the weight does not depend on D.

    Parameters
    ----------
    embeddings : Tensor of shape (n, k, d)
        The k numbers of each of d regions.
    areas : Tensor of shape (n, d)
        Number of pixels; regions of area 0 are padding and take no part.

    Returns
    -------
    Tensor of shape (n,)
        Not negative.

    Examples
    --------
    >>> embeddings = torch.tensor([[[1.0, -1.0], [0.0, 2.0]]])
    >>> covariance_penalty(embeddings, areas=torch.tensor([[4.0, 5.0]]))
    tensor([2.])
    """
    present = (areas > 0).to(embeddings.dtype)
    own = embeddings * present[:, None]
    covariance = torch.bmm(own.transpose(1, 2), own)
    return covariance.abs().sum(dim=(1, 2)) / present.sum(dim=1).square()


def monte_carlo_cross_entropy(
    logits: Tensor,
    target: Tensor,
    label_smoothing: float = 0.0,
    label_weight: Tensor | None = None,
) -> Tensor:
    r"""Cross-entropy of the mean probability over sampled masks.

    :math:`-\log \bar p_y` with :math:`\bar p = \frac{1}{S} \sum_s p(\cdot \mid x_{m_s})`,
    computed as a logsumexp of log-softmax values (first term of equation 5).  Smoothed labels
    make it :math:`-(1 - \epsilon) \log \bar p_y - \frac{\epsilon}{C} \sum_c \log \bar p_c`
    (Szegedy et al. 2016, section 7).

    Where an image has any number of labels, every label is a question of its own with two
    answers, of the logits 0 and :math:`z`, and so of the probabilities :math:`1 - \sigma(z)`
    and :math:`\sigma(z)`: the result is the sum of the cross-entropies of all labels.

    Parameters
    ----------
    logits : Tensor of shape (s, n, n_classes)
        For ``s`` sampled masks.
    target : Tensor of shape (n,) or (n, n_classes), int64
        Class numbers; or 1 for every label that an image has, and 0 for the others.
    label_smoothing : float, default=0.0
        :math:`\epsilon` in [0, 1).
    label_weight : Tensor of shape (n_classes, 2) or (n, n_classes, 2), optional
        Weight of the absence of every label, and of its presence; or those of every image.

    Returns
    -------
    Tensor of shape (n,)
        In nats.

    Examples
    --------
    >>> logits = torch.log(torch.tensor([[[0.9, 0.1]], [[0.1, 0.9]]]))
    >>> monte_carlo_cross_entropy(logits, torch.tensor([0]))
    tensor([0.6931])
    >>> monte_carlo_cross_entropy(torch.zeros(1, 1, 2), torch.tensor([[0, 1]]))
    tensor([1.3863])
    """
    if target.ndim == 2:
        logits = torch.stack([torch.zeros_like(logits), logits], dim=2)
    # Up to log S, which the softmax of the next line removes.
    log_mean = F.log_softmax(logits, dim=2).logsumexp(dim=0)
    terms = F.cross_entropy(log_mean, target, reduction="none", label_smoothing=label_smoothing)
    if target.ndim == 1:
        return terms
    if label_weight is not None:
        terms = terms * torch.where(target > 0, label_weight[..., 1], label_weight[..., 0])
    return terms.sum(dim=1)


def evidence_penalty(logits: Tensor, regions: Tensor, masks: Tensor) -> Tensor:
    r"""What is selected against what people say about the evidence.

    .. math:: -\log \Bigl(1 - \frac{\sum_j |R_j \cap F| p_j}{\sum_j |R_j| p_j}\Bigr)
              - \frac 1 {|W|} \sum_j |R_j \cap W| \log p_j

    The first term counts how much of what is kept is expected to be forbidden (F), whatever
    the kept area is: it is no reason to keep less.  The second one counts the wanted pixels
    (W) that are not kept.  "Right for the right reasons" (Ross, Hughes & Doshi-Velez, 2017)
    penalizes the input gradients of a classifier where people say that they should be 0; here,
    the classifier sees nothing but what is selected, so that the selection is penalized.

    Parameters
    ----------
    logits : Tensor of shape (n, d)
        Of the selection probabilities p.
    regions : Tensor of shape (n, h, w), int64
        Label maps; -1 for pixels that belong to no region and do not count.
    masks : Tensor of shape (n, h, w), uint8
        0 for pixels that are forbidden, 2 for those that are wanted, 1 for all others.

    Returns
    -------
    Tensor of shape (n,)
        In nats; 0 for images of which no pixel is forbidden or wanted.  In a view of which
        every pixel is forbidden, because it is cut from an image, nothing is.

    Examples
    --------
    >>> regions = torch.tensor([[[0, 0, 1, 1]]])
    >>> masks = torch.tensor([[[0, 0, 1, 1]]], dtype=torch.uint8)
    >>> evidence_penalty(torch.tensor([[0.0, 0.0]]), regions, masks)
    tensor([0.6931])
    """

    def pixels(of_interest: Tensor) -> Tensor:
        counts = region_areas(regions.masked_fill(~of_interest, -1))
        # The last regions of the batch may have no such pixel.
        return F.pad(counts, (0, logits.shape[1] - counts.shape[1]))

    areas, allowed, wanted = (
        pixels(mask) for mask in (masks >= FORBIDDEN, masks != FORBIDDEN, masks == WANTED)
    )
    allowed = torch.where(allowed.any(dim=1, keepdim=True), allowed, areas)
    log_probs = F.logsigmoid(logits)
    # As a difference of logarithms, which stays finite where hardly anything is kept.
    kept, right = ((log_probs + part.log()).logsumexp(dim=1) for part in (areas, allowed))
    missing = -(wanted * log_probs).sum(dim=1) / wanted.sum(dim=1).clamp(min=1)
    return kept - right + missing


def sparsity_schedule(progress: float) -> float:
    """Factor on the sparsity weight: .01 up to a tenth, linear to 1 at half, then 1.

    As in the released code; the paper only says that the weight "anneals" (section 4).

    Parameters
    ----------
    progress : float
        Of the phase, in [0, 1].

    Returns
    -------
    float
        In [.01, 1].

    Examples
    --------
    >>> [sparsity_schedule(progress) for progress in (0.0, 0.1, 0.5)]
    [0.01, 0.01, 1.0]
    """
    if progress < 0.1:
        return 0.01
    return min(1.0, 0.01 + 0.99 * (progress - 0.1) / 0.4)


def geometric_schedule(start: float, end: float, progress: float, until: float = 0.5) -> float:
    """Value that changes geometrically from ``start`` to ``end`` by ``until``, then stays.

    Parameters
    ----------
    start, end : float
        Positive.
    progress : float
        Of the phase, in [0, 1].
    until : float, default=0.5
        Progress at which the end is reached.

    Returns
    -------
    float
        The value at this point.

    Examples
    --------
    >>> [geometric_schedule(1.0, 0.25, progress) for progress in (0.0, 0.25, 0.5, 1.0)]
    [1.0, 0.5, 0.25, 0.25]
    """
    return start * (end / start) ** min(1.0, progress / until)
