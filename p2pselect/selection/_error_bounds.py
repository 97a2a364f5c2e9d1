"""Thresholds at which answers are proven to be seldom wrong: for all classes together, or each.

"Learn then test" (Angelopoulos et al., 2021): thresholds are tested in a fixed order, from a
strict one downwards, until one fails; whatever passed before holds, with the probability that
was asked for.  The order may depend on how many images each threshold answers, and on nothing
that tells which of them are right.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import beta, binom

from p2pselect.exceptions import brief


def fewest_answers(max_error: float, alpha: float) -> int:
    """With fewer answers even a classifier that is never wrong proves nothing."""
    return int(np.ceil(np.log(alpha) / np.log1p(-max_error)))


def worth_testing(answered: np.ndarray, max_error: float, alpha: float) -> np.ndarray:
    """Which of many thresholds (t,), the strictest first, to test: bool (t,).

    Of n answers a whole number may be wrong.  Where it has just grown, a test is easiest to
    pass; up to where it grows again, every further answer only makes it harder, and a failure
    would be the end.  So these thresholds are tested, and the last.

    The first test forgives one wrong answer if a quarter of the images is enough for that,
    since a test that forgives none fails by a single accident.  Where there are thousands of
    images, it forgives as many as a sixteenth of them could be wrong about.
    """
    forgiven = binom.ppf(alpha, answered, max_error) - 1
    grows = np.diff(np.maximum.accumulate(forgiven), prepend=-1.0) > 0
    grows[-1:] = True
    n = answered.max(initial=0)
    quarter, sixteenth = binom.ppf(alpha, [n // 4, n // 16], max_error) - 1
    return np.asarray(grows & (forgiven >= max(0, min(1, quarter), sixteenth)))


def largest_error(answered: np.ndarray, right: np.ndarray, alpha: float) -> np.ndarray:
    """Clopper and Pearson's exact upper bound (1934) on the share of wrong answers."""
    some = right > 0
    return np.where(
        some, beta.ppf(1 - alpha, answered - right + 1, np.where(some, right, 1)), 1
    )


def proven(
    answered: np.ndarray, right: np.ndarray, max_error: float, alpha: float
) -> np.ndarray:
    """Which of many thresholds (t, ...), the strictest first, keep the error.

    Those with too few answers are passed over: their number says nothing about which of them
    are right, so starting later favors none of them.
    """
    enough = answered >= fewest_answers(max_error, alpha)
    fails = enough & (largest_error(answered, right, alpha) > max_error)
    return enough & ~np.logical_or.accumulate(fails, axis=0)


def best_for_classes(
    answered: np.ndarray, right: np.ndarray, max_error: float, alpha: float
) -> tuple[int, np.ndarray]:
    """The threshold that answers most images when every class has to keep the error.

    ``answered`` and ``right`` (t, n_classes) count answers by the class that they name, the
    strictest threshold first.  Returns the row of the threshold, and which classes keep the
    error there.  Every class has a test of its own, at ``alpha`` divided by their number
    (Bonferroni): with a probability of at least ``1 - alpha`` all that passed is true at once,
    so that any threshold may be chosen among it.
    """
    keeps = proven(answered, right, max_error, alpha / answered.shape[1])
    row = int((answered * keeps).sum(axis=1).argmax())
    return row, keeps[row]


def refusal(
    n_images: int, answered: np.ndarray, right: np.ndarray, max_error: float, alpha: float
) -> str:
    """Why no threshold keeps the error, and what would help."""
    asked = f"max_error={max_error:g} with alpha={alpha:g}"
    needed = fewest_answers(max_error, alpha)
    if answered.max(initial=0) < needed:
        return (
            f"{asked} needs at least {needed} held-out images that are answered, all of "
            f"them correctly; got {n_images} images"
        )
    first = int((answered >= needed).argmax())
    n, k = answered[first], right[first]
    return (
        f"no certainty keeps {asked}: of the {n} most certain of {n_images} held-out images "
        f"{n - k} are answered wrongly, and the bound on the error is "
        f"{largest_error(n, k, alpha):.3f}.  More held-out images, a larger max_error or a "
        "better model would help"
    )


def unanswered_classes(
    names: np.ndarray,
    keeps: np.ndarray,
    n_images: int,
    answered: np.ndarray,
    right: np.ndarray,
    max_error: float,
    alpha: float,
) -> str:
    """Which classes are not answered because too little is known about them, and what is."""
    each = alpha / len(names)
    needed = fewest_answers(max_error, each)
    words = []
    silent = names[~keeps].tolist(), answered[~keeps].tolist(), right[~keeps].tolist()
    for name, n, k in zip(*silent, strict=True):
        wrong = n - k
        # The same share of wrong answers among more of them.
        sizes = np.unique(np.geomspace(max(n, needed), 1e6, 400).astype(int))
        wrong_then = np.ceil(sizes * wrong / max(n, 1)).astype(int)
        enough = largest_error(sizes, sizes - wrong_then, each) <= max_error
        if not n:
            would = f"named 0 times, {needed} are needed"
        elif enough.any():
            images = int(np.ceil(sizes[enough.argmax()] * n_images / n))
            would = f"{n} answers, {wrong} wrong: about {images} images would be needed"
        else:
            would = f"{n} answers, {wrong} wrong: more images would not help"
        words.append(f"{brief(name)} ({would})")
    return (
        f"{len(words)} of {len(names)} classes are not answered, because these images do not "
        f"show that max_error={max_error:g} is kept for them: {', '.join(words)}"
    )
