"""The certainty search as the paper tells it: one image, every tau, a classifier call each."""

import numpy as np


def most_probable(proba):
    """The first of the most probable classes."""
    return list(proba).index(max(proba))


def search_one(
    logits,
    areas,
    offsets,
    tau_grid,
    classify,
    threshold,
    selection,
    allow_empty,
    fallback,
    certainty=max,
    answer=most_probable,
    joint_certainty=max,
):
    """Walk up the grid until the classifier is certain.

    logits, areas: (d,) of one image, no padding.  classify: bool mask (d,) -> probabilities.
    certainty: what they are worth.  answer: what they say.  joint_certainty: how probable it is
    that all of this is right.
    Returns tau, mask, probabilities, whether certain.
    """
    tried = []
    for tau, offset in zip(tau_grid, offsets, strict=True):
        if selection == "threshold":
            mask = np.float32(logits) + np.float32(offset) > 0
        else:
            mask = np.zeros(len(logits), bool)
            used = 0
            for j in sorted(range(len(logits)), key=lambda j: (-logits[j], j)):
                used += areas[j]
                if used > tau * sum(areas) + 1e-6:
                    break
                mask[j] = True
        if not mask.any() and not allow_empty:
            mask[int(np.argmax(logits))] = True
        proba = classify(mask)
        if certainty(proba) >= threshold:
            return tau, mask, proba, True
        tried.append((tau, mask, proba, False))
    if fallback == "everything":
        return tried[-1]
    best = 0
    for other in range(1, len(tried)):
        if joint_certainty(tried[other][2]) > joint_certainty(tried[best][2]):
            best = other
    if fallback == "settled":
        said = answer(tried[best][2])
        while best > 0 and answer(tried[best - 1][2]) == said:
            best -= 1
    return tried[best]


def all_labels(proba):
    """Which labels there are."""
    return [p > 0.5 for p in proba]


def the_second_label(proba):
    return proba[1] > 0.5


def of_all_labels(proba):
    """How certain the label is that is the least certain."""
    least = 1.0
    for p in proba:
        least = min(least, p if p > 0.5 else 1 - p)
    return least


def that_all_are_right(proba):
    """How probable it is that every label is what it is more likely to be."""
    product = 1.0
    for p in proba:
        product *= float(p if p > 0.5 else 1 - p)
    return product


def of_the_second_label(proba):
    return max(proba[1], 1 - proba[1])
