"""Displays of one image: its class probabilities along tau, and how its regions correlate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from p2pselect._docstrings import shared_docs
from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.exceptions import InputError
from p2pselect.explanations.figures._axes import remove_frame
from p2pselect.explanations.figures._display import ExplanationDisplay
from p2pselect.explanations.figures._photographs import photograph, region_crop
from p2pselect.explanations.figures._pixels import CYCLE
from p2pselect.explanations.figures._words import distinct_labels, percent


@shared_docs
@dataclass(eq=False)
class EvidenceCurveDisplay(ExplanationDisplay):
    """Class probabilities of one image against ``tau``, up to the stopping point.

    Parameters
    ----------
    tau : ndarray of shape (t,)
        Allowed fractions that were tried, increasing; the last one is the stopping point.
    proba : ndarray of shape (t, c)
        Probabilities of the classes that are drawn, the predicted class first.
    labels : list of c str
        Names of these classes.
    stop_certainty : float
        The classifier's certainty at which the search stops: the one that was asked for, or
        what calibration has made of it.
    answered : bool
        Whether it was reached.
    multilabel : bool, default=False
        Whether each of the curves is a label of its own, which may also be decided by a
        probability that is low enough.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> explanation = example_explanation(n_images=1).explanation
    >>> display = EvidenceCurveDisplay.from_explanation(explanation)
    >>> bool(display.tau[-1] == explanation.tau[0])
    True
    """

    tau: np.ndarray
    proba: np.ndarray
    labels: list[str]
    stop_certainty: float
    answered: bool
    multilabel: bool = False

    @classmethod
    def from_explanation(
        cls,
        explanation: ExplanationArrays,
        image: int = 0,
        *,
        n_classes: int = 4,
        ax: Any = None,
    ) -> Self:
        """Draw the search path of one image.

        Parameters
        ----------
        explanation : Explanation
            With ``path_tau`` and ``path_proba``.
        %(image)s
        n_classes : int, default=4
            Number of classes to draw, at most 7: those that are most probable at the stopping
            point.
        %(ax_and_what_is_drawn)s

        Raises
        ------
        InputError
            If the explanation has no search path because ``tau`` was fixed.
        """
        one = explanation[image]
        if one.path_tau is None or one.path_proba is None:
            raise InputError("this explanation has no search path: it was made for a fixed tau")
        # Of more classes, two would have the same color.
        top = one._kind.ranking(one.proba[0])[: min(n_classes, len(CYCLE))]
        # Beyond the stop nothing was tried, and the path holds NaN.
        known = np.isfinite(one.path_proba[0]).all(axis=1)
        display = cls(
            tau=one.path_tau[known],
            proba=one.path_proba[0][known][:, top],
            labels=distinct_labels(one.classes[top].tolist(), 18),
            stop_certainty=one.enough,
            answered=bool(one.answered[0]),
            multilabel=one.multilabel,
        )
        return display.plot(ax)

    def _draw(self, ax: Any) -> None:
        ends = _spread(self.proba[-1])
        for c, (curve, name) in enumerate(zip(self.proba.T, self.labels, strict=True)):
            style = {"lw": 1.4} if c else {"lw": 2.8}
            ax.plot(self.tau, curve, "o-", color=CYCLE[c], ms=4, **style)
            ax.annotate(
                f"  {name}  {percent(curve[-1])}",
                (self.tau[-1], ends[c]),
                color=CYCLE[c],
                va="center",
                fontweight="normal" if c else "bold",
                parse_math=False,
                # Drawn even where _spread has moved a name above the axes.
                annotation_clip=False,
            )
        enough = self.stop_certainty
        if enough <= 1:  # calibration may have found that no certainty is worth enough
            ax.plot([0, self.tau[-1]], [enough, enough], color="gray", lw=1, ls="--")
            note = f" enough: {percent(enough)}"
            ax.text(0, enough + 0.012, note, fontsize=9, color="gray", va="bottom")
            if self.multilabel:
                ax.plot([0, self.tau[-1]], [1 - enough] * 2, color="gray", lw=1, ls="--")
        ax.axvline(self.tau[-1], color="gray", lw=1, ls=":")
        stop = f"τ = {self.tau[-1]:.2f}"
        if self.answered:
            title = f"Answered at {stop}: this is all it needed"
        else:
            title = f"Not answered; stopped at {stop}"
        ax.set_title(title, fontsize=12, loc="left")
        # The names of the classes need room on the right.
        ax.set(xlim=(0, 1.3 * self.tau[-1]), ylim=(-0.02, 1.08))
        ax.set(xlabel="fraction of the image asked for, τ", ylabel="class probability")
        # The axis is longer than the curve, and beyond it no tau was tried.
        ax.set_xticks([tick for tick in ax.get_xticks() if tick <= self.tau[-1] + 1e-9])
        ax.spines[["top", "right"]].set_visible(False)


def _spread(values: np.ndarray, gap: float = 0.065) -> np.ndarray:
    """Heights for text beside values, moved upwards where texts would overlap."""
    heights = values.astype(float).copy()
    order = np.argsort(heights, kind="stable")
    for below, above in zip(order, order[1:], strict=False):
        heights[above] = max(heights[above], heights[below] + gap)
    return heights


@shared_docs
@dataclass(eq=False)
class RegionCorrelationDisplay(ExplanationDisplay):
    """Learned correlation of one image's most probable regions, pictured on both sides.

    Parameters
    ----------
    correlation : ndarray of shape (m, m)
        Correlations, in [-1, 1].
    thumbnails : ndarray of shape (m, s, s, 3), uint8
        Pictures of the regions.
    kept : ndarray of shape (m,), bool
        Which of the regions the classifier saw.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> explanation = example_explanation(n_images=1).explanation
    >>> display = RegionCorrelationDisplay.from_explanation(explanation, n_regions=5)
    >>> display.correlation.shape
    (5, 5)
    """

    correlation: np.ndarray
    thumbnails: np.ndarray
    kept: np.ndarray

    @classmethod
    def from_explanation(
        cls,
        explanation: ExplanationArrays,
        image: int = 0,
        *,
        n_regions: int = 12,
        ax: Any = None,
    ) -> Self:
        """Draw the covariance of one image's regions as correlations.

        Parameters
        ----------
        explanation : Explanation
            With region embeddings.
        %(image)s
        n_regions : int, default=12
            Number of regions to show, those with the highest scores.
        %(ax_and_what_is_drawn)s

        Raises
        ------
        InputError
            If the explanation has no region embeddings.
        """
        one = explanation[image]
        first = one.ranking[0][: min(n_regions, int(one.n_regions[0]))]
        covariance = one.covariance(0)[np.ix_(first, first)]
        # A region without variance is uncorrelated with all others, but not with itself.
        scale = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
        correlation = covariance / np.outer(scale, scale)
        np.fill_diagonal(correlation, 1)
        picture = photograph(one, 0)
        crops = [region_crop(picture, int(region)) for region in first]
        return cls(correlation, np.stack(crops), one.region_masks[0, first]).plot(ax)

    def _size(self) -> tuple[float, float]:
        return 6.4, 5.6

    def _draw(self, ax: Any) -> None:
        m = len(self.correlation)
        picture = ax.imshow(self.correlation, cmap="PuOr_r", vmin=-1, vmax=1)
        for i, crop in enumerate(self.thumbnails):
            for extent in (
                (-1.55, -0.6, i + 0.475, i - 0.475),
                (i - 0.475, i + 0.475, -0.6, -1.55),
            ):
                ax.imshow(crop, extent=extent, interpolation="nearest", aspect="equal")
        title = "Regions chosen together"
        n_kept = int(self.kept.sum())
        # Only a method that keeps its best regions has them all in one corner.
        if self.kept[:n_kept].all() and 0 < n_kept < m:
            edge = n_kept - 0.5
            ax.plot([-0.5, edge, edge], [edge, edge, -0.5], color="black", lw=2)
            title += " (inside the line: kept)"
        # Only now, because imshow sets limits of its own.
        ax.set(xlim=(-1.6, m - 0.5), ylim=(m - 0.5, -1.6))
        remove_frame(ax)
        ax.set_title(title, fontsize=12)
        bar = ax.figure.colorbar(picture, ax=ax, fraction=0.045, pad=0.02, ticks=[-1, 0, 1])
        bar.set_label("learned correlation")
        bar.outline.set_visible(False)
