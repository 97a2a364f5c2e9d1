"""Displays of many images: fidelity curves, risk against coverage, a confusion matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from p2pselect._docstrings import shared_docs
from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.exceptions import InputError
from p2pselect.explanations.figures._display import ExplanationDisplay, number_labels
from p2pselect.explanations.figures._photographs import photograph, seen
from p2pselect.explanations.figures._pixels import BLUE, ORANGE
from p2pselect.explanations.figures._words import distinct_labels, percent
from p2pselect.metrics._certainty import risk_coverage_curve
from p2pselect.metrics._explained import check_true_labels
from p2pselect.metrics._fidelity import (
    FidelityCurve,
    deletion_fidelity_curve,
    insertion_fidelity_curve,
)


@shared_docs
@dataclass(eq=False)
class FidelityCurveDisplay(ExplanationDisplay):
    """Insertion and deletion fidelity curves in one picture.

    Parameters
    ----------
    insertion : FidelityCurve
        Made by :func:`p2pselect.metrics.insertion_fidelity_curve`.
    deletion : FidelityCurve
        Made by :func:`p2pselect.metrics.deletion_fidelity_curve`.
    kept_fraction : float
        Mean share of the pixels that the classifier saw.

    Examples
    --------
    %(brightness_classifier)s
    >>> display = FidelityCurveDisplay.from_explanation(explanation, predict_proba)
    >>> float(display.insertion.values[-1])
    1.0
    """

    insertion: FidelityCurve
    deletion: FidelityCurve
    kept_fraction: float

    @classmethod
    def from_explanation(
        cls,
        explanation: ExplanationArrays,
        predict_proba: Callable[[np.ndarray], np.ndarray],
        *,
        ax: Any = None,
    ) -> Self:
        """Compute both curves and draw them.

        Parameters
        ----------
        %(explanation)s
        %(predict_proba)s
        %(ax_and_what_is_drawn)s
        """
        insertion = insertion_fidelity_curve(explanation, predict_proba)
        deletion = deletion_fidelity_curve(explanation, predict_proba)
        return cls(insertion, deletion, float(explanation.kept_fraction.mean())).plot(ax)

    @classmethod
    def _from_explainer(
        cls, explainer: Any, explanation: ExplanationArrays, *args: Any, **options: Any
    ) -> Self:
        predict_proba = explainer.predict_proba_masked
        return cls.from_explanation(explanation, predict_proba, *args, **options)

    def _draw(self, ax: Any) -> None:
        for curve, name, color, line in (
            (self.insertion, "insertion, higher is better", BLUE, "o-"),
            (self.deletion, "deletion, lower is better", ORANGE, "s--"),
        ):
            name = f"{name} (area {curve.area:.2f})"
            ax.plot(curve.fractions, curve.values, line, color=color, lw=2, ms=4, label=name)
        ax.axvline(self.kept_fraction, color="gray", lw=1, ls=":")
        note = f"{percent(self.kept_fraction)} kept\non average"
        ax.text(self.kept_fraction + 0.01, 0.5, note, fontsize=9, color="gray")
        ax.set(xlim=(0, 1), ylim=(-0.02, 1.02))
        ax.set(xlabel="fraction of the image added or removed, most important first")
        ax.set_ylabel("predictions unchanged")
        ax.legend(frameon=False, loc="best")
        ax.spines[["top", "right"]].set_visible(False)


@shared_docs
@dataclass(eq=False)
class RiskCoverageDisplay(ExplanationDisplay):
    """Error rate when only the most certain share of the images is answered.

    Parameters
    ----------
    coverage : ndarray of shape (n,)
        Share of the images that is answered, most certain first.
    risk : ndarray of shape (n,)
        Error rate among them.
    answered : float
        Share of the images that were answered, at the certainty that was asked for.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> example = example_explanation(n_images=6)
    >>> display = RiskCoverageDisplay.from_explanation(example.explanation, example.y)
    >>> float(display.coverage[-1])
    1.0
    """

    coverage: np.ndarray
    risk: np.ndarray
    answered: float

    @classmethod
    def from_explanation(
        cls, explanation: ExplanationArrays, y: Any, *, ax: Any = None
    ) -> Self:
        """Compute the curve and draw it.

        Parameters
        ----------
        %(explanation)s
        %(y)s
        %(ax_and_what_is_drawn)s
        """
        correct = explanation._right(check_true_labels(explanation, y))
        coverage, risk = risk_coverage_curve(correct, np.minimum(explanation.certainty, 1))
        return cls(coverage, risk, float(explanation.answered.mean())).plot(ax)

    def _draw(self, ax: Any) -> None:
        ax.step(self.coverage, self.risk, where="post", color=BLUE, lw=2.4)
        ax.fill_between(self.coverage, self.risk, step="post", color=BLUE, alpha=0.12)
        ax.axvline(self.answered, color="gray", lw=1, ls=":")
        place = {"rotation": 90, "ha": "right", "va": "top"}
        place["transform"] = ax.get_xaxis_transform()
        ax.text(self.answered, 0.97, "answered", fontsize=9, color="gray", **place)
        top = max(0.05, 1.15 * float(self.risk.max()))
        ax.set(xlim=(0, 1.01), ylim=(0, top))
        ax.set(xlabel="share of images answered, most certain first", ylabel="error rate")
        everything = f"{percent(self.risk[-1])} wrong if all are answered"
        ax.set_title(f"Area {self.risk.mean():.3f}, {everything}")
        ax.spines[["top", "right"]].set_visible(False)


@shared_docs
@dataclass(eq=False)
class ConfusionExamplesDisplay(ExplanationDisplay):
    """Counts of (true, predicted), with what the classifier saw of an example in each cell.

    The example is the image of the cell whose prediction is most certain.

    Parameters
    ----------
    counts : ndarray of shape (m, m), int
        Number of images; rows are true classes, columns predicted ones.
    labels : list of m str
        Names of the classes.
    examples : dict
        Maps (row, column) to what the classifier saw, uint8 (h, w, 3).
    n_left_out : int, default=0
        Number of classes with images that are not shown; the title says it.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> example = example_explanation(n_images=4)
    >>> display = ConfusionExamplesDisplay.from_explanation(example.explanation, example.y)
    >>> int(display.counts.sum())
    4
    """

    counts: np.ndarray
    labels: list[str]
    examples: dict[tuple[int, int], np.ndarray]
    n_left_out: int = 0

    @classmethod
    def from_explanation(
        cls, explanation: ExplanationArrays, y: Any, *, max_classes: int = 12, ax: Any = None
    ) -> Self:
        """Count, choose the examples and draw.

        Parameters
        ----------
        %(explanation)s
        %(y)s
        max_classes : int, default=12
            If there are more classes, those with the most errors are shown, and the title says
            how many others there are.
        %(ax_and_what_is_drawn)s

        Raises
        ------
        InputError
            If `y` does not fit the images, if there are none, or if they have several labels.
        """
        if explanation.multilabel:
            raise InputError("a confusion matrix needs one class per image, not several labels")
        truth = check_true_labels(explanation, y)
        if not len(explanation):
            raise InputError("a confusion matrix needs at least one image")
        names, numbers = number_labels(explanation, truth)
        rows = np.array(numbers)
        columns = explanation.proba.argmax(axis=1)
        counts = np.zeros((len(names), len(names)), dtype=int)
        np.add.at(counts, (rows, columns), 1)
        used = counts.sum(axis=0) + counts.sum(axis=1)
        # Right answers are in their row and in their column.
        errors = used - 2 * np.diag(counts)
        # lexsort sorts by the last key first: most errors, then most images.
        ranked = np.lexsort((-used, -errors))
        shown = np.sort([i for i in ranked[:max_classes] if used[i]])
        certainty = explanation.certainty
        examples = {}
        for i, row in enumerate(shown):
            for j, column in enumerate(shown):
                found = np.flatnonzero((rows == row) & (columns == column))
                if len(found):
                    best = int(found[certainty[found].argmax()])
                    one, picture = explanation[best], photograph(explanation, best, 256)
                    examples[i, j] = seen(one, picture)
        labels = distinct_labels([names[i] for i in shown], 14)
        n_left_out = int((used > 0).sum()) - len(shown)
        return cls(counts[np.ix_(shown, shown)], labels, examples, n_left_out).plot(ax)

    def _size(self) -> tuple[float, float]:
        side = max(3.5, 0.85 * len(self.labels))
        return side + 1.0, side + 0.8

    def _draw(self, ax: Any) -> None:
        from matplotlib.patches import Rectangle

        m = len(self.labels)
        lines = np.arange(m + 1) - 0.5
        ax.hlines(lines, -0.5, m - 0.5, color="gray", alpha=0.25, lw=0.8)
        ax.vlines(lines, -0.5, m - 0.5, color="gray", alpha=0.25, lw=0.8)
        for (i, j), picture in self.examples.items():
            # As large as fits into the cell.
            down, right = 0.46 * np.array(picture.shape[:2]) / max(picture.shape[:2])
            ax.imshow(picture, extent=(j - right, j + right, i + down, i - down))
            color = BLUE if i == j else ORANGE
            corner = (j - 0.46, i - 0.46)
            ax.add_patch(Rectangle(corner, 0.92, 0.92, fill=False, ec=color, lw=2.5))
            box = {"boxstyle": "round,pad=0.15", "fc": color, "ec": "none"}
            text = {"color": "white", "fontsize": 9, "fontweight": "bold", "bbox": box}
            ax.text(j + 0.42, i - 0.42, f"{self.counts[i, j]}", ha="right", va="top", **text)
        ax.set(xlim=(-0.5, m - 0.5), ylim=(m - 0.5, -0.5), aspect="equal")
        turn = 45 if max(map(len, self.labels)) > 4 else 0
        place = {"ha": "right", "rotation_mode": "anchor"} if turn else {}
        ax.set_xticks(range(m), self.labels, rotation=turn, parse_math=False, **place)
        ax.set_yticks(range(m), self.labels, parse_math=False)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        ax.set(xlabel="predicted", ylabel="true")
        title = "What the classifier saw, by answer"
        if self.n_left_out:
            title += f"\n{m} classes with the most errors; {self.n_left_out} others left out"
        ax.set_title(title, fontsize=12)
