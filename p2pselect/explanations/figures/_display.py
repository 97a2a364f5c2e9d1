"""What the display classes have in common, after scikit-learn's display objects."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from p2pselect._docstrings import shared_docs
from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.explanations.figures._axes import axes_or_new
from p2pselect.metrics._explained import find_explainer


@shared_docs
class Display:
    """The data of a figure.

    After ``plot``, ``ax_`` holds the axes that were drawn on, and ``figure_`` their figure.
    """

    def plot(self, ax: Any = None) -> Self:
        """Draw the data.

        Parameters
        ----------
        %(ax_and_what_is_drawn)s
        """
        self.ax_ = axes_or_new(ax, *self._size())
        self.figure_ = self.ax_.figure
        self._draw(self.ax_)
        return self

    def _size(self) -> tuple[float, float]:
        """Width and height of a new figure, in inches."""
        return 5.6, 3.8

    def _draw(self, ax: Any) -> None:
        raise NotImplementedError

    def _repr_html_(self) -> str | None:
        show = getattr(getattr(self, "figure_", None), "_repr_html_", None)
        return show() if show else None


@shared_docs
class ExplanationDisplay(Display):
    """A display that is made by ``from_explanation`` or ``from_estimator``."""

    #: Arguments of ``explain`` that the figure needs.
    _explained: ClassVar[dict[str, Any]] = {}

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, *args: Any, ax: Any = None, **options: Any
    ) -> Self:
        """Let a fitted estimator explain images, then draw them as ``from_explanation`` does.

        Parameters
        ----------
        %(estimator)s
        %(X)s
        *args
            Further parameters of ``from_explanation``.
        %(ax)s
        **options
            Further parameters of ``from_explanation``.

        Returns
        -------
        ExplanationDisplay
            An object of the class, with what it drew.
        """
        explainer, images = find_explainer(estimator, X, asked_by=cls.__name__)
        explanation = explainer.explain(images, **cls._explained)
        return cls._from_explainer(explainer, explanation, *args, ax=ax, **options)

    @classmethod
    def _from_explainer(
        cls, explainer: Any, explanation: ExplanationArrays, *args: Any, **options: Any
    ) -> Self:
        # Every display defines its own, with the parameters that it needs.
        return cls.from_explanation(explanation, *args, **options)  # type: ignore[attr-defined]


def number_labels(
    explanation: ExplanationArrays, truth: np.ndarray | None
) -> tuple[list[Any], list[Any]]:
    """All labels, and the place of every true one among them (none if they are not known).

    Labels that the model does not know come after those that it does.  Several labels of an
    image are a text of 0 and 1.
    """
    labels = explanation.classes.tolist()
    if truth is None:
        return labels, []
    if explanation.multilabel:
        return labels, explanation._kind.codes(truth)
    labels += [value for value in np.unique(truth).tolist() if value not in labels]
    place = {value: i for i, value in enumerate(labels)}
    return labels, [place[value] for value in truth.tolist()]
