"""Curves over a data set: insertion and deletion fidelity, risk against coverage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.explanations.figures._display import ExplanationDisplay, check_truth
from p2pselect.explanations.figures._pixels import BLUE, ORANGE
from p2pselect.explanations.figures._words import percent
from p2pselect.metrics._certainty import risk_coverage_curve
from p2pselect.metrics._explained import find_explainer
from p2pselect.metrics._fidelity import (
    FidelityCurve,
    deletion_fidelity_curve,
    insertion_fidelity_curve,
)


@dataclass(eq=False)
class FidelityCurveDisplay(ExplanationDisplay):
    """Insertion and deletion curves in one picture.

    Parameters
    ----------
    insertion : FidelityCurve
    deletion : FidelityCurve
    kept_fraction : float
        Mean share of the pixels that the classifier saw.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> made = example_explanation(n_images=2)
    >>> def brightness(images):
    ...     share = images.mean(axis=(1, 2, 3)) / 255
    ...     return np.stack([share, 1 - share], axis=1)
    >>> display = FidelityCurveDisplay.from_explanation(made.explanation, brightness)
    >>> float(display.insertion.values[-1])
    1.0
    """

    insertion: FidelityCurve
    deletion: FidelityCurve
    kept_fraction: float

    @classmethod
    def from_explanation(
        cls,
        exp: ExplanationArrays,
        predict_proba: Callable[[np.ndarray], np.ndarray],
        *,
        ax: Any = None,
    ) -> Self:
        """Compute both curves and draw them.

        Parameters
        ----------
        exp : Explanation
        predict_proba : callable
            Masked images (b, h, w, c) -> class probabilities (b, n_classes):
            ``estimator.predict_proba_masked``.
        ax : matplotlib.axes.Axes, optional
            Drawn on; by default those of a new figure.

        Returns
        -------
        FidelityCurveDisplay
        """
        insertion = insertion_fidelity_curve(exp, predict_proba)
        deletion = deletion_fidelity_curve(exp, predict_proba)
        return cls(insertion, deletion, float(exp.kept_fraction.mean())).plot(ax)

    @classmethod
    def from_estimator(  # type: ignore[override]
        cls, estimator: Any, X: Any, *, ax: Any = None
    ) -> Self:
        """Let a fitted estimator explain images, compute both curves and draw them.

        Parameters
        ----------
        estimator : fitted estimator
            With ``explain`` and ``predict_proba_masked``; a Pipeline that ends in one; or a
            fitted search over one.
        X : images
        ax : matplotlib.axes.Axes, optional
            Drawn on; by default those of a new figure.

        Returns
        -------
        FidelityCurveDisplay
        """
        explainer, images = find_explainer(estimator, X, asked_by=cls.__name__)
        exp = explainer.explain(images)
        return cls.from_explanation(exp, explainer.predict_proba_masked, ax=ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw both curves.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Drawn on; by default those of a new figure.

        Returns
        -------
        self
        """
        ax = self._start(ax)
        for curve, name, colour, line in (
            (self.insertion, "insertion, higher is better", BLUE, "o-"),
            (self.deletion, "deletion, lower is better", ORANGE, "s--"),
        ):
            name = f"{name} (area {curve.area:.2f})"
            ax.plot(curve.fractions, curve.values, line, color=colour, lw=2, ms=4, label=name)
        ax.axvline(self.kept_fraction, color="grey", lw=1, ls=":")
        ax.text(
            self.kept_fraction + 0.01,
            0.5,
            f"{percent(self.kept_fraction)} kept\non average",
            fontsize=9,
            color="grey",
        )
        ax.set(xlim=(0, 1), ylim=(-0.02, 1.02))
        ax.set(xlabel="fraction of the image added or removed, most important first")
        ax.set_ylabel("predictions unchanged")
        ax.legend(frameon=False, loc="best")
        ax.spines[["top", "right"]].set_visible(False)
        return self


@dataclass(eq=False)
class RiskCoverageDisplay(ExplanationDisplay):
    """Error rate when only the most certain share of the images is answered.

    Parameters
    ----------
    coverage : ndarray of shape (n,)
    risk : ndarray of shape (n,)
    certain : float
        Share of the images whose certainty reached what was asked for.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> made = example_explanation(n_images=6)
    >>> display = RiskCoverageDisplay.from_explanation(made.explanation, made.y)
    >>> float(display.coverage[-1])
    1.0
    """

    coverage: np.ndarray
    risk: np.ndarray
    certain: float

    @classmethod
    def from_explanation(cls, exp: ExplanationArrays, y: Any, *, ax: Any = None) -> Self:
        """Compute the curve from an explanation and true labels, and draw it.

        Parameters
        ----------
        exp : Explanation
        y : array-like of shape (n,)
            True labels.
        ax : matplotlib.axes.Axes, optional
            Drawn on; by default those of a new figure.

        Returns
        -------
        RiskCoverageDisplay
        """
        correct = exp.predicted == check_truth(exp, y)
        coverage, risk = risk_coverage_curve(correct, np.minimum(exp.certainty, 1))
        return cls(coverage, risk, float(exp.certainty_reached.mean())).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Drawn on; by default those of a new figure.

        Returns
        -------
        self
        """
        ax = self._start(ax)
        ax.step(self.coverage, self.risk, where="post", color=BLUE, lw=2.4)
        ax.fill_between(self.coverage, self.risk, step="post", color=BLUE, alpha=0.12)
        ax.axvline(self.certain, color="grey", lw=1, ls=":")
        place = {
            "rotation": 90,
            "ha": "right",
            "va": "top",
            "transform": ax.get_xaxis_transform(),
        }
        ax.text(self.certain, 0.97, "certain", fontsize=9, color="grey", **place)
        top = max(0.05, 1.15 * float(self.risk.max()))
        ax.set(xlim=(0, 1.01), ylim=(0, top))
        ax.set(xlabel="share of images answered, most certain first", ylabel="error rate")
        ax.set_title(
            f"Area {self.risk.mean():.3f}, all answered {percent(self.risk[-1])} wrong"
        )
        ax.spines[["top", "right"]].set_visible(False)
        return self
