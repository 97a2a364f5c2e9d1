"""The whole loss of P2P and of the methods without a teacher, one image and region at a time.

Everything is written as the formulas are, in double precision, with the random numbers given.
``select`` maps an image (3, h, w) to maps (k, h, w) and ``classify`` to logits; ``labels``
(h, w) are the regions of an image.  Every loss is that of one image, except where it says
otherwise; gradients are autograd's.
"""

import math

import torch

EPS = 1e-6


# -- what all methods are made of ---------------------------------------------------------


def n_regions(labels):
    return int(labels.max()) + 1


def areas(labels):
    return [int((labels == j).sum()) for j in range(n_regions(labels))]


def region_scores(maps, labels):
    """Mean of every map over every region, (k, h, w) -> (k, d)."""
    means = [maps[:, labels == j].mean(dim=1) for j in range(n_regions(labels))]
    return torch.stack(means, dim=1)


def pixels(values, labels):
    """The value of every pixel's region."""
    total = torch.zeros(labels.shape, dtype=torch.float64)
    for j in range(n_regions(labels)):
        total = total + values[j] * (labels == j)
    return total


def masked(image, labels, mask):
    """Kept regions on black."""
    return pixels(mask, labels) * image


def cross_entropy(logits, label):
    return logits.exp().sum().log() - logits[label]


def kept_fraction(probs, labels):
    return sum(p * a for p, a in zip(probs, areas(labels), strict=True)) / labels.numel()


def area_penalty(kept, tau):
    """All that is kept, or what of it lies beyond tau."""
    return kept if tau is None else torch.clamp(kept - tau, min=0)


def sigmoid(x):
    return 1 / (1 + torch.exp(-x))


def logit(p):
    return torch.log(p / (1 - p))


def relaxed(logits, uniform, temperature):
    """Binary concrete variables."""
    return sigmoid((logits + logit(uniform)) / temperature)


# -- P2P ----------------------------------------------------------------------------------


def ramp(progress):
    """Factor of lambda_1: a hundredth, from a tenth of training on linear to 1 at half."""
    if progress < 0.1:
        return 0.01
    if progress >= 0.5:
        return 1.0
    return 0.01 + (1 - 0.01) * (progress - 0.1) / (0.5 - 0.1)


def annealed(start, end, progress):
    """From start to end by equal factors in the first half of training."""
    return end if progress >= 0.5 else start * (end / start) ** (2 * progress)


def p2p(select, classify, offset, image, labels, label, tau, noise, uniform, progress, **s):
    """Equation 5 for one image; ``noise`` (s, k) and ``uniform`` (s, d) of s samples.

    Returns the cross-entropy, of ``random_masks`` in the place of sampled ones where there are
    any, and the penalties.
    """
    scores = region_scores(select(image), labels) + offset(tau)[:, None]
    mu, embeddings = scores[0], scores[1:]
    temperature = annealed(s["temperature"], s["final_temperature"], progress)
    likelihood = 0.0
    for sample, (eps, u) in enumerate(zip(noise, uniform, strict=True)):
        z = mu
        for k in range(len(embeddings)):
            z = z + eps[k] * embeddings[k]
        mask = relaxed(z, u[: len(mu)], temperature)
        if s["straight_through"]:
            mask = (mask > 0.5).double() + mask - mask.detach()
        if s["random_masks"]:
            mask = s["random_masks"][sample]
        logits = classify(masked(image, labels, mask))
        likelihood = likelihood + torch.exp(-cross_entropy(logits, label)) / len(uniform)
    penalty = 0.0
    p_bar = kept_fraction(sigmoid(mu), labels)
    if p_bar > tau:
        hinge = -torch.log((1 - p_bar + EPS) / (1 - tau + EPS))
        penalty = s["sparsity_weight"] * ramp(progress) * hinge
    d = len(mu)
    covariance = 0.0
    for i in range(d):
        for j in range(d):
            covariance = covariance + torch.abs(embeddings[:, i] @ embeddings[:, j]) / d**2
    return -torch.log(likelihood), penalty + s["covariance_weight"] * covariance


