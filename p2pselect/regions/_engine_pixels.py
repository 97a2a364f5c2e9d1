"""The pixels that an engine is given: of some channels only, or of a smaller image."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from PIL import Image

from p2pselect.exceptions import InputError, brief


def choose_channels(image: np.ndarray, channels: tuple[int, ...]) -> np.ndarray:
    """Some channels of an image (h, w, c)."""
    known = [isinstance(c, Integral) and 0 <= int(c) < image.shape[2] for c in channels]
    if not channels or not all(known):
        raise InputError(
            f"on_channels must be some of the channels 0 to {image.shape[2] - 1}, "
            f"got {brief(channels)}"
        )
    return image[..., list(channels)]


def shrink_factor(h: int, w: int, resolution: int | None) -> int:
    """Side of the square blocks whose means leave at most ``resolution`` pixels a side."""
    return 1 if resolution is None else -(-max(h, w) // resolution)


def shrink(image: np.ndarray, factor: int) -> np.ndarray:
    """Means of blocks, uint8 (ceil(h / factor), ceil(w / factor), c); edge blocks are cut."""
    if image.shape[2] == 3:
        return np.array(Image.fromarray(image).reduce(factor))
    channels = np.moveaxis(image, 2, 0)
    small = [Image.fromarray(np.ascontiguousarray(one)).reduce(factor) for one in channels]
    return np.stack([np.asarray(one) for one in small], axis=2)
