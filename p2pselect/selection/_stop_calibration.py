"""What held-out images say about the certainty at which a search stops.

A search stops at the first mask that makes the classifier certain, and so picks the luckiest
step of a path: the classifier's word, even if it is true for every single mask, is too high at
the stop.  Everything here therefore looks at held-out images where they stop.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.stats import beta
from sklearn.isotonic import IsotonicRegression

from p2pselect.exceptions import InputError
from p2pselect.metrics._stops import stops
from p2pselect.selection._stop_report import StopReport, fit_curve

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
    max_error : float, optional
        The largest share of wrong answers that was asked for.
    alpha : float, optional
        The probability with which it may be exceeded; None if it holds on average only.
    mean_kept : float, optional
        The largest mean share of the pixels that was asked for.
    bound : float, optional
        The classifier's certainty at which the search stops to keep either.
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
    max_error: float | None = None
    alpha: float | None = None
    mean_kept: float | None = None
    bound: float | None = None
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
        then test", 2021: fixed sequence testing, here from the strictest threshold downwards,
        with the exact binomial bounds of Clopper & Pearson, 1934).

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
        # With fewer answers even a faultless classifier does not pass.  The number of answers
        # says nothing about which of them are right, so that starting there is no choice.
        needed = int(np.ceil(np.log(alpha) / np.log1p(-max_error)))
        found = None
        for threshold, n, k in zip(thresholds, answered, right, strict=True):
            if n < needed:
                continue
            wrong = n - k
            bound = beta.ppf(1 - alpha, wrong + 1, k) if k else 1.0
            if bound > max_error:
                break
            found = threshold
        if found is None:
            raise InputError(self._refusal(answered, right, needed, max_error, alpha))
        return float(found)

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

    def threshold_keeping(self, mean_kept: float, fallback: str) -> float:
        """Find the highest certainty of the classifier that does not show too much.

        Parameters
        ----------
        mean_kept : float
            The largest mean share of the pixels that images may show, in (0, 1].
        fallback : {"everything", "most_certain"}
            What an image shows that never becomes certain.

        Returns
        -------
        float
            In (0, 1]; the lowest certainty of all where even that shows more.
        """
        rows = np.arange(len(self))
        best = self._thresholds[0]
        for threshold in self._thresholds:
            level, _ = stops(self.certainty, threshold, fallback)
            if self.kept[rows, level].mean() > mean_kept + 1e-6:
                break
            best = threshold
        return float(best)

    def _refusal(
        self,
        answered: np.ndarray,
        right: np.ndarray,
        needed: int,
        max_error: float,
        alpha: float,
    ) -> str:
        asked = f"max_error={max_error:g} with alpha={alpha:g}"
        if answered.max(initial=0) < needed:
            return (
                f"{asked} needs at least {needed} held-out images that are answered, all of "
                f"them correctly; got {len(self)} images"
            )
        first = int((answered >= needed).argmax())
        n, wrong = int(answered[first]), int(answered[first] - right[first])
        return (
            f"no certainty keeps {asked}: of the {n} most certain of {len(self)} held-out "
            f"images {wrong} are answered wrongly, and the bound on the error is "
            f"{beta.ppf(1 - alpha, wrong + 1, n - wrong) if n > wrong else 1:.3f}.  More "
            "held-out images, a larger max_error or a better model would help"
        )

    def reported(self, threshold: float) -> StopReport:
        """Learn the probability of being right at the stop, by the classifier's certainty.

        Parameters
        ----------
        threshold : float
            The classifier's certainty at which the search stops.

        Returns
        -------
        callable
            Maps certainties (n,) to probabilities (n,).
        """
        fallback = self.settings.get("search__fallback", "most_certain")
        level, answered = stops(self.certainty, threshold, fallback)
        rows = np.arange(len(self))
        certainty, correct = self.certainty[rows, level], self.correct[rows, level]
        whole = fit_curve(certainty, correct)

        def own(part: np.ndarray) -> tuple[float, float]:
            few = part.sum() < FEWEST_ANSWERED
            return whole if few else fit_curve(certainty[part], correct[part])

        return StopReport(threshold, own(answered), own(~answered))


def calibration_of_paths(
    path_proba: np.ndarray, kept: np.ndarray, classes: np.ndarray, truth: np.ndarray
) -> StopCalibration:
    """The calibration of whole paths (n, t, n_classes), (n, t) and true labels (n,)."""
    predicted = classes[path_proba.argmax(axis=2)]
    return StopCalibration(path_proba.max(axis=2), predicted == truth[:, None], kept)


def with_bound(
    calibration: StopCalibration,
    max_error: float | None,
    alpha: float | None,
    mean_kept: float | None,
    fallback: str,
) -> StopCalibration:
    """The same with a threshold that bounds error or kept area, if one is asked for."""
    if mean_kept is not None:
        bound = calibration.threshold_keeping(mean_kept, fallback)
        return replace(calibration, mean_kept=mean_kept, bound=bound)
    if max_error is None:
        return calibration
    if alpha is None:
        bound = calibration.threshold(1 - max_error)
    else:
        bound = calibration.bounded_threshold(max_error, alpha)
    return replace(calibration, max_error=max_error, alpha=alpha, bound=bound)


def as_lists(calibration: StopCalibration) -> dict[str, Any]:
    """A calibration in lists and numbers, for a file."""
    arrays = {"certainty", "correct", "kept"}
    return {
        item.name: getattr(calibration, item.name).tolist()
        if item.name in arrays
        else getattr(calibration, item.name)
        for item in fields(calibration)
    }


def from_lists(stored: dict[str, Any]) -> StopCalibration:
    """What :func:`as_lists` made; raises InputError if it is anything else."""
    rest = {k: v for k, v in stored.items() if k not in ("certainty", "correct", "kept")}
    certainty = np.array(stored["certainty"], np.float32)
    correct = np.array(stored["correct"])
    kept = np.array(stored["kept"], np.float32)
    calibration = StopCalibration(certainty, correct, kept, **rest)
    numbers = [calibration.max_error, calibration.alpha]
    numbers += [calibration.mean_kept, calibration.bound]
    fits = (
        certainty.ndim == 2
        and correct.shape == certainty.shape == kept.shape
        and correct.dtype == bool
        and bool(((certainty >= 0) & (certainty <= 1.001)).all())
        and all(value is None or isinstance(value, float) for value in numbers)
        and isinstance(calibration.settings, dict)
    )
    if not fits:
        raise InputError("the calibration is not one of paths of certainties")
    return calibration
