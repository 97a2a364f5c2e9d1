"""Handwritten digits pasted on photographs: realistic images that need no download."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import numpy as np
import skimage.data
from PIL import Image
from scipy import ndimage
from sklearn.datasets import load_digits, load_sample_image
from sklearn.utils import Bunch, check_random_state

from p2pselect.exceptions import InputError, brief

_SCENES = tuple("brick cat coffee flower galaxies grass gravel pagoda rocket tissue".split())
_DIGITS = tuple(str(digit) for digit in range(10))
_SIDE = (0.45, 0.65)
_MAX_ROTATION = 12.0
_SMALLEST_IMAGE = 16
# Chosen by eye: the holes of 6, 8 and 9 stay open, and a mask covers about 12 % of the image.
_INK = 0.5  # darkness of the scan at which the stroke begins
_HALO = 0.02  # blur that turns the stroke into the halo, as a share of the image's side

_DESCR = """Digit scenes
------------
Each image is a crop of one of ten photographs and textures (the scene) with a real
handwritten digit (the object) pasted on it. `masks` says which pixels the digit covers.

:Classes: 10 objects (digits), 10 scenes (brick, cat, coffee, flower, galaxies, grass,
    gravel, pagoda, rocket, tissue)
:Splits: "train" and "test" share neither a digit scan nor a piece of photograph: train
    crops come from the left half of each photograph, test crops from the right half
:Digits: the 1,797 8 x 8 scans of sklearn.datasets.load_digits, every third one in "test"
:Photographs: skimage.data brick, chelsea, coffee, hubble_deep_field, grass, gravel, rocket,
    immunohistochemistry; sklearn.datasets china.jpg, flower.jpg
