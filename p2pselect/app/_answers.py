"""What programs are told about one image; ``openapi.json`` describes it."""

from __future__ import annotations

from typing import Any

from p2pselect.explanations import Explanation
from p2pselect.explanations._exports import pieces
from p2pselect.explanations.report._payload import mask_uri


def answer(one: Explanation) -> dict[str, Any]:
    """The answer to one image."""
    names = [str(label) for label in one.classes]
    said = {
        "prediction": str(one.predicted_names[0]),
        "certainty": float(one.certainty[0]),
        "answered": bool(one.answered[0]),
        "unanswered_reasons": one.unanswered_reasons[0],
        "kept_fraction": float(one.kept_fraction[0]),
        "probabilities": dict(zip(names, map(float, one.proba[0]), strict=True)),
    }
    if one.prediction_sets is not None:
        members = zip(names, one.prediction_sets[0], strict=True)
        said["prediction_set"] = [name for name, is_in in members if is_in]
    return said


def whole_answer(one: Explanation) -> dict[str, Any]:
    """The answer to one image, and what it is based on, at the size of the image."""
    (mask,) = one.masks_at_original_size()
    return answer(one) | {
        "tau": float(one.tau[0]),
        "regions": int(one.n_regions[0]),
        "kept_regions": int(one.region_masks[0].sum()),
        "height": mask.shape[0],
        "width": mask.shape[1],
        "mask": mask_uri(mask),
        "pieces": list(pieces(mask)),
    }
