"""What is reported at a stop: the probability of being right."""

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


def logit(certainty: Any) -> np.ndarray:
    """Log-odds of certainties, of which those closest to 0 and 1 are moved a little."""
    inner = np.clip(np.asarray(certainty, float), _MARGIN, 1 - _MARGIN)
    return np.log(inner / (1 - inner))