"""


def make_digit_scenes(
    n_samples: int = 2000,
    image_size: int = 64,
    *,
    target: Literal["object", "scene"] = "object",
    split: Literal["train", "test"] = "train",
    random_state: Any = None,
) -> Bunch:
    """Make images of handwritten digits on photographs, with masks of the digits.

    The digit is a pale stroke with a dark halo, so it is readable on any background.  Objects
    and scenes are balanced and independent of each other: a classifier of one has to ignore
    the other, and the masks tell whether the digit is what it shows as its reason.

    Parameters
    ----------
    n_samples : int, default 2000
        Number of images, at least 1.
    image_size : int, default 64
        Side of the square images in pixels, at least 16.
    target : {"object", "scene"}, default "object"
        Whether ``target`` says which digit or which photograph an image shows.
    split : {"train", "test"}, default "train"
        The two splits share no scan of a digit and no piece of a photograph.
    random_state : int, RandomState or None, default None
        Pass an int to get the same images every time.

    Returns
    -------
    Bunch
        ``images`` : uint8 (n, h, w, 3);
        ``target`` : int (n,), indices into ``target_names``;
        ``target_names`` : str (10,);
        ``objects``, ``scenes`` : str (n,), the names of both, whatever ``target`` is;
        ``masks`` : bool (n, h, w), True on the digit and its halo, about 12 % of an image;
        ``DESCR`` : str.

    Raises
    ------
    InputError
        If an argument is out of its range.

    Examples
    --------
    >>> from p2pselect.datasets import make_digit_scenes
    >>> data = make_digit_scenes(20, random_state=0)
    >>> data.images.shape, data.images.dtype, data.masks.shape
    ((20, 64, 64, 3), dtype('uint8'), (20, 64, 64))
    >>> data.target[:4].tolist(), data.objects[:4].tolist()
    ([5, 6, 8, 1], ['5', '6', '8', '1'])
    """
    _check(n_samples, image_size, target, split)
    seed = check_random_state(random_state).randint(2**31 - 1)
    # The split is part of the seed: one random_state gives both of them different images.
    rng = np.random.default_rng([seed, split == "test"])
    objects = rng.permutation(np.arange(n_samples) % len(_DIGITS))
    scenes = rng.permutation(np.arange(n_samples) % len(_SCENES))
    scans, grounds = _scans(split), _grounds(split)

    images = np.empty((n_samples, image_size, image_size, 3), dtype=np.uint8)
    masks = np.empty((n_samples, image_size, image_size), dtype=bool)
    for i in range(n_samples):
        ground = _crop(grounds[scenes[i]], image_size, rng)
        of_digit = scans[objects[i]]
        stroke, halo = _draw(of_digit[rng.integers(len(of_digit))], image_size, rng)
        images[i] = _paste(ground, stroke, halo, rng)
        masks[i] = np.maximum(stroke, halo) > 0.5

    names = {"object": np.array(_DIGITS), "scene": np.array(_SCENES)}
    return Bunch(
        images=images,
        target=objects if target == "object" else scenes,
        target_names=names[target],
        objects=names["object"][objects],
        scenes=names["scene"][scenes],
        masks=masks,
        DESCR=_DESCR,
    )


def _check(n_samples: int, image_size: int, target: str, split: str) -> None:
    for name, number, low in (
        ("n_samples", n_samples, 1),
        ("image_size", image_size, _SMALLEST_IMAGE),
    ):
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < low:
            raise InputError(f"{name} must be an int of at least {low}, got {brief(number)}")
    if target not in ("object", "scene"):
        raise InputError(f'target must be "object" or "scene", got {brief(target)}')
    if split not in ("train", "test"):
        raise InputError(f'split must be "train" or "test", got {brief(split)}')


@cache
def _scans(split: str) -> tuple[np.ndarray, ...]:
    """The scans (m, 8, 8) of each digit, in [0, 1]."""
    digits = load_digits()
    chosen = (np.arange(len(digits.target)) % 3 == 2) == (split == "test")
    scans, labels = digits.images[chosen] / 16, digits.target[chosen]
    return tuple(scans[labels == digit] for digit in range(10))


@cache
def _grounds(split: str) -> tuple[Image.Image, ...]:
    """The left or right half of each photograph, in the order of ``_SCENES``."""
    photographs = (
        skimage.data.brick(),
        skimage.data.chelsea(),
        skimage.data.coffee(),
        load_sample_image("flower.jpg"),
        skimage.data.hubble_deep_field(),
        skimage.data.grass(),
        skimage.data.gravel(),
        load_sample_image("china.jpg"),
        skimage.data.rocket(),
        skimage.data.immunohistochemistry(),
    )
    halves = []
    for photograph in photographs:
        middle = photograph.shape[1] // 2
        half = photograph[:, middle:] if split == "test" else photograph[:, :middle]
        halves.append(Image.fromarray(np.ascontiguousarray(half)).convert("RGB"))
    return tuple(halves)


def _crop(ground: Image.Image, size: int, rng: np.random.Generator) -> np.ndarray:
    """A square piece of random size and position, sometimes mirrored, as floats (h, w, 3)."""
    side = rng.uniform(0.35, 0.95) * min(ground.size)
    left = rng.uniform(0, ground.width - side)
    top = rng.uniform(0, ground.height - side)
    piece = ground.resize(
        (size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side)
    )
    pixels = np.asarray(piece, dtype=np.float32) / 255
    return pixels[:, ::-1] if rng.random() < 0.5 else pixels


def _draw(
    scan: np.ndarray, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The opacity of stroke and halo, each (h, w) in [0, 1], of a scan at a random place."""
    side = rng.uniform(*_SIDE) * size
    angle = np.deg2rad(rng.uniform(-_MAX_ROTATION, _MAX_ROTATION))
    center = rng.uniform(side / 2, size - side / 2, size=2)
    # Maps pixels of the image to pixels of the scan, whose ink fills all 8 rows.
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    matrix = turn * (len(scan) / side)
    middle = (len(scan) - 1) / 2
    ink = ndimage.affine_transform(
        scan,
        matrix,
        middle - matrix @ (center - 0.5),
        (size, size),
        order=3,
        # "constant" would cut off the ink at the edge of the scan instead of letting it fade.
        mode="grid-constant",
    )
    # Ink rises over about one pixel of the scan; sharpen that to one pixel of the image.
    sharpness = 0.8 * side / len(scan)
    stroke = np.clip(0.5 + sharpness * (ink - _INK), 0, 1)
    halo = np.clip(ndimage.gaussian_filter(stroke, _HALO * size) * 4 - 0.4, 0, 1)
    return stroke, halo


def _paste(
    ground: np.ndarray, stroke: np.ndarray, halo: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Paste a pale stroke on a dark halo on the ground, in random hues; uint8 (h, w, 3)."""
    pale = 1 - rng.uniform(0, 0.35, size=3)
    dark = rng.uniform(0, 0.12, size=3)
    shaded = ground + (0.9 * halo)[..., np.newaxis] * (dark - ground)
    pasted = shaded + stroke[..., np.newaxis] * (pale - shaded)
    return np.rint(pasted * 255).astype(np.uint8)
