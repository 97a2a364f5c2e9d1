"""Evidence curve: how the class probabilities grow with what is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.exceptions import InputError
from p2pselect.explanations.figures._display import ExplanationDisplay
from p2pselect.explanations.figures._pixels import CYCLE
from p2pselect.explanations.figures._words import distinct_labels, percent


@dataclass(eq=False)
class EvidenceCurveDisplay(ExplanationDisplay):
    """Class probabilities of one image against ``tau``, up to the stopping point.

    Parameters
    ----------
    tau : ndarray of shape (t,)
        Allowed fractions that were looked at, increasing; the last is the stopping point.
    proba : ndarray of shape (t, c)
        Probabilities of the classes that are drawn, the predicted class first.
    labels : list of c str
    certainty_threshold : float
    certain : bool
        Whether the threshold was reached.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> exp = example_explanation(n_images=1).explanation
    >>> display = EvidenceCurveDisplay.from_explanation(exp)
    >>> bool(display.tau[-1] == exp.tau[0])
    True
    """

    tau: np.ndarray
    proba: np.ndarray
    labels: list[str]
    certainty_threshold: float
    certain: bool

    @classmethod
    def from_explanation(
        cls, exp: ExplanationArrays, image: int = 0, *, n_classes: int = 4, ax: Any = None
    ) -> Self:
        """Take one image's search path and draw it.

        Parameters
        ----------
        exp : Explanation
            With ``path_tau`` and ``path_proba``.
        image : int, default=0
        n_classes : int, default=4
            So many of the classes that are most probable at the stopping point are drawn,
            at most 7.
        ax : matplotlib.axes.Axes, optional
            Drawn on; by default those of a new figure.

        Returns
        -------
        EvidenceCurveDisplay

        Raises
        ------
        InputError
            If the explanation has no search path: ``tau`` was fixed.
        """
        if exp.path_tau is None or exp.path_proba is None:
            raise InputError("this explanation has no search path: it was made for a fixed tau")
        exp = exp[image]
        assert exp.path_tau is not None and exp.path_proba is not None
        top = np.argsort(-exp.proba[0], kind="stable")[: min(n_classes, len(CYCLE))]
        known = np.isfinite(exp.path_proba[0]).all(axis=1)
        display = cls(
            tau=exp.path_tau[known],
            proba=exp.path_proba[0][known][:, top],
            labels=distinct_labels(exp.classes[top].tolist(), 18),
            certainty_threshold=float(exp.certainty_threshold),
            certain=bool(exp.certainty_reached[0]),
        )
        return display.plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Drawn on; by default those of a new figure.

        Returns
        -------
        self
        """
        ax = self._start(ax)
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
                annotation_clip=False,
            )
        asked = self.certainty_threshold
        ax.plot([0, self.tau[-1]], [asked, asked], color="grey", lw=1, ls="--")
        note = f" asked for {percent(asked)}"
        ax.text(0, asked + 0.012, note, fontsize=9, color="grey", va="bottom")
        ax.axvline(self.tau[-1], color="grey", lw=1, ls=":")
        stop = f"τ = {self.tau[-1]:.2f}"
        ax.set_title(
            f"Certain at {stop}: this is all it needed"
            if self.certain
            else f"Not certain; stopped at {stop}",
            fontsize=12,
            loc="left",
        )
        # Room on the right for the names of the classes.
        ax.set(xlim=(0, 1.3 * self.tau[-1]), ylim=(-0.02, 1.08))
        ax.set(xlabel="fraction of the image asked for, τ", ylabel="class probability")
        ax.set_xticks([tick for tick in ax.get_xticks() if tick <= self.tau[-1] + 1e-9])
        ax.spines[["top", "right"]].set_visible(False)
        return self


def _spread(values: np.ndarray, gap: float = 0.065) -> np.ndarray:
    """Heights for text beside values, moved apart upwards where they would overlap."""
    heights = values.astype(float).copy()
    order = np.argsort(heights, kind="stable")
    for below, above in zip(order, order[1:], strict=False):
        heights[above] = max(heights[above], heights[below] + gap)
    return heights
