"""What held-out images say about the certainty at which a search stops.

A search stops at the first mask that makes the classifier certain, and so picks the luckiest
step of a path: the classifier's word, even if it is true for every single mask, is too high at
the stop.  Everything here therefore looks at held-out images where they stop.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from p2pselect._answering import stops
from p2pselect.exceptions import InputError
from p2pselect.selection._error_bounds import proven, refusal, worth_testing
from p2pselect.selection._prediction_sets import SetCalibration
from p2pselect.selection._stop_report import StopReport, logit

#: A share of right answers that fewer images say something about is noise.
FEWEST_ANSWERED = 15
#: Thresholds that are tried, as quantiles of the largest certainty of every path.
_N_THRESHOLDS = 200


@dataclass(frozen=True)
class StopCalibration:
    """What held-out images say about the certainty at which a search stops.

    An estimator has one as ``calibration_`` after ``calibrate``.  Nothing in it depends on a
    threshold: one calibration serves all of them.

    Parameters
    ----------
    certainty : ndarray of shape (n, t), float32
        The largest class probability of every held-out image at every value of tau.
    correct : ndarray of shape (n, t), bool
        Whether that class is the true one.
    kept : ndarray of shape (n, t), float32
        Share of the pixels that is kept there.
    unanswered_level : ndarray of shape (n,), int, optional
        What every image shows if it is not answered, by the number of its step; by default the
        most certain one.
    max_error : float, optional
        The largest share of wrong answers that was asked for.
    alpha : float, optional
        The probability with which it may be exceeded; None if it holds on average only.
    mean_kept : float, optional
        The largest mean share of the pixels that was asked for.
    bound : float, optional
        The classifier's certainty at which the search stops to keep either.
    answered_classes : ndarray of shape (n_classes,), bool, optional
        With a bound for every class: those for which it could be shown.  The others are not
        answered.
    sets : object, optional
        The images that prediction sets come from; none of those above are among them.
    lowest_familiarity : float, optional
        Images below are not answered.
    tau : "dynamic" or float, default="dynamic"
        The tau of the paths.
    settings : dict
        Other settings of the search that made them.

    Examples
    --------
    >>> certainty = np.linspace([0.5] * 40, [0.9] * 40, 5).T
    >>> calibration = StopCalibration(certainty, certainty > 0.6, certainty)
    >>> calibration.threshold(0.9)
    0.7
    """

    certainty: np.ndarray
    correct: np.ndarray
    kept: np.ndarray
    unanswered_level: np.ndarray | None = None
    max_error: float | None = None
    alpha: float | None = None
    mean_kept: float | None = None
    bound: float | None = None
    answered_classes: np.ndarray | None = None
    sets: SetCalibration | None = None
    lowest_familiarity: float | None = None
    tau: float | str = "dynamic"
    settings: dict[str, Any] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.certainty)

    @cached_property
    def _thresholds(self) -> np.ndarray:
        # Only the maximum of a path so far decides whether a threshold lies before or behind.
        so_far = np.maximum.accumulate(self.certainty, axis=1)
        shares = np.linspace(0, 1, _N_THRESHOLDS)
        return np.unique(np.quantile(so_far, shares, method="nearest"))

    def _counts(self, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images that are answered at every threshold, and those of them that are right."""
        rows = np.arange(len(self))
        answered, right = [], []
        for threshold in thresholds:
            level, certain = stops(self.certainty, threshold)
            answered.append(certain.sum())
            right.append((certain & self.correct[rows, level]).sum())
        return np.array(answered), np.array(right)

    def answers(self, threshold: float) -> tuple[int, int]:
        """Count the held-out images that are answered, and those of them that are right.

        Parameters
        ----------
        threshold : float
            The classifier's certainty at which the search stops.

        Returns
        -------
        answered : int
            Of the held-out images.
        right : int
            Of the answered ones.
        """
        answered, right = self._counts(np.array([threshold]))
        return int(answered[0]), int(right[0])

    def threshold(self, asked: float) -> float:
        """Find the certainty of the classifier at which enough of those that stop are right.

        The smallest one, so that most images are answered.  The share of right answers at the
        stop is made to rise with the threshold (isotonic regression): the first threshold at
        which the share itself happens to be large enough is too low more often than not.

        Parameters
        ----------
        asked : float
            The share of right answers among those given, in (0, 1].

        Returns
        -------
        float
            In (0, 1]; infinite where no threshold has that share: nothing is answered.
        """
        # Cross-fitting does not help: from 50 to 150 images, the share of right answers comes
        # out about the same (benchmarks/certainty.py).  Isotonic regression is what keeps the
        # choice from being lucky.
        answered, right = self._counts(self._thresholds)
        enough = answered >= min(FEWEST_ANSWERED, len(self))
        tried = self._thresholds[enough]
        if not len(tried):
            return np.inf
        share = IsotonicRegression().fit_transform(
            tried, right[enough] / answered[enough], sample_weight=answered[enough]
        )
        found = share >= asked - 1e-9
        return float(tried[found.argmax()]) if found.any() else np.inf

    def bounded_threshold(self, max_error: float, alpha: float) -> float:
        """Find the certainty of the classifier at which answers are seldom wrong.

        With a probability of at least ``1 - alpha`` over the held-out images, the share of
        wrong answers among those given is at most ``max_error`` (Angelopoulos et al., "Learn
        then test", 2021: fixed sequence testing, here from a strict threshold downwards, with
        the exact binomial bounds of Clopper & Pearson, 1934).

        Parameters
        ----------
        max_error : float
            In (0, 1).
        alpha : float
            In (0, 1).

        Returns
        -------
        float
            In (0, 1].

        Raises
        ------
        InputError
            If these images cannot support any threshold.
        """
        thresholds = self._thresholds[::-1]
        answered, right = self._counts(thresholds)
        tested = worth_testing(answered, max_error, alpha)
        thresholds, answered, right = thresholds[tested], answered[tested], right[tested]
        keeps = proven(answered, right, max_error, alpha)
        if not keeps.any():
            raise InputError(refusal(len(self), answered, right, max_error, alpha))
        return float(thresholds[keeps].min())

    def asked(self, otherwise: float) -> float:
        """Tell which share of right answers the search stops at, for people to read.

        Parameters
        ----------
        otherwise : float
            The share where no bound decides, in (0, 1].

        Returns
        -------
        float
            In (0, 1].
        """
        if self.bound is None:
            return otherwise
        if self.max_error is not None:
            return 1 - self.max_error
        answered, right = self.answers(self.bound)
        # As in a share of right answers among few: one right and one wrong answer more.
        return (right + 1) / (answered + 2)

    def threshold_keeping(self, mean_kept: float) -> float:
        """Find the highest certainty of the classifier that does not show too much.

        Parameters
        ----------
        mean_kept : float
            The largest mean share of the pixels that images may show, in (0, 1].  Those that
            are not answered count with their most certain mask if they show less.

        Returns
        -------
        float
            In (0, 1]; the lowest certainty of all where even that shows more.
        """
        rows = np.arange(len(self))
        best = self._thresholds[0]
        rest = self.certainty.argmax(axis=1)
        if self.unanswered_level is not None:
            # Where less is shown than the most certain mask, a certainty that is never reached
            # would show the least.
            rest = np.maximum(rest, self.unanswered_level)
        for threshold in self._thresholds:
            level, _ = stops(self.certainty, threshold, rest)
            if self.kept[rows, level].mean() > mean_kept + 1e-6:
                break
            best = threshold
        return float(best)

    def reported(self, threshold: float) -> StopReport:
        """Learn the probability of being right at the stop, by the classifier's certainty.

        Parameters
        ----------
        threshold : float
            The classifier's certainty at which the search stops.

        Returns
        -------
        callable
            Maps certainties (n,) to probabilities (n,); also knows what is answered, and the
            prediction sets.
        """
        level, answered = stops(self.certainty, threshold, self.unanswered_level)
        rows = np.arange(len(self))
        certainty, correct = self.certainty[rows, level], self.correct[rows, level]
        whole = fit_curve(certainty, correct)

        def own(part: np.ndarray) -> tuple[float, float]:
            few = part.sum() < FEWEST_ANSWERED
            return whole if few else fit_curve(certainty[part], correct[part])

        return StopReport(
            threshold,
            own(answered),
            own(~answered),
            answered_classes=self.answered_classes if threshold == self.bound else None,
            set_proba=None if self.sets is None else self.sets.lowest(threshold),
            lowest_familiarity=self.lowest_familiarity,
        )


def fit_curve(certainty: np.ndarray, correct: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of a logistic curve through right and wrong answers."""
    z = logit(certainty)
    spread = float(z.std())
    if correct.all() or not correct.any() or spread < 1e-6:
        # One right and one wrong answer more: nobody is certain after a few images.
        return 0.0, float(logit((correct.sum() + 1) / (len(correct) + 2)))
    model = LogisticRegression(C=1.0).fit(((z - z.mean()) / spread)[:, None], correct)
    # More certainty never means fewer right answers; a falling curve is noise.
    slope = max(0.0, float(model.coef_[0, 0]) / spread)
    if slope == 0:
        return 0.0, float(logit((correct.sum() + 1) / (len(correct) + 2)))
    return slope, float(model.intercept_[0]) - slope * float(z.mean())
