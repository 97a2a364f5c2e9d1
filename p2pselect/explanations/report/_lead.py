"""What the pictures of a page are, in a few sentences above them."""

from __future__ import annotations

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect._fill import BLACK
from p2pselect.explanations.figures._words import fill_words

_LEAD = (
    "Each pair shows an image and, beside it, <strong>all that the classifier saw of it"
    "</strong>: everything black was removed before the classifier looked, so nothing there "
    "can have influenced the answer."
)
_LEAD_OF_SOFT_MASKS = (
    "Each pair shows an image and, beside it, <strong>what the classifier saw of it</strong>: "
    "this method shows every region at a brightness of its own, and only what is fully black "
    "cannot have influenced the answer."
)
_LEAD_OF_FILLS = (
    " Removed pixels are black in these pictures; in their place, the classifier saw {}, which "
    "follows from what is kept."
)
_LEAD_OF_PHOTOGRAPHS = (
    " The photographs are drawn sharper than the classifier saw them, which was at "
    "{}\u00a0×\u00a0{} pixels; open one to see it at that resolution."
)


def lead(explanation: ExplanationArrays, has_photographs: bool) -> str:
    """What the pictures of a page are, in words."""
    words = _LEAD if explanation.soft_region_masks is None else _LEAD_OF_SOFT_MASKS
    if explanation.fill not in BLACK:
        words += _LEAD_OF_FILLS.format(fill_words(explanation.fill))
    height, width = explanation.regions.shape[1:]
    if has_photographs:
        words += _LEAD_OF_PHOTOGRAPHS.format(width, height)
    if explanation.shown_as:
        words += f" Pictures show {explanation.shown_as}."
    return words
