"""What can be audited: a model that ranks regions, by a judge of the same question."""

from __future__ import annotations

from typing import Any

import numpy as np

from p2pselect._answer_kinds import ONE_CLASS, AnswerKind
from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect._labels import read_labels
from p2pselect._targets import find_targets, kind_of
from p2pselect.exceptions import InputError, brief


def check_ranking(exp: ExplanationArrays, explainer: Any, asked_by: str) -> None:
    """Refuse to compare orders of regions where there are none."""
    if not len(exp):
        raise InputError(f"{asked_by} needs at least one image")
    if not ranks_regions(exp):
        raise InputError(
            f"{asked_by} needs a model that ranks the regions of an image; all are equal "
            f"to this {type(explainer).__name__}"
        )


def ranks_regions(exp: ExplanationArrays) -> bool:
    """Whether the regions of any image differ in their scores."""
    scores = np.where(np.isinf(exp.selection_logits), np.nan, exp.selection_logits)
    return bool((np.nanmax(scores, axis=1) > np.nanmin(scores, axis=1)).any())


def check_same_question(judge: Any, y: Any, exp: ExplanationArrays) -> None:
    """Refuse a judge that answers, or labels that would teach it, something else."""
    if judge is None:
        labels, columns = read_labels(y)
        kind, classes = kind_of(labels), find_targets(labels, columns)
    else:
        kind, classes = judge._kind, judge.classes_
    if kind == exp._kind and np.array_equal(classes, exp.classes):
        return
    whose = "y has" if judge is None else "the judge knows"
    raise InputError(
        f"{whose} {_named(classes, kind)}, the model {_named(exp.classes, exp._kind)}"
    )


def _named(classes: np.ndarray, kind: AnswerKind) -> str:
    return f"the {'classes' if kind == ONE_CLASS else 'labels'} {brief(classes.tolist())}"
