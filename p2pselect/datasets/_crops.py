"""The middle of images and masks, cut out as the paper cuts its test images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.utils import Bunch

from p2pselect.datasets._masks import MaskSequence
from p2pselect.images import ImageSequence, ImageSource
from p2pselect.images._pixels import resize, resize_nearest, to_rgb


@dataclass(frozen=True)
class CenterCrop:
    """A square from the middle of an image, which may be resized first."""

    #: Side of the square in pixels.
    side: int = 224
    #: Length of the image's shorter side before the cut, at least ``side``; its aspect ratio
    #: stays.  None enlarges images that are smaller than the square, and resizes no others.
    resized: int | None = None

    def image(self, image: np.ndarray) -> np.ndarray:
        """Cut an image (h, w, c), resized with antialiased bilinear interpolation."""
        return self._cut(resize(to_rgb(image), self._size(image)))

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """Cut a mask (h, w), bool, resized with nearest-neighbor interpolation."""
        return self._cut(resize_nearest(mask, self._size(mask)))

    def _size(self, image: np.ndarray) -> tuple[int, int]:
        height, width = image.shape[:2]
        short = min(height, width)
        wanted = max(short, self.side) if self.resized is None else self.resized
        # Rounded down here, and to the nearest in _cut, as torchvision's transforms do.
        return int(wanted * height / short), int(wanted * width / short)

    def _cut(self, image: np.ndarray) -> np.ndarray:
        top, left = (round((length - self.side) / 2) for length in image.shape[:2])
        return image[top : top + self.side, left : left + self.side]


class CroppedImages(ImageSource):
    """An image source: the images of another sequence, cut when they are read."""

    def __init__(self, images: ImageSequence, crop: CenterCrop):
        self.images = images
        self.crop = crop
        self.is_float = images.is_float
        self.image_shape = (crop.side, crop.side)

    def __len__(self) -> int:
        return len(self.images)

    def read_one(self, position: int) -> np.ndarray:
        return self.crop.image(self.images[position])

    def check(self, position: int) -> None:
        self.images.check(position)

    def subset(self, positions: np.ndarray) -> CroppedImages:
        return CroppedImages(self.images[positions], self.crop)


def cropped(data: Bunch, crop: CenterCrop) -> Bunch:
    """The same data, whose images and masks (if it has any) are cut when they are read."""
    images = ImageSequence(CroppedImages(data.images, crop))
    masks = data.get("masks")
    if masks is None:
        return Bunch(**{**data, "images": images})
    return Bunch(**{**data, "images": images, "masks": MaskSequence(masks, crop.mask)})
