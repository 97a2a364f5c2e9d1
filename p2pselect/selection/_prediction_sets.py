"""Prediction sets: the classes that a stop does not rule out (split conformal prediction)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from p2pselect._answering import stops


@dataclass(frozen=True)
class SetCalibration:
    """Held-out images that have no say in where a search stops, only in the sets.

    The paths (n, t) of the largest class probability, and of the probability of the true class,
    which is 0 for a label that is not a class.  At most ``set_error`` of the sets miss the true
    class, both among the images that stop and among those that do not.
    """

    certainty: np.ndarray
    true_proba: np.ndarray
    set_error: float
    #: Of every image (n,), if it is not answered; by default the most certain one.
    unanswered_level: np.ndarray | None = None

    def lowest(self, threshold: float) -> tuple[float, float]:
        """Probability from which a class is in the set: where the search stops, and elsewhere.

        The classes whose probability is high enough (Sadinle, Lei & Wasserman, "Least ambiguous
        set-valued classifiers", 2019) are the smallest sets on average, and need no random
        numbers to be exact, as adaptive sets do.  The most probable class joins a set that
        would be empty, which can only help.
        """
        level, answered = stops(self.certainty, threshold, self.unanswered_level)
        own = self.true_proba[np.arange(len(level)), level]
        return self._quantile(own[answered]), self._quantile(own[~answered])

    def _quantile(self, true_proba: np.ndarray) -> float:
        # A new image is as likely as any of these to have the lowest, the second lowest, ...
        rank = int(np.floor(self.set_error * (len(true_proba) + 1) + 1e-9))
        return float(np.sort(true_proba)[rank - 1]) if rank else 0.0


def sets_from(proba: np.ndarray, lowest: np.ndarray) -> np.ndarray:
    """The classes (n, n_classes) of at least the ``lowest`` (n,) probability, or the best."""
    found = proba >= lowest[:, None]
    found[np.arange(len(proba)), proba.argmax(axis=1)] = True
    return found
