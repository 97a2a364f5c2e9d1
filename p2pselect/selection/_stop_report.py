"""What is reported at a stop: the probability of being right, and probabilities to match."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from p2pselect.selection._prediction_sets import sets_from

#: Certainties closer to 0 and 1 than this are as good as 0 and 1.
_MARGIN = 1e-7


@dataclass(frozen=True)
class StopReport:
    """Maps the classifier's certainty at a stop to the probability that it is right.

    Two logistic curves (slope, intercept): those that reached the threshold are a selection,
    and those that never did are what is left.
    """

    threshold: float
    answered: tuple[float, float]
    unanswered: tuple[float, float]
    answered_classes: np.ndarray | None = None  # (n_classes,), bool; None stands for all
    #: Probability from which a class is in the prediction set: at a stop, and elsewhere.
    set_proba: tuple[float, float] | None = None
    lowest_familiarity: float | None = None

    def __call__(self, certainty: np.ndarray) -> np.ndarray:
        """Probabilities of being right for certainties (n,)."""
        z = logit(certainty)
        enough = np.asarray(certainty) >= self.threshold
        curve = np.where(enough[:, None], self.answered, self.unanswered)
        # The logistic function, without an overflow on either side.
        return (1 + np.tanh((curve[:, 0] * z + curve[:, 1]) / 2)) / 2

    def may_answer(self, proba: np.ndarray, familiarity: np.ndarray | None) -> np.ndarray:
        """Whether images (n,) are familiar, and their most probable class one that is answered.

        ``proba`` (n, n_classes) is what the classifier says; ``familiarity`` (n,) is needed
        where there is a lowest one.
        """
        may = np.ones(len(proba), bool)
        if self.answered_classes is not None:
            may &= self.answered_classes[proba.argmax(axis=1)]
        if self.lowest_familiarity is not None:
            assert familiarity is not None
            may &= familiarity >= self.lowest_familiarity
        return may

    def prediction_sets(self, proba: np.ndarray) -> np.ndarray | None:
        """Classes (n, n_classes) that are not ruled out; None where that was not asked for."""
        if self.set_proba is None:
            return None
        enough = proba.max(axis=1) >= self.threshold
        return sets_from(proba, np.where(enough, *self.set_proba))


def with_certainty(proba: np.ndarray, certainty: np.ndarray) -> np.ndarray:
    """Class probabilities (n, c) whose largest one becomes ``certainty`` (n,).

    All others keep their order and, in logarithms, the ratios of their distances: each row gets
    a temperature of its own.  A certainty below that of all classes being equal is raised to
    just above it, because the most probable class stays the most probable one.
    """
    n_classes = proba.shape[1]
    if not len(proba) or n_classes == 1:
        return proba
    wanted = np.clip(certainty, 1 / n_classes + 1e-4, 1 - 1e-6)
    # In double precision, and away from 0, where a logarithm has no end.
    logits = np.log(np.clip(proba.astype(float), 1e-30, 1))
    logits -= logits.max(axis=1, keepdims=True)
    # The largest probability falls as the temperature rises: halve the interval of its log.
    low, high = np.full(len(proba), -12.0), np.full(len(proba), 12.0)
    for _ in range(60):
        middle = (low + high) / 2
        largest = 1 / np.exp(logits / np.exp(middle)[:, None]).sum(axis=1)
        too_certain = largest > wanted
        low, high = np.where(too_certain, middle, low), np.where(too_certain, high, middle)
    scaled = np.exp(logits / np.exp(low)[:, None])
    return (scaled / scaled.sum(axis=1, keepdims=True)).astype(proba.dtype)


def logit(certainty: Any) -> np.ndarray:
    """Log-odds of certainties, of which those closest to 0 and 1 are moved a little."""
    inner = np.clip(np.asarray(certainty, float), _MARGIN, 1 - _MARGIN)
    return np.log(inner / (1 - inner))
