"""An image as people look at it: the photograph, where there is one, with its regions."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect._fill import BLACK
from p2pselect.exceptions import InputError, P2PSelectWarning, brief_path
from p2pselect.explanations.figures._pixels import CROP_SIDE, to_rgb
from p2pselect.images._geometry import NO_REGION, Placement, Rectangle, Size, bounded
from p2pselect.images._pixels import resize, resize_nearest

#: Longest side in pixels of what is drawn: as large as figures and screens show it.
LONGEST = 512
#: What is not kept is dimmed to this share of its brightness in an overlay.
DIMMED = 0.3


@dataclass(frozen=True)
class Photograph:
    """A picture (H, W, 3) of one image, uint8, and where the model's grid lies on it.

    ``cells`` (h, w) are the labels of the grid without its padding, and ``box`` is the part of
    the picture that they cover.  ``is_sharp`` says whether the picture is the photograph itself
    and not merely the model's copy of it; ``lost`` says why a photograph cannot be shown.
    """

    pixels: np.ndarray
    cells: np.ndarray
    box: Rectangle
    content: Rectangle
    is_sharp: bool
    lost: str | None = None

    @cached_property
    def labels(self) -> np.ndarray:
        """The region of every pixel, int (H, W); -1 for what the model was not given."""
        return self._lay(self.cells, None, NO_REGION)

    def lay(self, values: np.ndarray, elsewhere: Any) -> np.ndarray:
        """Values (h, w) of the model's grid that must not be mixed, on the picture."""
        return self._lay(self.content.of(values), None, elsewhere)

    def spread(self, values: np.ndarray, elsewhere: Any = 0) -> np.ndarray:
        """One value per region (d,) or (d, c) as a value for every pixel."""
        rest = np.full((1, *values.shape[1:]), elsewhere, values.dtype)
        # The label of what is in no region, -1, is that of the last value.
        return self._lay(self.cells, np.concatenate([values, rest]), elsewhere)

    def _lay(self, cells: np.ndarray, values: np.ndarray | None, elsewhere: Any) -> np.ndarray:
        if self.is_sharp:
            inside = enlarge_smoothly(cells, self.box.size, values)
        else:
            inside = resize_nearest(cells if values is None else values[cells], self.box.size)
        shape = self.pixels.shape[:2]
        if self.box.size == shape:
            return inside
        out = np.full((*shape, *inside.shape[2:]), elsewhere, inside.dtype)
        self.box.of(out)[...] = inside
        return out


def photograph(
    explanation: ExplanationArrays, image: int, longest: int = LONGEST
) -> Photograph:
    """What to draw of one image, at most so long.

    It is the photograph if that can still be read and shows more than the model's copy, without
    the padding; or else that copy, in the shape of the photograph.
    """
    one = explanation[image]
    (place,) = one._placements()
    size = bounded(_fine_size(place), longest)
    box = place.source.scaled(place.original, size)
    is_sharper = box.height > place.content.height or box.width > place.content.width
    lost = None
    if one.originals is not None and (is_sharper or place.source.size != place.original):
        try:
            pixels = resize(_read(one, place, max(size)), size)
        except (InputError, OSError) as error:
            lost = str(error)
        else:
            cells = place.content.of(one.regions[0])
            return Photograph(
                to_rgb(pixels, one.display_channels), cells, box, place.content, True
            )
    size = bounded(_shape_of_copy(one, place), longest)
    copy = to_rgb(place.content.of(one.images[0]), one.display_channels)
    # Only shrunk with a filter: what is enlarged shows the pixels that the model has.
    shrinks = size[0] <= copy.shape[0] and size[1] <= copy.shape[1]
    copy = resize(copy, size) if shrinks else resize_nearest(copy, size)
    cells = place.content.of(one.regions[0])
    return Photograph(copy, cells, Rectangle(0, 0, *size), place.content, False, lost)


def warn_of_lost(reasons: Iterable[str | None]) -> None:
    """Warn if photographs could not be read any more, given the reason for each, or None."""
    lost = [reason for reason in reasons if reason]
    if lost:
        warnings.warn(
            f"{len(lost)} of the photographs cannot be shown, so the model's copies of them "
            f"are; the first: {lost[0]}",
            P2PSelectWarning,
            stacklevel=3,
        )


def seen(one: ExplanationArrays, picture: Photograph) -> np.ndarray:
    """What the classifier saw of one image, uint8 (H, W, 3), as sharp as the picture is."""
    shown = brightness(one, picture)[..., None]
    if one.fill in BLACK:
        return (picture.pixels * shown).round().astype(np.uint8)
    # What stands for removed pixels is only known at the resolution of the grid.
    copy = to_rgb(picture.content.of(one.masked_images[0]), one.display_channels)
    rest = np.zeros_like(picture.pixels)
    picture.box.of(rest)[...] = resize_nearest(copy, picture.box.size)
    return np.where(shown == 1, picture.pixels, rest)


