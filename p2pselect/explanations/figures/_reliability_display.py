"""A display of how much a certainty is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.stats import binom

from p2pselect._docstrings import shared_docs
from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.explanations.figures._display import ExplanationDisplay
from p2pselect.explanations.figures._pixels import BLUE
from p2pselect.metrics._certainty import (
    ReliabilityCurve,
    calibration_error_floor,
    expected_calibration_error,
    reliability_curve,
)
from p2pselect.metrics._explained import check_true_labels


@shared_docs
@dataclass(eq=False)
class ReliabilityDisplay(ExplanationDisplay):
    """How often predictions are right, against the certainty at which the search stopped.

    On the diagonal, certainty means what it says; below it, the model is overconfident.  Gray
    bars show where nine in ten perfectly calibrated models would be with as many images.

    Parameters
    ----------
    curve : ReliabilityCurve
        Made by :func:`p2pselect.metrics.reliability_curve`.
    error : float
        Made by :func:`p2pselect.metrics.expected_calibration_error`.
    floor : float
        Made by :func:`p2pselect.metrics.calibration_error_floor`: the error of a perfectly
        calibrated model on as many images.
    certainty_threshold : float
        The certainty that was asked for.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> example = example_explanation(n_images=6)
    >>> display = ReliabilityDisplay.from_explanation(example.explanation, example.y)
    >>> int(display.curve.n_images.sum())
    6
    """

    curve: ReliabilityCurve
    error: float
    floor: float
    certainty_threshold: float

    @classmethod
    def from_explanation(
        cls, explanation: ExplanationArrays, y: Any, *, n_bins: int = 10, ax: Any = None
    ) -> Self:
        """Compute the curve and its errors, and draw them.

        Parameters
        ----------
        %(explanation)s
        %(y)s
        n_bins : int, default=10
            Number of bins of equal width between 0 and 1.
        %(ax_and_what_is_drawn)s
        """
        measured = reliability(explanation, check_true_labels(explanation, y), n_bins)
        return cls(*measured, float(explanation.certainty_threshold)).plot(ax)

    def _size(self) -> tuple[float, float]:
        return 4.6, 4.4

    def _draw(self, ax: Any) -> None:
        curve = self.curve
        ax.plot([0, 1], [0, 1], color="gray", lw=1)
        low, high = range_of_perfect(curve)
        ax.vlines(curve.certainty, low, high, color="lightgray", lw=6)
        ax.plot(curve.certainty, curve.accuracy, "o-", color=BLUE, lw=1.6, ms=6)
        for x, y, n in zip(*curve, strict=True):
            # Away from the diagonal, on which most of them lie.
            side, shift = ("left", 6) if y < 0.5 else ("right", -6)
            place = {"ha": side, "va": "bottom", "fontsize": 9}
            ax.annotate(f"{n}", (x, y), (shift, 3), textcoords="offset points", **place)
        ax.axvline(self.certainty_threshold, color="gray", lw=1, ls=":")
        ax.set(xlim=(0, 1.03), ylim=(-0.03, 1.08), xlabel="certainty at the stop")
        ax.set_ylabel("share of right predictions")
        ax.set_title(
            f"Calibration error {self.error:.3f}; of a perfect model {self.floor:.3f}",
            fontsize=11,
        )
        ax.spines[["top", "right"]].set_visible(False)


def reliability(
    explanation: ExplanationArrays, truth: np.ndarray, n_bins: int = 10
) -> tuple[ReliabilityCurve, float, float]:
    """The curve, the calibration error, and that of a perfect model on as many images."""
    correct = explanation._right(truth)
    # Rounding of float32 may put a probability above 1.
    certainty = np.minimum(explanation.certainty, 1)
    return (
        reliability_curve(correct, certainty, n_bins=n_bins),
        expected_calibration_error(correct, certainty, n_bins=n_bins),
        calibration_error_floor(certainty, n_bins=n_bins),
    )


def range_of_perfect(curve: ReliabilityCurve) -> tuple[np.ndarray, np.ndarray]:
    """Between which shares nine in ten perfectly calibrated models are, bin by bin."""
    low, high = (binom.ppf(q, curve.n_images, curve.certainty) for q in (0.05, 0.95))
    return low / curve.n_images, high / curve.n_images
