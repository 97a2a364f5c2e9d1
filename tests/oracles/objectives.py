"""The terms of the objective, written as the slow loops that their formulas are."""

import math

import numpy as np


def kept_fraction(probs, areas):
    """p-bar of one image: sum over regions of p_j |R_j| / (H W)."""
    total = 0.0
    for p, a in zip(probs, areas, strict=True):
        total += p * a
    return total / sum(areas)


def hinge(p_bar, tau, eps=1e-6):
    """Equation 3 less its value at tau: zero below tau, -log((1-p)/(1-tau)) above."""
    if p_bar <= tau:
        return 0.0
    return -math.log((1 - p_bar + eps) / (1 - tau + eps))


def covariance_l1(embeddings, areas):
    """Mean |E_j . E_k| over pairs of regions that exist; embeddings is (k, d)."""
    own = [j for j, a in enumerate(areas) if a > 0]
    total = 0.0
    for j in own:
        for k in own:
            total += abs(float(np.dot(embeddings[:, j], embeddings[:, k])))
    return total / len(own) ** 2


def cross_entropy(logits, target, smoothing=0.0):
    """Of a label, or a smoothed one, with the mean over samples of softmax(logits (s, c))."""
    mean = [0.0] * len(logits[0])
    for row in logits:
        exps = [math.exp(v - max(row)) for v in row]
        mean = [m + e / sum(exps) / len(logits) for m, e in zip(mean, exps, strict=True)]
    loss = 0.0
    for label, probability in enumerate(mean):
        told = (1 - smoothing) * (label == target) + smoothing / len(mean)
        loss -= told * math.log(probability) if told else 0.0
    return loss


def labels_cross_entropy(logits, target, smoothing=0.0, weight=None):
    """Of several labels, with the mean over samples of sigmoid(logits (s, k)), one by one."""
    loss = 0.0
    for label, is_there in enumerate(target):
        p = sum(1 / (1 + math.exp(-row[label])) for row in logits) / len(logits)
        told = is_there * (1 - smoothing) + smoothing / 2
        own = -(told * math.log(p) + (1 - told) * math.log(1 - p))
        loss += own * (1 if weight is None else weight[label][is_there])
    return loss


def region_means(maps, regions):
    """Mean of each map (k, h, w) over each label of ``regions`` (h, w) -> (k, d)."""
    d = regions.max() + 1
    out = np.zeros((len(maps), d))
    for j in range(d):
        where = [(y, x) for y in range(regions.shape[0]) for x in range(regions.shape[1])]
        where = [(y, x) for y, x in where if regions[y, x] == j]
        for k in range(len(maps)):
            out[k, j] = sum(maps[k, y, x] for y, x in where) / max(1, len(where))
    return out


def evidence(logits, regions, mask):
    """What is kept and forbidden, as a share of what is kept, and what is wanted, not kept."""
    kept = kept_right = 0.0
    wanted = []
    for y in range(len(regions)):
        for x in range(len(regions[0])):
            if regions[y][x] < 0:
                continue
            p = 1 / (1 + math.exp(-logits[regions[y][x]]))
            kept += p
            if mask[y][x] > 0:
                kept_right += p
            if mask[y][x] == 2:
                wanted.append(-math.log(p))
    loss = -math.log(kept_right / kept) if kept_right else 0.0
    return loss + (sum(wanted) / len(wanted) if wanted else 0.0)
