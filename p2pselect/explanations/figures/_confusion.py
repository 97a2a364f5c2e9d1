"""A confusion matrix whose cells show what was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.exceptions import InputError
from p2pselect.explanations.figures._display import ExplanationDisplay, check_truth
from p2pselect.explanations.figures._pixels import BLUE, ORANGE, to_rgb
from p2pselect.explanations.figures._words import distinct_labels


@dataclass(eq=False)
class ConfusionExamplesDisplay(ExplanationDisplay):
    """Counts of (true, predicted) with the most certain example's masked image in each cell.

    Parameters
    ----------
    counts : ndarray of shape (m, m), int
        Rows are true classes, columns predicted ones.
    labels : list of m str
    examples : dict
        From (row, column) to what the classifier saw, uint8 (h, w, 3).
    n_left_out : int, default=0
        Classes with images that are not shown; the title says how many there are.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> made = example_explanation(n_images=4)
    >>> display = ConfusionExamplesDisplay.from_explanation(made.explanation, made.y)
    >>> int(display.counts.sum())
    4
    """

    counts: np.ndarray
    labels: list[str]
    examples: dict[tuple[int, int], np.ndarray]
    n_left_out: int = 0

    @classmethod
    def from_explanation(
        cls, exp: ExplanationArrays, y: Any, *, max_classes: int = 12, ax: Any = None
    ) -> Self:
        """Count, choose the examples and draw.

        Parameters
        ----------
        exp : Explanation
        y : array-like of shape (n,)
            True labels.
        max_classes : int, default=12
            Of more classes, those that are part of most errors are shown; the title counts
            the others.
        ax : matplotlib.axes.Axes, optional
            Drawn on; by default those of a new figure.

        Returns
        -------
        ConfusionExamplesDisplay

        Raises
        ------
        InputError
            If ``y`` does not fit the images, or there are none.
        """
        truth = check_truth(exp, y)
        if not len(exp):
            raise InputError("a confusion matrix needs at least one image")
        names = exp.classes.tolist()
        names += [value for value in np.unique(truth).tolist() if value not in names]
        place = {name: i for i, name in enumerate(names)}
        rows = np.array([place[value] for value in truth.tolist()])
        columns = exp.proba.argmax(axis=1)
        counts = np.zeros((len(names), len(names)), dtype=int)
        np.add.at(counts, (rows, columns), 1)
        used = counts.sum(axis=0) + counts.sum(axis=1)
        errors = used - 2 * np.diag(counts)
        ranked = np.lexsort((-used, -errors))
        shown = np.sort([i for i in ranked[:max_classes] if used[i]])
        examples = {}
        for i, row in enumerate(shown):
            for j, column in enumerate(shown):
                found = np.flatnonzero((rows == row) & (columns == column))
                if len(found):
                    best = found[exp.certainty[found].argmax()]
                    examples[i, j] = to_rgb(exp[int(best)].masked_images[0])
        chosen = distinct_labels([names[i] for i in shown], 14)
        n_left_out = int((used > 0).sum()) - len(shown)
        return cls(counts[np.ix_(shown, shown)], chosen, examples, n_left_out).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the matrix.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Drawn on; by default those of a new figure.

        Returns
        -------
        self
        """
        m = len(self.labels)
        side = max(3.5, 0.85 * m)
        ax = self._start(ax, (side + 1.0, side + 0.8))
        # Only now, for the line before says what to do where there is no matplotlib.
        from matplotlib.patches import Rectangle

        lines = np.arange(m + 1) - 0.5
        ax.hlines(lines, -0.5, m - 0.5, color="grey", alpha=0.25, lw=0.8)
        ax.vlines(lines, -0.5, m - 0.5, color="grey", alpha=0.25, lw=0.8)
        for (i, j), picture in self.examples.items():
            ax.imshow(picture, extent=(j - 0.46, j + 0.46, i + 0.46, i - 0.46))
            colour = BLUE if i == j else ORANGE
            corner = (j - 0.46, i - 0.46)
            ax.add_patch(Rectangle(corner, 0.92, 0.92, fill=False, ec=colour, lw=2.5))
            box = {"boxstyle": "round,pad=0.15", "fc": colour, "ec": "none"}
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
        return self
