"""The whole losses of the methods that lean on a black box, as :mod:`oracles.losses`."""

import math

import torch
from oracles.losses import (
    area_penalty,
    cross_entropy,
    kept_fraction,
    masked,
    pixels,
    region_scores,
    relaxed,
    sigmoid,
)

#: Mean and deviation of the colors that stand for removed pixels.
COLOR_MEAN = torch.tensor([0.527, 0.447, 0.403], dtype=torch.float64)
COLOR_STD = torch.tensor([0.229, 0.224, 0.225], dtype=torch.float64)


def probabilities(logits):
    return torch.exp(logits) / torch.exp(logits).sum()


# -- COMET --------------------------------------------------------------------------------


def comet(select, classify, detect, images, tau, k, g, area_weight, inverted):
    """Losses of classifier and selector for a whole batch of (image, labels, label, weight).

    The margin compares means over the batch, so that weights sum to 1 where it is taken.
    """
    predicted = detected = area = 0.0
    total = sum(weight for *_, weight in images)
    for image, labels, label, weight in images:
        mask = sigmoid(region_scores(select(image), labels)[0])
        rest = masked(image, labels, 1 - mask)
        shown = rest if inverted else masked(image, labels, mask)
        predicted = predicted + weight * cross_entropy(classify(shown), label)
        detected = detected + weight * cross_entropy(detect(rest), label)
        most = 1 - tau if inverted else tau
        area = area + weight * torch.clamp(kept_fraction(mask, labels) - most, min=0)
    margin = torch.clamp(predicted / total - detected / total + g, min=0)
    return predicted, predicted + k * margin * total + area_weight * area


def comet_inverse(select, classify, image, labels, label):
    """COMET-1 after training: the classifier on what the selector removes."""
    mask = sigmoid(region_scores(select(image), labels)[0]).detach()
    return cross_entropy(classify(masked(image, labels, 1 - mask)), label)


# -- RB-AEM -------------------------------------------------------------------------------


def divergence(teacher_logits, logits):
    """KL(g || f)."""
    g, f = probabilities(teacher_logits).detach(), probabilities(logits)
    return sum(g[c] * (torch.log(g[c]) - torch.log(f[c])) for c in range(len(g)))


def rbf_map(center, sigma, side):
    """Logits of exp(-r^2 / 2 sigma^2), (1, side, side)."""
    rows = []
    for i in range(side):
        row = []
        for j in range(side):
            square = (i + 0.5 - center[0]) ** 2 + (j + 0.5 - center[1]) ** 2
            exponent = torch.clamp(square / (2 * sigma**2), min=1e-6)
            p = torch.exp(-exponent)
            row.append(torch.log(p / (1 - p)))
        rows.append(torch.stack(row))
    return torch.stack(rows)[None]


def rbf_linear(maps, weight, bias, side, start):
    """Center and sigma by a linear layer on maps of 8 x 8 cells, in parts of 224 pixels."""
    out = (weight @ maps.flatten() + bias) * 50 / 224 * side
    reach = 108 / 224 * side
    center = side / 2 + reach * torch.tanh(out[:2] / reach)
    return center, torch.log(1 + torch.exp(out[2] + start)) + 1e-3


def rbf_softargmax(maps, side, start):
    """Center as the mean position under a softmax, sigma from the mean of the second map."""
    share = probabilities(maps[0].flatten()).view(maps[0].shape)
    n = share.shape[0]
    center = [torch.zeros((), dtype=torch.float64)] * 2
    for i in range(n):
        for j in range(n):
            center[0] = center[0] + share[i, j] * (i + 0.5) * side / n
            center[1] = center[1] + share[i, j] * (j + 0.5) * side / n
    raw = maps[1].mean() * 50 / 224 * side
    return torch.stack(center), torch.log(1 + torch.exp(raw + start)) + 1e-3


def rbf_start(tau, side):
    """What the softplus of is the sigma of area tau."""
    return math.log(math.exp(side * math.sqrt(tau / (2 * math.pi))) - 1)


