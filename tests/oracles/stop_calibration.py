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
