"""The audit of a trial as scores: whether a method's masks hide the label in their choice."""

from __future__ import annotations

from typing import Any

import numpy as np

from p2pselect.explanations._explanation import Explanation
from p2pselect.methods import JudgeClassifier
from p2pselect.model_selection import audit
from p2pselect.model_selection._audit import AREAS
from p2pselect.model_selection._audit_result import ENCODES, PIXELS
from p2pselect.model_selection._comparable import ranks_regions
from p2pselect.reproduction._score_names import curve_point
from p2pselect.reproduction._split import Split

#: Accuracy of a model minus that of its judge, and the ends of the interval over the images.
GAP = ("audit_gap", "audit_gap_low", "audit_gap_high")
#: Rows of an audit by score: who reads which masks.
_READ = {
    "audit_model": "model",
    "audit_judge": "judge",
    "audit_scattered": "judge: scattered",
    "audit_contiguous": "judge: contiguous",
    "audit_objects": "judge: objects",
}


def audit_scores(
    clf: Any, train: Split, test: Split, examples: Explanation, *, n_epochs: int, seed: int
) -> dict[str, float]:
    """Scores of an audit with a judge of at most `n_epochs`; none for methods without an order.

    ``audit_encodes`` and ``audit_pixels`` are 1 for that verdict, and both are 0 for "cannot
    tell".  ``audit_outside`` is the share of a method's own masks that is no part of an object,
    where there are objects.  `examples` are a few explanations by the same method.
    """
    if not ranks_regions(examples):
        return {}
    judge = JudgeClassifier.like(clf, random_state=seed, max_epochs=n_epochs)
    found = audit(
        clf,
        train.images,
        train.target,
        test.images,
        test.target,
        masks=test.object_masks(slice(None)),
        judge=judge,
    )
    scores = {
        "audit_encodes": float(found.verdict == ENCODES),
        "audit_pixels": float(found.verdict == PIXELS),
    }
    rows = {name: found.figure(row)[0] for name, row in _READ.items() if row in found.values}
    rows |= dict(zip(GAP, found.gap, strict=True))
    for area in AREAS:
        # The first level may be the mean area of the model's own masks.
        (level,) = np.flatnonzero(found.levels[:-2] == area)
        scores |= {curve_point(name, area): float(row[level]) for name, row in rows.items()}
    if "shown outside" in found.values:
        *_, own, whole = found.figure("shown outside")[0]
        outside = {"audit_outside": own, "audit_outside_random": whole}
        # Continuous masks have no such figure.
        scores |= {name: float(value) for name, value in outside.items() if np.isfinite(value)}
    return scores