def rbaem_prior(classify, teach, image, labels, place, uniform, sigma_range):
    """The classifier under a random function: ``place`` holds three uniform numbers."""
    side = image.shape[-1]
    center = [side / 2 + 108 / 224 * side * (2 * u - 1) for u in place[:2]]
    low, high = (side * share for share in sigma_range)
    logits = region_scores(rbf_map(center, low + (high - low) * place[2], side), labels)[0]
    mask = relaxed(logits, uniform[: len(logits)], 0.1)
    return divergence(teach(image), classify(masked(image, labels, mask)))


def roughness(mask):
    """Half the squared differences of neighbors, and .3 of the border, corners twice."""
    total, side = 0.0, len(mask)
    for i in range(side):
        for j in range(side):
            if i + 1 < side:
                total = total + (mask[i + 1, j] - mask[i, j]) ** 2
            if j + 1 < side:
                total = total + (mask[i, j + 1] - mask[i, j]) ** 2
            borders = (i in (0, side - 1)) + (j in (0, side - 1))
            total = total + 0.3 * borders * mask[i, j] ** 2
    return total / 2


def rbaem(place, classify, teach, image, labels, uniform, weights, power, tau):
    """The selector; ``place`` gives center and sigma of an image, ``weights`` both lambdas."""
    logits = region_scores(rbf_map(*place(image), image.shape[-1]), labels)[0]
    mask = relaxed(logits, uniform[: len(logits)], 1.0)
    loss = divergence(teach(image), classify(masked(image, labels, mask)))
    if tau is None:
        area = kept_fraction((mask + 5e-4) ** power, labels)
    else:
        area = torch.clamp(kept_fraction(mask, labels) - tau, min=0)
    return loss + weights[0] * area + weights[1] * roughness(pixels(mask, labels))


# -- DiET ---------------------------------------------------------------------------------


def distance(logits, others):
    return (probabilities(logits) - probabilities(others)).abs().sum()


def on_color(image, labels, mask, color):
    """Removed pixels in a color (3,) instead of black."""
    where = pixels(mask, labels)
    return where * image + (1 - where) * color[:, None, None]


def cell_means(cells, labels):
    """Mean of enlarged cells over every region; the cells are as large as pixels here."""
    return region_scores(cells[None], labels)[0]


def diet_mask_loss(classify, image, labels, cells, color, area_weight, tau):
    mask = cell_means(cells, labels)
    full = classify(image).detach()
    loss = distance(full, classify(on_color(image, labels, mask, color)))
    return loss + area_weight * area_penalty(kept_fraction(mask, labels), tau)


def diet_masks(classify, image, labels, cells, colors, area_weight, tau, step):
    """Gradient descent within [0, 1]; a color per step, no early stop."""
    for color in colors:
        cells = cells.detach().requires_grad_()
        loss = diet_mask_loss(classify, image, labels, cells, color, area_weight, tau)
        (gradient,) = torch.autograd.grad(loss, cells)
        cells = torch.clamp(cells - step * cells.numel() * gradient, 0, 1)
    return cells.detach()


def diet_classifier(classify, teach, image, labels, cells, color):
    """What f learns: agree with g, and with itself on the masked image."""
    full = classify(image)
    shown = on_color(image, labels, cell_means(cells, labels), color)
    return distance(teach(image).detach(), full) + distance(full, classify(shown))


def diet_amortized(select, classify, teach, image, labels, color, area_weight, tau, progress):
    """Losses of selector and classifier; the threshold rises, the area's weight falls."""
    soft = sigmoid(region_scores(select(image), labels)[0])
    hard = [float(value > 0.1 + 0.4 * progress) for value in soft]
    full = classify(image)
    weight = area_weight * (1 - 0.9 * progress)
    selector = weight * area_penalty(kept_fraction(soft, labels), tau)
    selector = selector + distance(
        full.detach(), classify(on_color(image, labels, soft, color))
    )
    classifier = distance(teach(image).detach(), full)
    classifier = classifier + distance(full, classify(on_color(image, labels, hard, color)))
    return selector, classifier
