"""What an image needs to be answered: certainty, familiarity, and a class that may be named."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Share of an image's pixels whose scores say how familiar it is.
FAMILIAR_SHARE = 0.1


def familiarity(logits: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Mean logit (n,) over the best tenth of an image; regions (n, d) come in ranking order."""
    within = np.minimum(areas.cumsum(axis=1), FAMILIAR_SHARE * areas.sum(axis=1, keepdims=True))
    parts = np.diff(within, axis=1, prepend=0)
    # Padding has a logit of minus infinity, and no area.
    sums = (np.where(parts > 0, logits, 0) * parts).sum(axis=1)
    return np.asarray(sums / parts.sum(axis=1), np.float32)


def stops(
    certainty: np.ndarray, threshold: float, fallback: str = "most_certain"
) -> tuple[np.ndarray, np.ndarray]:
    """Where the paths (n, t) stop: the level (n,), and whether they are certain there.

    Paths that never reach the threshold end at their most certain level, or, with the fallback
    "everything", at the last one.
    """
    enough = certainty >= threshold
    answered: np.ndarray = np.asarray(enough.any(axis=1))
    last = certainty.shape[1] - 1
    rest = last if fallback == "everything" else certainty.argmax(axis=1)
    return np.where(answered, enough.argmax(axis=1), rest), answered


def named(labels: np.ndarray, answered: np.ndarray, reject: Any) -> np.ndarray:
    """Labels (n,) or (n, n_labels), and ``reject`` in place of those that are not answered."""
    kinds = {labels.dtype.kind, np.asarray(reject).dtype.kind}
    if not (kinds <= {"U"} or kinds <= {*"iuf"}):  # NumPy would make words of numbers
        labels = labels.astype(object)
    return np.where(answered if labels.ndim == 1 else answered[:, None], labels, reject)


def unanswered_reasons(exp: Any) -> list[list[str]]:
    """Why the images of an explanation are not answered; see the property of that name."""
    unfamiliar = unsafe = np.zeros(len(exp), bool)
    if exp.lowest_familiarity is not None:
        unfamiliar = exp.familiarity < exp.lowest_familiarity
    if exp.answered_classes is not None:
        unsafe = ~exp.answered_classes[exp._kind.answers(exp.proba)]
    # An explanation without a path may not know how certain the classifier has been.
    uncertain = (exp.highest_certainty < exp.enough) | ~(unfamiliar | unsafe)
    found = {"unfamiliar": unfamiliar, "uncertain": uncertain, "class": unsafe & ~uncertain}
    return [
        [] if answered else [name for name, holds in found.items() if holds[i]]
        for i, answered in enumerate(exp.answered)
    ]
