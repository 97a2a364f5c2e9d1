"""Slow words for what a calibration at the stop promises."""

import math

import numpy as np


def stop(path, threshold):
    """Level at which one path of certainties stops, and whether it is certain there."""
    for level, certainty in enumerate(path):
        if certainty >= threshold:
            return level, True
    best = 0
    for level, certainty in enumerate(path):
        if certainty > path[best]:
            best = level
    return best, False


def share_right(certainty, correct, threshold):
    """Share of right answers among the images that stop, and the share of those."""
    answers = []
    for path, right in zip(certainty, correct, strict=True):
        level, answered = stop(path, threshold)
        if answered:
            answers.append(right[level])
    return (sum(answers) / len(answers) if answers else math.nan), len(answers) / len(certainty)


def largest_error(n, wrong, alpha):
    """Clopper and Pearson's upper bound: an error that explains so few faults just barely."""

    def at_most(error):
        return sum(
            math.comb(n, k) * error**k * (1 - error) ** (n - k) for k in range(wrong + 1)
        )

    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if at_most(middle) > alpha else (low, middle)
    return (low + high) / 2


def simulated_paths(n, rng, n_levels=21):
    """Paths of an overconfident classifier: (certainty, correct), both (n, t).

    Evidence for the right answer grows with what is shown and wanders; the classifier takes
    its size for certainty, more of it than it should.
    """
    difficulty = rng.normal(0, 1.5, n)[:, None]
    shown = np.linspace(0.2, 2.2, n_levels)
    seen = difficulty + shown + rng.normal(0, 0.35, (n, n_levels)).cumsum(axis=1)
    correct = seen + rng.normal(0, 1.2, n)[:, None] > 0.6
    return 1 / (1 + np.exp(-1.6 * np.abs(seen) - 0.3)), correct


def conformal_set(known, proba, set_error):
    """Classes that a new image could have: not stranger than all but a few of the known ones.

    ``known`` are true classes' probabilities of other images, ``proba`` (n_classes,) is that of
    the new one.
    """
    members = []
    for p in proba:
        as_low = sum(q <= p for q in known)
        members.append((1 + as_low) / (len(known) + 1) > set_error)
    members[max(range(len(proba)), key=lambda c: proba[c])] = True
    return members


def simulated_classes(n, rng, n_classes=4, n_levels=9):
    """Paths of an overconfident classifier of several classes: (proba, truth).

    Class 0 is harder than the others: half of its images look like class 1 to the end.
    """
    truth = rng.integers(0, n_classes, n)
    looks = np.where((truth == 0) & (rng.random(n) < 0.5), 1, truth)
    drift = (
        0.6 * np.exp(rng.normal(0, 0.5, n))[:, None, None] * np.eye(n_classes)[looks][:, None]
    )
    steps = drift + rng.normal(0, 0.5, (n, n_levels, n_classes))
    scores = 1.5 * steps.cumsum(axis=1)
    proba = np.exp(scores - scores.max(axis=2, keepdims=True))
    return (proba / proba.sum(axis=2, keepdims=True)).astype(np.float32), truth