def overlay(one: ExplanationArrays) -> np.ndarray:
    """The photograph of one image at its own size, uint8 (H, W, 3), dimmed where hidden."""
    sizes = one.regions.shape[1:] if one.original_sizes is None else one.original_sizes[0]
    picture = photograph(one, 0, longest=int(max(sizes)))
    warn_of_lost([picture.lost])
    shown = DIMMED + (1 - DIMMED) * brightness(one, picture)[..., None]
    return (picture.pixels * shown).round().astype(np.uint8)


def brightness(one: ExplanationArrays, picture: Photograph) -> np.ndarray:
    """What every pixel was multiplied by, in [0, 1]: of shape (H, W), bool or float32."""
    masks = one.region_masks if one.soft_region_masks is None else one.soft_region_masks
    return picture.spread(masks[0])


def region_crop(picture: Photograph, region: int) -> np.ndarray:
    """One region, uint8 (96, 96, 3), with a little of its surroundings, which are darkened."""
    where = np.argwhere(picture.cells == region)
    # From the grid, on which every region has a pixel.
    scale = np.divide(picture.box.size, picture.cells.shape)
    start = where.min(axis=0) * scale + picture.box[:2]
    end = (where.max(axis=0) + 1) * scale + picture.box[:2]
    side = 1.3 * (end - start).max() + 6 * scale.max()
    window = tuple(
        slice(max(0, int(center - side / 2)), int(center + side / 2) + 1)
        for center in (start + end) / 2
    )
    # Of this region alone: the outlines of all others would cost ten times as much.
    is_own = np.arange(picture.cells.max() + 1) == region
    own = picture.spread(is_own)[window]
    inside = picture.pixels[window] / 255
    shown = np.where(own[..., None], inside, 0.25 * inside)
    small = resize(shown.astype(np.float32), (CROP_SIDE, CROP_SIDE))
    return (small * 255).round().astype(np.uint8)


def enlarge_smoothly(
    labels: np.ndarray, size: Size, values: np.ndarray | None = None
) -> np.ndarray:
    """Labels (h, w) at another size, with outlines that are smooth instead of stairs.

    Every new pixel takes the label with the largest share in bilinear interpolation between the
    four old pixels around it.  The centers of old pixels keep their labels.  Where the new size
    is smaller, the nearest old pixel is taken.

    With ``values`` (d,) or (d, c), these are returned instead of the labels, which takes less
    time where they differ less often.
    """
    drawn = labels if values is None else values.take(labels, axis=0)
    out = resize_nearest(drawn, size)
    if size == labels.shape or size[0] < labels.shape[0] or size[1] < labels.shape[1]:
        return out
    (top, down), (left, right) = (
        _neighbors(old, new) for old, new in zip(labels.shape, size, strict=True)
    )
    # Only where the four differ is there anything to decide.
    y, x = divmod(np.flatnonzero(_differs_from_next(drawn)[top][:, left]), size[1])
    rows = (top[y], np.minimum(top[y] + 1, labels.shape[0] - 1))
    columns = (left[x], np.minimum(left[x] + 1, labels.shape[1] - 1))
    around = [labels[row, column] for row in rows for column in columns]
    shares = [a * b for a in (1 - down[y], down[y]) for b in (1 - right[x], right[x])]
    votes = [
        sum(share * (other == own) for share, other in zip(shares, around, strict=True))
        for own in around
    ]
    winner = np.choose(np.argmax(votes, axis=0), around)
    out[y, x] = winner if values is None else values[winner]
    return out


def _differs_from_next(drawn: np.ndarray) -> np.ndarray:
    """Whether a pixel of (h, w) or (h, w, c) differs from that below, beside or both."""
    differs = np.zeros(drawn.shape[:2], bool)
    for down, right in ((1, 0), (0, 1), (1, 1)):
        here = drawn[: len(drawn) - down, : drawn.shape[1] - right]
        other = drawn[down:, right:] != here
        differs[: here.shape[0], : here.shape[1]] |= other.any(-1) if other.ndim > 2 else other
    return differs


@lru_cache(maxsize=64)
def _neighbors(old: int, new: int) -> tuple[np.ndarray, np.ndarray]:
    """The old pixel before the center of every new one, and how far that lies behind it."""
    place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    before = place.astype(np.intp)
    return before, place - before


def _fine_size(place: Placement) -> Size:
    """The photograph's own size, or a larger one at which the model's grid is not finer."""
    times = max(
        1.0,
        place.content.height / place.source.height,
        place.content.width / place.source.width,
    )
    height, width = (round(times * side) for side in place.original)
    return height, width


def _shape_of_copy(one: ExplanationArrays, place: Placement) -> Size:
    """The smallest size of the photograph's aspect that holds all pixels of the copy."""
    h, w = place.content.size
    if one.resize != "stretch":  # the copy has the aspect already, as far as pixels can
        return h, w
    height, width = place.original
    times = max(h / height, w / width)
    return round(times * height), round(times * width)


def _read(one: ExplanationArrays, place: Placement, longest: int) -> np.ndarray:
    assert one.originals is not None
    pixels = one.originals.thumbnail(0, longest)
    if pixels.shape[:2] != bounded(place.original, longest):
        files = one.originals.files
        name = "an image" if files is None else brief_path(str(files[0]))
        raise InputError(f"{name} has another size than when it was explained")
    return pixels
