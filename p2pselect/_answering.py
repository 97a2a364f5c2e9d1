"""What an image needs to be answered: certainty, familiarity, and a class that may be named."""

from __future__ import annotations

from typing import Any

import numpy as np

from p2pselect._answer_kinds import AnswerKind

#: What an image shows that is not answered: the largest mask; the most certain one; or the
#: smallest from which on, up to the most certain one, the answer stays the same.
FALLBACKS = ("everything", "most_certain", "settled")
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
    certainty: np.ndarray, threshold: float, unanswered_level: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Where the paths (n, t) stop: the level (n,), and whether they are certain there.

    Paths that never reach the threshold end at their ``unanswered_level`` (n,), by default the
    most certain one.
    """
    enough = certainty >= threshold
    answered: np.ndarray = np.asarray(enough.any(axis=1))
    rest = certainty.argmax(axis=1) if unanswered_level is None else unanswered_level
    return np.where(answered, enough.argmax(axis=1), rest), answered


def unanswered_levels(proba: np.ndarray, fallback: str, kind: AnswerKind) -> np.ndarray:
    """The level (n,) that a fallback shows of every path of probabilities (n, t, n_classes).

    Of paths that end early, with NaN behind, it is one that was visited.
    """
    n, n_levels = proba.shape[:2]
    if fallback == "everything":
        return np.full(n, n_levels - 1)
    visited = np.nan_to_num(proba, nan=-1.0)
    certainty = np.where(np.isnan(proba).any(axis=2), -1.0, kind.joint_certainty(visited))
    most = certainty.argmax(axis=1)
    if fallback == "most_certain":
        return most
    answers = kind.answers(visited)
    same = kind.right(answers, answers[np.arange(n), most][:, None])
    levels = np.arange(n_levels)
    # Behind the last other answer before the most certain level.
    others = np.where(~same & (levels < most[:, None]), levels, -1)
    return np.asarray(others.max(axis=1, initial=-1) + 1)


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
