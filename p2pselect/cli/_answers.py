"""What every command says about its answers: how many, how good, and from how much."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def answers_in_words(
    answered: np.ndarray, kept: np.ndarray, right: np.ndarray | None = None
) -> str:
    """Shares of images (n,) that are answered, and of these and of all, right and kept.

    For example ``76.0% answered; right: 90.1% of the answered, 81.3% of all; pixels kept:
    15.1% of the answered, 20.1% of all``.
    """
    from p2pselect.metrics._stops import answer_figures

    found = answer_figures(answered, kept, right)
    parts = [f"{found['coverage']:.1%} answered"]
    if right is not None:
        parts.append(f"right: {_both(found['selective_accuracy'], found['accuracy'])}")
    both = _both(found["answered_kept_fraction"], found["kept_fraction"])
    return "; ".join([*parts, f"pixels kept: {both}"])


def right_answers(exp: Any, labels: np.ndarray) -> np.ndarray:
    """Whether the answers (n,) are right, for labels that may be texts of the classes."""
    import numpy as np

    if exp.multilabel:
        return np.asarray(exp._right(labels))
    return np.asarray(exp.predicted.astype(str) == labels.astype(str))


def label_cells(labels: np.ndarray, classes: np.ndarray) -> list[Any]:
    """Labels (n,) or (n, n_labels) as cells of a table: a text, or a list of them."""
    if labels.ndim == 1:
        return [str(label) for label in labels.tolist()]
    return [[str(name) for name in classes[row > 0].tolist()] for row in labels]


def _both(of_answered: float, of_all: float) -> str:
    first = "" if isnan(of_answered) else f"{of_answered:.1%} of the answered, "
    return f"{first}{of_all:.1%} of all"
