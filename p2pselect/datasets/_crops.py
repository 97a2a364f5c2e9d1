"""The middle of images and masks, as the paper's test images are cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from p2pselect.datasets._masks import MaskSequence
from p2pselect.images import ImageSequence
from p2pselect.images._pixels import resize, resize_nearest, to_rgb


@dataclass(frozen=True)
class CenterCrop:
    """A square from the middle of an image that is first brought to a size.

    Parameters
    ----------
    side : int, default 224
        Of the square, in pixels.
    resized : int, default None
        Length of the image's shorter side before the cut, at least `side`; the longer one
        follows.  None changes images only that are smaller than the square.
    """

    side: int = 224
    resized: int | None = None

    def image(self, image: np.ndarray) -> np.ndarray:
        """Cut an image (h, w, c), resized with antialiased bilinear interpolation."""
        return self._cut(resize(to_rgb(image), self._size(image)))

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """Cut a mask (h, w), bool, resized by nearest neighbor."""
        return self._cut(resize_nearest(mask, self._size(mask)))

    def _size(self, image: np.ndarray) -> tuple[int, int]:
        height, width = image.shape[:2]
        short = min(height, width)
        wanted = max(short, self.side) if self.resized is None else self.resized
        return int(wanted * height / short), int(wanted * width / short)

    def _cut(self, image: np.ndarray) -> np.ndarray:
        top, left = (round((length - self.side) / 2) for length in image.shape[:2])
        return image[top : top + self.side, left : left + self.side]


class CroppedImages:
    """A source of an :class:`~p2pselect.images.ImageSequence`: images cut when read."""

    n_channels = 3

    def __init__(self, images: ImageSequence, crop: CenterCrop):
        self.images = images
        self.crop = crop
        self.is_float = images.is_float
        self.image_shape: tuple[int, int] | None = (crop.side, crop.side)

    def __len__(self) -> int:
        return len(self.images)

    def read(self, positions: np.ndarray) -> Iterator[np.ndarray]:
        for position in positions:
            yield self.crop.image(self.images[int(position)])

    def subset(self, positions: np.ndarray) -> CroppedImages:
        return CroppedImages(self.images[positions], self.crop)


def cropped(data: Bunch, crop: CenterCrop) -> Bunch:
    """The same data with images and masks that are cut when read.

    Parameters
    ----------
    data : Bunch
        With ``images``, and ``masks`` where there are any.
    crop : CenterCrop

    Returns
    -------
    Bunch
    """
    changed: dict[str, Any] = {
        "images": ImageSequence._from_source(CroppedImages(data.images, crop))
    }
    if data.get("masks") is not None:
        changed["masks"] = MaskSequence(data.masks, crop.mask)
    return Bunch(**{**data, **changed})
