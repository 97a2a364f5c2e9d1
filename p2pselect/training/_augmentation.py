"""Random views of training images whose regions follow the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from p2pselect.exceptions import InputError, brief
from p2pselect.images._geometry import NO_REGION, Grid
from p2pselect.training._isolation import Randomness

#: (images (b, h, w, c), regions (b, h, w), rng) -> (images, regions), new arrays.
Augmentation = Callable[
    [np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]
]
#: Left, top, right and bottom of a crop in pixels.
Box = tuple[float, float, float, float]


def flip(
    images: np.ndarray, regions: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Mirror every second image, on average, left to right."""
    flipped = rng.random(len(images)) < 0.5
    images, regions = images.copy(), regions.copy()
    images[flipped] = images[flipped, :, ::-1]
    regions[flipped] = regions[flipped, :, ::-1]
    return images, regions


@dataclass(frozen=True)
class Shift:
    """Move every image by up to ``fraction`` of its side, in pixels; borders are repeated."""

    fraction: float = 0.1

    def __call__(
        self, images: np.ndarray, regions: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        n, h, w = regions.shape
        reach = (round(self.fraction * h), round(self.fraction * w))
        dy = rng.integers(-reach[0], reach[0] + 1, n)[:, None]
        dx = rng.integers(-reach[1], reach[1] + 1, n)[:, None]
        rows = np.clip(np.arange(h) + dy, 0, h - 1)
        columns = np.clip(np.arange(w) + dx, 0, w - 1)

        def moved(each: np.ndarray) -> np.ndarray:
            # One axis after the other: rows are copied whole, which is faster than by pixel.
            return np.stack(
                [one[r][:, c] for one, r, c in zip(each, rows, columns, strict=True)]
            )

        return moved(images), moved(regions)


@dataclass(frozen=True)
class Affine:
    """Rotate, scale, shear and shift every image a little; borders are repeated."""

    degrees: float = 10.0  # largest rotation to either side
    scale: float = 0.1
    shear: float = 0.1
    shift: float = 0.1  # as a fraction of the side

    def __call__(
        self, images: np.ndarray, regions: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        n = len(images)
        angle = np.deg2rad(rng.uniform(-self.degrees, self.degrees, n))
        size = rng.uniform(1 - self.scale, 1 + self.scale, n)
        shear = rng.uniform(-self.shear, self.shear, n)
        matrix = np.empty((n, 2, 3), np.float32)
        matrix[:, 0, 0] = matrix[:, 1, 1] = size * np.cos(angle)
        matrix[:, 1, 0] = size * np.sin(angle)
        matrix[:, 0, 1] = -matrix[:, 1, 0] + shear
        matrix[:, :, 2] = rng.uniform(-2 * self.shift, 2 * self.shift, (n, 2))
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2).float()
        grid = F.affine_grid(torch.from_numpy(matrix), list(pixels.shape), align_corners=False)
        seen = _resample(pixels, grid, "bilinear").permute(0, 2, 3, 1)
        seen = seen.round() if images.dtype == np.uint8 else seen
        # Labels are exact as float32 up to 2 ** 24 regions.
        labels = torch.from_numpy(regions.astype(np.float32))[:, None]
        moved = _resample(labels, grid, "nearest")[:, 0]
        return seen.numpy().astype(images.dtype), moved.numpy().astype(regions.dtype)


def _resample(values: Tensor, grid: Tensor, mode: str) -> Tensor:
    return F.grid_sample(values, grid, mode=mode, padding_mode="border", align_corners=False)


def tint(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change the contrast of every channel by up to 30 % and its brightness by up to 15 %."""
    n, h, w, c = images.shape
    white = 255 if images.dtype == np.uint8 else 1
    gain = rng.uniform(0.7, 1.3, (n, 1, 1, c)).astype(np.float32)
    lift = rng.uniform(-0.15, 0.15, gain.shape).astype(np.float32) * white
    tinted = images.astype(np.float32)
    middle = tinted.sum(axis=1, keepdims=True).sum(axis=2, keepdims=True) / (h * w)
    # A value for every number of a row, because NumPy is slow along an axis of three.
    rows = tinted.reshape(n, h, w * c)
    middle, gain, lift = (np.tile(each[:, 0], (1, 1, w)) for each in (middle, gain, lift))
    rows -= middle
    rows *= gain
    rows += middle + lift
    return np.clip(tinted, 0, white, out=tinted).astype(images.dtype)


@dataclass(frozen=True)
class Tinted:
    """A change of position, then :func:`tint`."""

    move: Augmentation

    def __call__(
        self, images: np.ndarray, regions: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        images, regions = self.move(images, regions, rng)
        return tint(images, rng), regions


AUGMENTATIONS: dict[str, Augmentation] = {
    "flip": flip,
    "shift": Shift(),
    "shift+tint": Tinted(Shift()),
    "affine": Affine(),
    "affine+tint": Tinted(Affine()),
}


def random_resized_crop(image: np.ndarray, aspect: float, rng: np.random.Generator) -> Box:
    """Draw a box of 8 to 100 % of the area, with 3/4 to 4/3 of an aspect (width / height).

    As torchvision's ``RandomResizedCrop``, which the paper uses, does by default.
    """
    h, w = image.shape[:2]
    for _ in range(10):
        area = h * w * rng.uniform(0.08, 1.0)
        ratio = aspect * np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
        cw, ch = round(np.sqrt(area * ratio)), round(np.sqrt(area / ratio))
        if 0 < cw <= w and 0 < ch <= h:
            left, top = rng.integers(0, w - cw + 1), rng.integers(0, h - ch + 1)
            return int(left), int(top), int(left + cw), int(top + ch)
    ch, cw = (max(1, int(side)) for side in _largest(h, w, aspect))
    left, top = (w - cw) // 2, (h - ch) // 2
    return left, top, left + cw, top + ch


def random_crop(image: np.ndarray, aspect: float, rng: np.random.Generator) -> Box:
    """Draw a box of an aspect (width / height) with 7/8 of the largest one's sides.

    As the released code cuts 224 of 256 pixels from CIFAR-10's training images.
    """
    h, w = image.shape[:2]
    ch, cw = (side * 7 / 8 for side in _largest(h, w, aspect))
    left, top = rng.uniform(0, w - cw), rng.uniform(0, h - ch)
    return left, top, left + cw, top + ch


def _largest(h: int, w: int, aspect: float) -> tuple[float, float]:
    """Height and width of the largest box of an aspect (width / height) in an image."""
    height = min(h, w / aspect)
    return height, height * aspect


#: How the paper's views are cut from the original images.
PAPER_VIEWS: dict[str, Callable[[np.ndarray, float, np.random.Generator], Box]] = {
    "paper": random_resized_crop,
    "paper-crop": random_crop,
}


def color_jitter(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Change brightness, contrast and saturation by up to 40 % and hue by up to .2."""
    from torchvision.transforms import functional as tf

    changes = [
        (tf.adjust_brightness, 1.0, 0.4),
        (tf.adjust_contrast, 1.0, 0.4),
        (tf.adjust_saturation, 1.0, 0.4),
        (tf.adjust_hue, 0.0, 0.2),
    ]
    for which in rng.permutation(len(changes)):
        change, middle, reach = changes[which]
        image = change(image, rng.uniform(middle - reach, middle + reach))
    return image


def paper_view(
    name: str,
    image: np.ndarray,
    regions: np.ndarray | None,
    grid: Grid,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Crop, flip and jitter the colors of one image (section 4 and the released code).

    Given regions, on the grid, are cropped with the image, by nearest neighbor.
    """
    placement = grid.place(image.shape[:2])
    image = np.ascontiguousarray(placement.source.of(image))
    size = grid.size[::-1]
    box = PAPER_VIEWS[name](image, size[0] / size[1], rng)
    view = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, box=box)
    if regions is not None:
        content = placement.content.of(regions).astype(np.int32)
        scale = np.array(content.shape[::-1]) / np.array(image.shape[1::-1])
        corners = [float(c) for c in np.multiply(box, np.tile(scale, 2))]
        labels = Image.fromarray(content)
        nearest = Image.Resampling.NEAREST
        regions = np.array(labels.resize(size, nearest, box=tuple(corners)))  # type: ignore[arg-type]
    if rng.random() < 0.5:
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        regions = None if regions is None else regions[:, ::-1]
    return np.array(color_jitter(view, rng)), regions


def augmented(
    augment: Augmentation, images: np.ndarray, regions: np.ndarray, rng: Any
) -> tuple[np.ndarray, np.ndarray]:
    """What a function of the user makes of images and label maps.

    Random numbers that it takes from torch's default generator are seeded by ``rng``, too.
    InputError is raised if it fails, or returns something that cannot be trained on.
    """
    seed = int(rng.spawn(1)[0].integers(2**31))
    try:
        with Randomness(seed, torch.device("cpu")).in_place():
            views = augment(images, regions, rng)
    # A function of the user can raise anything.
    except Exception as error:
        raise InputError(
            f"augment={brief(augment)} fails ({type(error).__name__}: {error}); {_CONTRACT}"
        ) from error
    if fault := _fault_of(views, images.shape, max(regions[0].size, int(regions.max()) + 1)):
        raise InputError(f"augment={brief(augment)} returns {fault}; {_CONTRACT}")
    return views


_CONTRACT = (
    "it must take images (b, h, w, c), regions (b, h, w) and a numpy Generator, and return new "
    "images and regions of the same shapes: uint8, or float in [0, 1], and integers from 0, "
    "or -1 for padding; "
    "transforms of torchvision or albumentations can be called inside such a function"
)


def _fault_of(views: Any, shape: tuple[int, ...], n_labels: int) -> str | None:
    """What is wrong with augmented images (b, h, w, c) and regions, None where nothing is."""
    if not isinstance(views, (tuple, list)) or len(views) != 2:
        several = isinstance(views, (tuple, list))
        return f"{len(views)} values" if several else f"a {type(views).__name__}"
    for name, array, expected in zip(
        ("images", "regions"), views, (shape, shape[:3]), strict=True
    ):
        if not isinstance(array, np.ndarray):
            return f"{name} of type {type(array).__name__}, not ndarray"
        if array.shape != expected:
            return f"{name} of shape {array.shape}, not {expected}"
    images, regions = views
    if images.dtype != np.uint8:
        if not np.issubdtype(images.dtype, np.floating):
            return f"images of dtype {images.dtype}"
        if not (images.min() >= 0 and images.max() <= 1):  # also where one of them is NaN
            return f"images from {images.min():g} to {images.max():g}"
    if not np.issubdtype(regions.dtype, np.integer):
        return f"regions of dtype {regions.dtype}"
    if regions.min() < NO_REGION or not 0 <= regions.max() < n_labels:
        return f"regions from {regions.min()} to {regions.max()}"
    return None


def resolve_augmentation(augment: str | Augmentation | None) -> Augmentation | None:
    """The function behind a name; None for views that need the original images."""
    if augment is None:
        return None
    if callable(augment):
        return partial(augmented, augment)
    if augment in PAPER_VIEWS:
        return None
    if augment not in AUGMENTATIONS:
        raise InputError(
            f"augment must be None, one of {sorted([*AUGMENTATIONS, *PAPER_VIEWS])} or a "
            f"callable, got {brief(augment)}"
        )
    return AUGMENTATIONS[augment]
