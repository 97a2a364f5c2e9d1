"""Slow, literal versions of what the methods of ``p2pselect.methods`` compute."""

import itertools
import math

import torch
from torch import nn


def enumerated_gradient(logits, reward):
    """d/dl of E[reward(s)] over all binary masks of the row ``logits`` (d,)."""
    logits = logits.detach().clone().requires_grad_()
    probs = logits.sigmoid()
    expected = 0.0
    for bits in itertools.product([0.0, 1.0], repeat=len(logits)):
        mask = torch.tensor(bits)
        chance = torch.prod(torch.where(mask > 0, probs, 1 - probs))
        expected = expected + chance * reward(mask[None])[0]
    return torch.autograd.grad(expected, logits)[0]


def ranked_without_ties(scores, keys):
    """Labels by falling score, equal scores by rising key."""
    return sorted(range(len(scores)), key=lambda j: (-scores[j], keys[j]))


def kl_normal(mean, variance, points=20001, reach=12.0):
    """KL(N(mean, variance) || N(0, 1)) by numerical integration."""
    deviation = math.sqrt(variance)
    x = torch.linspace(-reach, reach, points, dtype=torch.float64) * deviation + mean
    log_p = -((x - mean) ** 2) / (2 * variance) - 0.5 * math.log(2 * math.pi * variance)
    log_q = -(x**2) / 2 - 0.5 * math.log(2 * math.pi)
    return torch.trapezoid(log_p.exp() * (log_p - log_q), x).item()


def comet_losses(classifier, detector, images, masks, target, tau, k, g, weight):
    """L_P and L_S of COMET as written in the module's docstring, one image at a time."""
    predicted, detected, area = [], [], []
    for image, mask, label in zip(images, masks, target, strict=True):
        for network, shown, values in (
            (classifier, mask * image, predicted),
            (detector, (1 - mask) * image, detected),
        ):
            probs = network(shown[None])[0].softmax(dim=0)
            values.append(-probs[label].log())
        area.append(torch.clamp(mask.mean() - tau, min=0))
    loss_p = torch.stack(predicted).mean()
    loss_d = torch.stack(detected).mean()
    margin = torch.clamp(loss_p - loss_d + g, min=0)
    return loss_p, loss_p + k * margin + weight * torch.stack(area).mean()


def toy_classifier(n_classes=3):
    """A linear classifier of four mean colors."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, n_classes))


def rbf_map(row, column, sigma, size):
    """exp(-r^2 / 2 sigma^2) pixel by pixel."""
    values = [
        math.exp(-((i + 0.5 - row) ** 2 + (j + 0.5 - column) ** 2) / (2 * sigma**2))
        for i in range(size)
        for j in range(size)
    ]
    return torch.tensor(values, dtype=torch.float64).view(size, size)


def roughness(mask):
    """Half of squared differences down and across, and .3 of the squared border values."""
    h, w = mask.shape
    total = 0.0
    for i in range(h):
        for j in range(w):
            if i + 1 < h:
                total += (mask[i + 1, j] - mask[i, j]).item() ** 2
            if j + 1 < w:
                total += (mask[i, j + 1] - mask[i, j]).item() ** 2
    for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]):
        total += 0.3 * (edge**2).sum().item()
    return total / 2