def logit_offset(raw_slope, n_maps):
    """tau enters the logits as s * logit(tau), s = softplus(raw), up to tau = .995."""

    def offset(tau):
        slope = torch.log(1 + torch.exp(raw_slope))
        first = slope * math.log(min(tau, 0.995) / (1 - min(tau, 0.995)))
        return torch.stack([first] + [torch.zeros_like(first)] * (n_maps - 1))

    return offset


def random_masks(classify, image, labels, label, rate, uniform):
    """The classifier on regions kept with one probability each: warm-up, REAL-X's first."""
    mask = [float(uniform[j] < rate) for j in range(n_regions(labels))]
    return cross_entropy(classify(masked(image, labels, mask)), label)


def mask_of_any_shape(labels, min_share, share, piece, uniform):
    """A random mask, from a uniform number for its area, its kind, and one for every region."""
    d, sizes = n_regions(labels), areas(labels)
    places = [torch.nonzero(labels == j).double().mean(dim=0) for j in range(d)]
    present = [j for j in range(d) if sizes[j]]
    order = sorted(present, key=lambda j: float(uniform[j]))
    if piece < 0.5:
        start = places[order[0]]
        order.sort(key=lambda j: math.dist(places[j], start) + float(uniform[j]))
    mask, used = [0.0] * d, 0
    for position, j in enumerate(order):
        used += sizes[j]
        if used > (min_share + (1 - min_share) * share) * sum(sizes) and position:
            break
        mask[j] = 1.0
    return mask


def given_mask(classify, image, labels, label, mask):
    return cross_entropy(classify(masked(image, labels, mask)), label)


# -- whole and thinned images -------------------------------------------------------------


def full_image(classify, image, label):
    return cross_entropy(classify(image), label)


def lattice_place(row, column):
    """Where a pixel comes in the order of the lattice, in [0, 1)."""
    number = (13 * round(row) + round(column)) % 32
    reverse = int(f"{number:05b}"[::-1], 2)
    within = (row * (1 + 3 * math.sqrt(7)) / 2 + column * (3 + 2 * math.sqrt(17)) / 4) % 1
    return (reverse + within) / 32


def lattice(classify, image, labels, label, tau, progress):
    """The first regions of the lattice within a share that falls from 1 to tau."""
    share = tau ** min(1, 2 * progress)
    places, sizes = [], areas(labels)
    for j in range(n_regions(labels)):
        rows, columns = torch.nonzero(labels == j, as_tuple=True)
        places.append(
            lattice_place(rows.double().mean().item(), columns.double().mean().item())
        )
    mask, used = [0.0] * len(places), 0
    for position, j in enumerate(sorted(range(len(places)), key=places.__getitem__)):
        used += sizes[j]
        if used <= share * labels.numel() or position == 0:
            mask[j] = 1.0
    return cross_entropy(classify(masked(image, labels, mask)), label)


# -- ancestors ----------------------------------------------------------------------------


def l2x(select, classify, image, labels, label, tau, temperature, uniform):
    """``uniform`` (draws, d): one Gumbel-softmax vector per draw, of which k are used."""
    logits = region_scores(select(image), labels)[0]
    d = len(logits)
    k = max(1, round(tau * d))
    mask = torch.zeros(d, dtype=torch.float64)
    for i in range(k):
        gumbel = -torch.log(-torch.log(uniform[i, :d]))
        weights = torch.exp((logits + gumbel) / temperature)
        mask = torch.maximum(mask, weights / weights.sum())
    return cross_entropy(classify(masked(image, labels, mask)), label)


def log_probability(logits, mask):
    q = sigmoid(logits)
    return sum(torch.log(q[j] if mask[j] else 1 - q[j]) for j in range(len(mask)))


