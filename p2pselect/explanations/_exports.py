"""Explanations for other programs: rows of a table, and annotations in COCO's format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from skimage.measure import find_contours, label, regionprops

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.exceptions import InputError


def image_names(explanation: ExplanationArrays, names: Sequence[str] | None) -> list[str]:
    """A name for every image: as given, or its file, or its number."""
    if names is None:
        files = None if explanation.originals is None else explanation.originals.files
        names = range(len(explanation)) if files is None else files  # type: ignore[assignment]
    assert names is not None
    if len(names) != len(explanation):
        raise InputError(
            f"names must have one entry for each of the {len(explanation)} images, "
            f"got {len(names)}"
        )
    return [str(name) for name in names]


def columns(explanation: ExplanationArrays, names: Sequence[str] | None) -> dict[str, Any]:
    """The numbers of every image, by the name of the column."""
    return {
        "image": image_names(explanation, names),
        "prediction": explanation.predicted_names,
        "certainty": explanation.certainty,
        "answered": explanation.answered,
        "unanswered_reasons": ["|".join(why) for why in explanation.unanswered_reasons],
        "tau": explanation.tau,
        "kept_fraction": explanation.kept_fraction,
        "n_regions": explanation.n_regions,
        "n_selected_regions": explanation.region_masks.sum(axis=1),
        **{f"p({name})": explanation.proba[:, k] for k, name in enumerate(explanation.classes)},
    }


def coco(explanation: ExplanationArrays, names: Sequence[str] | None) -> dict[str, Any]:
    """COCO's format: an annotation for every connected piece of what is kept."""
    masks = explanation.masks_at_original_size()
    kind, proba = explanation._kind, explanation.proba
    answers = kind.answers(proba)
    annotations: list[dict[str, Any]] = []
    for i, mask in enumerate(masks):
        found = [*pieces(mask)]
        for k in range(len(explanation.classes)):
            own = {
                "image_id": i,
                "category_id": k,
                "score": float(proba[i, k]),
                "answered": bool(explanation.answered[i]),
            }
            if kind.has(answers[i], k):
                for piece in found:
                    annotations.append({"id": len(annotations), **own, **piece})
    return {
        "info": {"description": "The parts of the images that the predictions are based on."},
        "images": [
            {"id": i, "file_name": name, "height": mask.shape[0], "width": mask.shape[1]}
            for i, (name, mask) in enumerate(
                zip(image_names(explanation, names), masks, strict=True)
            )
        ],
        "categories": [
            {"id": k, "name": str(name)} for k, name in enumerate(explanation.classes)
        ],
        "annotations": annotations,
    }


def pieces(mask: np.ndarray) -> Iterator[dict[str, Any]]:
    """Area, bounding box and outline of every 4-connected piece of a mask (h, w)."""
    for piece in regionprops(label(mask, connectivity=1)):
        top, left, bottom, right = map(int, piece.bbox)
        has_holes = piece.area_filled > piece.area
        yield {
            "area": int(piece.area),
            "bbox": [left, top, right - left, bottom - top],
            "iscrowd": 0,
            # A list of polygons is the union of what they enclose, so holes would be filled.
            "segmentation": (
                run_lengths(piece.image, (top, left), mask.shape)
                if has_holes
                else [outline(piece.image, (top, left))]
            ),
        }


def outline(piece: np.ndarray, start: tuple[int, int]) -> list[float]:
    """The corners x, y, x, y ... of a piece without holes, along the edges of its pixels."""
    # Through the middle of every edge between a pixel of the piece and another one.
    (middles,) = find_contours(np.pad(piece, 1).astype(float), 0.5, fully_connected="low")
    middles = middles[:-1] - 0.5  # closed; and the padding, with the first pixel from 0 to 1
    # A whole number across the edge, and a half along it.
    is_upright = middles[:, 1] % 1 == 0
    after = np.roll(middles, -1, axis=0)
    turns = is_upright != np.roll(is_upright, -1)
    y = np.where(is_upright, after[:, 0], middles[:, 0])
    x = np.where(is_upright, middles[:, 1], after[:, 1])
    corners = np.stack([x, y], axis=1)[turns] + start[::-1]
    return [float(value) for value in corners.ravel()]


def run_lengths(
    piece: np.ndarray, start: tuple[int, int], shape: tuple[int, ...]
) -> dict[str, Any]:
    """COCO's run lengths: of 0 and 1 in turn, beginning with 0, column by column."""
    whole = np.zeros(shape, bool)
    whole[start[0] : start[0] + piece.shape[0], start[1] : start[1] + piece.shape[1]] = piece
    flat = np.concatenate([[False], whole.ravel(order="F"), [not whole[-1, -1]]])
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    return {"size": [*shape], "counts": np.diff(ends, prepend=0).tolist()}
