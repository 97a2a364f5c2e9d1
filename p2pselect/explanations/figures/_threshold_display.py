"""A display for choosing a certainty threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from p2pselect._docstrings import shared_docs
from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.explanations.figures._display import ExplanationDisplay
from p2pselect.explanations.figures._pixels import BLUE, ORANGE
from p2pselect.metrics._stops import DEFAULT_THRESHOLDS, ThresholdCurve, threshold_curve


@shared_docs
@dataclass(eq=False)
class ThresholdDisplay(ExplanationDisplay):
    """What other certainty thresholds would give: accuracy, coverage and kept area.

    Parameters
    ----------
    curve : ThresholdCurve
        Made by :func:`p2pselect.metrics.threshold_curve`.
    asked : float or None, default=None
        A threshold to mark, for example that of the model.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> example = example_explanation(n_images=6)
    >>> display = ThresholdDisplay.from_explanation(
    ...     example.explanation, example.y, thresholds=[0.5, 0.8, 0.95]
    ... )
    >>> display.curve.coverage.shape
    (3,)
    """

    curve: ThresholdCurve
    asked: float | None = None

    _explained = {"whole_path": True}

    @classmethod
    def from_explanation(
        cls,
        explanation: ExplanationArrays,
        y: Any,
        *,
        thresholds: Any = DEFAULT_THRESHOLDS,
        fallback: str = "most_certain",
        asked: float | None = None,
        ax: Any = None,
    ) -> Self:
        """Compute the curve and draw it.

        The paths of the explanation have to go on to the largest threshold: explain with
        ``whole_path=True``.

        Parameters
        ----------
        %(explanation)s
        %(y)s
        thresholds : array-like of shape (m,)
            Certainty thresholds in (0, 1], by default from .3 to .9999.
        fallback : {"everything", "most_certain", "settled"}, default="most_certain"
            What an image shows that never reaches a threshold.  ``from_estimator`` knows what
            the estimator does.
        asked : float, optional
            A threshold to mark.
        %(ax_and_what_is_drawn)s
        """
        curve = threshold_curve(explanation, y, thresholds, fallback=fallback)
        return cls(curve, asked).plot(ax)

    @classmethod
    def _from_explainer(
        cls, explainer: Any, explanation: ExplanationArrays, *args: Any, **options: Any
    ) -> Self:
        # Methods without the setting show everything, as the paper does.
        own = explainer.get_params().get("search__fallback", "everything")
        return cls.from_explanation(explanation, *args, **{"fallback": own, **options})

    def _size(self) -> tuple[float, float]:
        return 6.4, 4.0

    def _draw(self, ax: Any) -> None:
        curve = self.curve
        # The last hundredths matter as much as everything below: distances to 1, as a log.
        place = -np.log10(np.clip(1 - curve.certainty_threshold, 1e-5, 1))
        lines = (
            (curve.selective_accuracy, "right, of the answered", BLUE, "-"),
            (curve.accuracy, "right, of all", BLUE, ":"),
            (curve.coverage, "answered", "gray", "-"),
            (curve.answered_kept_fraction, "kept, of the answered", ORANGE, "-"),
            (curve.kept_fraction, "kept, of all", ORANGE, ":"),
        )
        for values, name, color, style in lines:
            ax.plot(place, values, style, color=color, lw=2, label=name)
        ticks = np.array([0.5, 0.8, 0.9, 0.95, 0.99, 0.999, 0.9999])
        low, high = curve.certainty_threshold.min(), curve.certainty_threshold.max()
        ticks = ticks[(ticks >= low) & (ticks <= high)]
        ax.set_xticks(-np.log10(1 - ticks), [f"{tick:g}" for tick in ticks], fontsize=9)
        ax.minorticks_off()
        if self.asked is not None and self.asked < 1:
            ax.axvline(-np.log10(1 - self.asked), color="gray", lw=1, ls="--")
        ax.set(ylim=(0, 1.02), xlabel="certainty asked for", ylabel="share")
        ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9)
        ax.spines[["top", "right"]].set_visible(False)
