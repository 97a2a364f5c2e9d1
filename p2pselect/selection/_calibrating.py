"""From the paths of held-out images and what is asked for to a calibration."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from p2pselect._answer_kinds import AnswerKind, OneClass
from p2pselect._answering import stops, unanswered_levels
from p2pselect.exceptions import InputError, P2PSelectWarning
from p2pselect.selection._error_bounds import best_for_classes, refusal, unanswered_classes
from p2pselect.selection._prediction_sets import SetCalibration
from p2pselect.selection._stop_calibration import StopCalibration


@dataclass(frozen=True)
class Paths:
    """What a classifier says of held-out images at every tau, and the truth."""

    proba: np.ndarray  # (n, t, n_classes)
    kept: np.ndarray  # (n, t)
    familiarity: np.ndarray  # (n,)
    truth: np.ndarray  # (n,): columns of proba, -1 where the label is unknown; or (n, n_labels)
    kind: AnswerKind = OneClass()

    def __getitem__(self, rows: slice | np.ndarray) -> Paths:
        names = ("proba", "kept", "familiarity", "truth")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    @property
    def certainty(self) -> np.ndarray:
        """The certainties (n, t)."""
        return self.kind.certainty(self.proba)

    @property
    def predicted(self) -> np.ndarray:
        """The answers (n, t), or (n, t, n_labels)."""
        return self.kind.answers(self.proba)

    @property
    def correct(self) -> np.ndarray:
        """Whether they are right (n, t)."""
        return self.kind.right(self.predicted, self.truth[:, None])

    @property
    def true_proba(self) -> np.ndarray:
        """The probabilities (n, t) of the true class."""
        truth = np.broadcast_to(self.truth[:, None], self.proba.shape[:2])
        return self.kind.proba_of(self.proba, truth)

    def unanswered_level(self, fallback: str) -> np.ndarray:
        """What the images (n,) show if they are not answered."""
        return unanswered_levels(self.proba, fallback, self.kind)


@dataclass(frozen=True)
class Asked:
    """What a calibration is to guarantee; see ``calibrate``."""

    max_error: float | None = None
    alpha: float | None = None
    per_class: bool = False
    mean_kept: float | None = None
    set_error: float | None = None
    max_unfamiliar: float | None = None


def calibrated(
    paths: Paths, classes: np.ndarray, asked: Asked, fallback: str
) -> StopCalibration:
    """Learn what was asked for from paths."""
    lowest = sets = None
    if asked.max_unfamiliar is not None:
        # The rest are images like those to come that pass: all else is said of these.
        lowest, paths = _familiar(paths, asked.max_unfamiliar)
    if asked.set_error is not None:
        # Images that decide where the search stops would make its sets look better than they
        # are: every other one has no say in it.
        others, paths = paths[1::2], paths[::2]
        sets = SetCalibration(
            others.certainty,
            others.true_proba,
            asked.set_error,
            others.unanswered_level(fallback),
        )
    found = StopCalibration(
        paths.certainty,
        paths.correct,
        paths.kept,
        paths.unanswered_level(fallback),
        max_error=asked.max_error,
        alpha=None if asked.max_error is None else asked.alpha,
        mean_kept=asked.mean_kept,
        sets=sets,
        lowest_familiarity=lowest,
    )
    if asked.mean_kept is not None:
        return replace(found, bound=found.threshold_keeping(asked.mean_kept))
    if asked.max_error is None:
        return found
    if asked.alpha is None:
        return replace(found, bound=found.threshold(1 - asked.max_error))
    if asked.per_class:
        return _bounded_by_class(found, paths, classes, asked.max_error, asked.alpha)
    return replace(found, bound=found.bounded_threshold(asked.max_error, asked.alpha))


def _familiar(paths: Paths, share: float) -> tuple[float, Paths]:
    """The familiarity that a new image misses with at most this probability; those above it."""
    n = len(paths.familiarity)
    rank = int(np.floor(share * (n + 1) + 1e-9))
    if not rank:
        raise InputError(
            f"max_unfamiliar={share:g} needs at least {int(np.ceil(1 / share)) - 1} held-out "
            f"images, got {n}"
        )
    order = np.argsort(paths.familiarity, kind="stable")
    return float(paths.familiarity[order[rank - 1]]), paths[np.sort(order[rank:])]


def _bounded_by_class(
    found: StopCalibration, paths: Paths, classes: np.ndarray, max_error: float, alpha: float
) -> StopCalibration:
    thresholds = found._thresholds[::-1]
    answered, right = (np.zeros((len(thresholds), len(classes)), int) for _ in range(2))
    rows, predicted = np.arange(len(found)), paths.predicted
    for row, threshold in enumerate(thresholds):
        level, certain = stops(found.certainty, threshold)
        named, correct = predicted[rows, level], found.correct[rows, level]
        answered[row] = np.bincount(named[certain], minlength=len(classes))
        right[row] = np.bincount(named[certain & correct], minlength=len(classes))
    row, keeps = best_for_classes(answered, right, max_error, alpha)
    if not keeps.any():
        most = answered.max(axis=0).argmax()
        why = refusal(
            len(found), answered[:, most], right[:, most], max_error, alpha / len(classes)
        )
        raise InputError(f"no class keeps its bound; of the most frequent answer: {why}")
    if not keeps.all():
        message = unanswered_classes(
            classes, keeps, len(found), answered[row], right[row], max_error, alpha
        )
        warnings.warn(message, P2PSelectWarning, stacklevel=4)
    return replace(found, bound=float(thresholds[row]), answered_classes=keeps)
