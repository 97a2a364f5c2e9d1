"""What the display classes have in common, after scikit-learn's display objects."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect._labels import as_true_labels
from p2pselect.exceptions import InputError
from p2pselect.metrics._explained import find_explainer


class ExplanationDisplay:
    """Data of a figure: made by ``from_explanation`` or ``from_estimator``, drawn by ``plot``.

    Attributes
    ----------
    ax_ : matplotlib.axes.Axes
        What was drawn on, after ``plot``.
    figure_ : matplotlib.figure.Figure
        The figure of ``ax_``, after ``plot``.
    """

    size: ClassVar[tuple[float, float]] = (5.6, 3.8)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, *args: Any, ax: Any = None, **kw: Any
    ) -> Self:
        """Let a fitted estimator explain images, then do as ``from_explanation``.

        Parameters
        ----------
        estimator : fitted estimator
            With ``explain``; a Pipeline that ends in one; or a fitted search over one.
        X : images
            Anything that the estimator takes.
        *args, **kw
            The further parameters of ``from_explanation``.
        ax : matplotlib.axes.Axes, optional
            Drawn on; by default those of a new figure.
        """
        explainer, images = find_explainer(estimator, X, asked_by=cls.__name__)
        exp = explainer.explain(images)
        # Every display defines its own, with the parameters that it needs.
        return cls.from_explanation(exp, *args, ax=ax, **kw)  # type: ignore[attr-defined]

    def _start(self, ax: Any, size: tuple[float, float] | None = None) -> Any:
        from p2pselect.explanations.figures._figure import axes_or_new

        self.ax_ = axes_or_new(ax, *(size or self.size))
        self.figure_ = self.ax_.figure
        return self.ax_

    def _repr_html_(self) -> str | None:
        show = getattr(getattr(self, "figure_", None), "_repr_html_", None)
        return show() if show else None


def check_truth(exp: ExplanationArrays, y: Any) -> np.ndarray:
    """True labels as an array of shape (n,).

    Raises
    ------
    InputError
        If the number of labels is not that of the images, or they cannot be compared with
        the classes (see :func:`p2pselect._labels.as_true_labels`).
    """
    truth = as_true_labels(y, exp.classes)
    if len(truth) != len(exp):
        raise InputError(
            f"y must have one label per image: got {len(truth)} labels for {len(exp)} images"
        )
    return truth
