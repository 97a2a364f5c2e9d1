"""What ``fit`` is given as ``masks``: where the evidence may be in some of the images."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from p2pselect.exceptions import InputError, P2PSelectWarning, brief
from p2pselect.images import ImageSequence
from p2pselect.images._geometry import ALLOWED, FORBIDDEN, WANTED, Grid
from p2pselect.metrics._object_masks import check_one_mask, count_masks
from p2pselect.training._evidence import EvidenceMaps


def check_learns_from(masks: Any, estimator: Any) -> None:
    """Refuse masks where the objective of a method has no term for them."""
    if masks is not None and not estimator._learns_from_masks:
        raise InputError(
            f"{type(estimator).__name__} cannot learn from masks: its objective has no term "
            "for them; P2PClassifier, INVASEClassifier and RealXClassifier can"
        )


def read_evidence(masks: Any, images: ImageSequence, grid: Grid) -> EvidenceMaps | None:
    """The masks of images, on the grid of a model; None where none of them says anything.

    A mask that forbids the whole image counts as missing: folders of masks have such ones for
    images without an object, and a classifier has to see something.
    """
    if masks is None:
        return None
    if count_masks(masks, "masks") != len(images):
        raise InputError(
            "masks must have one entry per image, which is None for images without a mask: got "
            f"{len(masks)} masks for {len(images)} images"
        )
    places = np.full(len(images), -1)
    maps: list[np.ndarray] = []
    n_empty = 0
    for number, mask in enumerate(masks):
        if _is_missing(mask):
            continue
        own = _read_one(mask, images[number : number + 1], grid, f"masks[{number}]")
        if (own == FORBIDDEN).all():
            n_empty += 1
        elif (own != ALLOWED).any():
            places[number] = len(maps)
            maps.append(own)
    if n_empty:
        warnings.warn(
            f"{n_empty} of the masks allow no pixel of their image and teach nothing: they are "
            "0 everywhere",
            P2PSelectWarning,
            stacklevel=5,
        )
    return EvidenceMaps(places, np.stack(maps)) if maps else None


def _is_missing(mask: Any) -> bool:
    if mask is None:
        return True
    values = np.asarray(mask)
    return values.dtype.kind == "f" and values.size > 0 and bool(np.isnan(values).all())


def _read_one(mask: Any, image: ImageSequence, grid: Grid, name: str) -> np.ndarray:
    """A mask on the grid, uint8; what the grid has beyond the image says nothing."""
    values = np.asarray(mask)
    if values.dtype.kind in "iu" and values.ndim == 2 and values.max(initial=0) == WANTED:
        if values.min() < 0:
            raise InputError(f"{name} must be 0, 1 and 2, got {brief(int(values.min()))}")
        said = values.astype(np.uint8)
    else:
        said = check_one_mask(mask, name)[0].astype(np.uint8)
    height, width = map(int, image.sizes()[0])
    placement = grid.place((height, width))
    if said.shape == grid.size:
        own = placement.padded(said, ALLOWED)
    elif said.shape == (width, height) != (height, width):
        raise InputError(
            f"{name} has height and width exchanged: got {said.shape}, the image has "
            f"{(height, width)}"
        )
    elif _is_copy(said.shape, (height, width)):
        own = placement.onto_grid(said, ALLOWED)
    else:
        raise InputError(
            f"{name} must have the image's shape {(height, width)}, that of a copy of another "
            f"size, or the model's {grid.size}, got {said.shape}"
        )
    inside = placement.content.of(own)
    # What lies beyond the image is allowed, and would hide that nothing else is.
    return np.zeros_like(own) if (inside == FORBIDDEN).all() else own


def _is_copy(shape: tuple[int, ...], image: tuple[int, int]) -> bool:
    """Whether two shapes are the same but for their scale, and for whole pixels."""
    scale = max(shape) / max(image)
    return all(abs(a - scale * b) <= 1 for a, b in zip(shape, image, strict=True))
