"""Fidelity curves one image, one fraction and one region at a time, nothing shared."""

import numpy as np


def exact(exp, predict_proba, fractions, insert):
    """Add or remove regions while they cover at most the fraction."""
    return _curve(exp, predict_proba, fractions, lambda i, t: _at_most(exp, i, t), insert)


def official(exp, predict_proba, fractions, insert):
    """The released procedure: cumulative float32 shares, masked by comparison with t."""
    rows = []
    for i in range(len(exp)):
        own = _own(exp, predict_proba, i)
        ranking = np.argsort(-exp.selection_logits[i], kind="stable")
        covered, total = [], np.float32(0)
        for region in ranking:
            area = np.sum(exp.regions[i] == region)
            total = np.float32(total + np.float32(area / exp.regions[i].size))
            covered.append(total)
        row = []
        for t in fractions:
            reaches = [c >= np.float32(t) for c in covered]
            if insert:
                stays = [not r for r in reaches]
            else:
                stays = list(reaches)
                stays[stays.index(True) if any(stays) else 0] = False
            image = exp.masked_images[i].copy()
            for region, stay in zip(ranking, stays, strict=True):
                if not stay:
                    image[exp.regions[i] == region] = 0
            agrees = predict_proba(image[None])[0].argmax() == own
            # "As with no masking, it's same as before": overwritten, not computed.
            row.append(True if (t == 1 if insert else t == 0) else agrees)
        rows.append(row)
    return np.array(rows)


def rise(exp, predict_proba, fractions, insert):
    """Probability of the predicted class, starting from the full image."""
    rows = []
    for i in range(len(exp)):
        own = _own(exp, predict_proba, i)
        row = []
        for t in fractions:
            first = np.isin(exp.regions[i], _at_most(exp, i, t))
            image = exp.images[i] * (first if insert else ~first)[..., None]
            row.append(predict_proba(image.astype(exp.images.dtype)[None])[0, own])
        rows.append(row)
    return np.array(rows)


def _curve(exp, predict_proba, fractions, chosen, insert):
    rows = []
    for i in range(len(exp)):
        own = _own(exp, predict_proba, i)
        row = []
        for t in fractions:
            first = np.isin(exp.regions[i], chosen(i, t))
            image = exp.masked_images[i] * (first if insert else ~first)[..., None]
            image = image.astype(exp.masked_images.dtype)
            row.append(predict_proba(image[None])[0].argmax() == own)
        rows.append(row)
    return np.array(rows)


def _at_most(exp, i, t):
    chosen, covered = [], 0
    for region in np.argsort(-exp.selection_logits[i], kind="stable"):
        covered += np.sum(exp.regions[i] == region)
        if covered > t * exp.regions[i].size + 1e-6:
            break
        chosen.append(region)
    return chosen


def _own(exp, predict_proba, i):
    return predict_proba(exp.masked_images[i : i + 1])[0].argmax()