def invase(select, critic, baseline, image, labels, label, uniform, area_weight, tau):
    """Losses of the critic, of the baseline and of the actor; no baseline where it is None."""
    logits = region_scores(select(image), labels)[0]
    mask = [float(uniform[j] < sigmoid(logits[j])) for j in range(len(logits))]
    seen = cross_entropy(critic(masked(image, labels, mask)), label)
    losses = {"classifier": seen}
    reference = 0.0
    if baseline is not None:
        losses["baseline"] = cross_entropy(baseline(image), label)
        reference = losses["baseline"].item()
    reward = (reference - seen.item()) * log_probability(logits, mask)
    area = area_penalty(kept_fraction(sigmoid(logits), labels), tau)
    losses["selector"] = -reward + area_weight * area
    return losses


def realx(select, classify, image, labels, label, u, v, area_weight, tau, temperature):
    """Minus the surrogate of REBAR, and the area; ``v`` None for relaxed masks instead."""
    logits = region_scores(select(image), labels)[0]
    d = len(logits)
    u = u[:d]

    def log_likelihood(mask):
        return -cross_entropy(classify(masked(image, labels, mask)), label)

    z = logits + logit(u)
    gained = log_likelihood(sigmoid(z / temperature))
    if v is not None:
        # v places a second uniform where its sign says what the mask already is.
        mask = [float(value > 0) for value in z]
        off = 1 - sigmoid(logits)
        within = [off[j] + v[j] * (1 - off[j]) if mask[j] else v[j] * off[j] for j in range(d)]
        z_given = logits + logit(torch.stack(within))
        relaxed_given = log_likelihood(sigmoid(z_given / temperature))
        advantage = log_likelihood(mask).item() - relaxed_given.item()
        gained = advantage * log_probability(logits, mask) + gained - relaxed_given
    area = area_penalty(kept_fraction(sigmoid(logits), labels), tau)
    return -gained + area_weight * area


# -- a bottleneck -------------------------------------------------------------------------


def infomask(select, classify, image, labels, label, noise, beta, threshold, reduction, tau):
    mean, log_variance = region_scores(select(image), labels)
    d = len(mean)
    z = mean + torch.sqrt(torch.exp(log_variance)) * noise[:d]
    mask = torch.clamp(sigmoid(z) - threshold, min=0)
    loss = cross_entropy(classify(masked(image, labels, mask)), label)
    variance = torch.exp(log_variance)
    divergence = sum((variance[j] + mean[j] ** 2 - 1 - log_variance[j]) / 2 for j in range(d))
    loss = loss + beta * (divergence / d if reduction == "mean" else divergence)
    return loss if tau is None else loss + area_penalty(kept_fraction(mask, labels), tau)


# -- B-cos --------------------------------------------------------------------------------


def bcos_logits(image, filters, weights):
    """A convolution without overlap, a ReLU and a linear layer, B = 2.

    They see [x, 1 - x] less the means [0, 1] of a network without a normalization.
    """
    six = torch.cat([image - 0, (1 - image) - 1])
    side = filters.shape[-1]
    features = []
    for filter_ in filters:
        for top in range(0, image.shape[1], side):
            for left in range(0, image.shape[2], side):
                patch = six[:, top : top + side, left : left + side]
                features.append(bcos_unit(filter_.flatten(), patch.flatten()))
    hidden = torch.clamp(torch.stack(features), min=0)
    logits = torch.stack([bcos_unit(row, hidden) for row in weights])
    return logits - math.log(max(1, len(weights) - 1))


def bcos_unit(weight, x):
    """(w . x) |cos(x, w)| |w|: the length of w is not divided out."""
    return (weight @ x) * torch.abs(weight @ x) / torch.sqrt(x @ x + 1e-12)


def bcos(logits, label):
    """Binary cross-entropy of every class, 1 / C as the target of the wrong ones."""
    loss, n = 0.0, len(logits)
    for c in range(n):
        wanted = 1.0 if c == label else 1 / n
        p = sigmoid(logits[c])
        loss = loss - wanted * torch.log(p) - (1 - wanted) * torch.log(1 - p)
    return loss
