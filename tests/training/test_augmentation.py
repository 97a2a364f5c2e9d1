"""Random views: the regions follow the image, whatever is done to it."""

import numpy as np
import pytest

from p2pselect.exceptions import InputError
from p2pselect.training.augmentation import (
    AUGMENTATIONS,
    Affine,
    Shift,
    flip,
    paper_view,
    random_crop,
    random_resized_crop,
    resolve_augmentation,
    tint,
)


def _striped(n=4, size=32):
    """Images whose colour says which region a pixel is in."""
    regions = np.tile(np.arange(size) // 8, (n, size, 1)).astype(np.int32)
    regions[:, size // 2 :] += 4
    images = np.repeat((regions * 30)[..., None], 3, axis=-1).astype(np.uint8)
    return images, regions


def _agreement(images, regions):
    return np.mean(np.abs(images[..., 0].astype(int) - regions * 30) < 8)


@pytest.mark.parametrize("name", ["flip", "shift", "affine"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_regions_follow_the_image(name, dtype):
    images, regions = _striped()
    before = images.copy(), regions.copy()
    scale = 1 if dtype == np.uint8 else 255
    shown = images if dtype == np.uint8 else images / np.float32(255)
    views, labels = AUGMENTATIONS[name](shown, regions, np.random.default_rng(0))
    assert views.dtype == dtype and labels.dtype == np.int32 and views.shape == images.shape
    # Bilinear sampling mixes colours along the borders only.
    assert _agreement(np.round(views * scale), labels) > (0.8 if name == "affine" else 0.999)
    np.testing.assert_array_equal(images, before[0])
    np.testing.assert_array_equal(regions, before[1])
    assert not np.array_equal(labels, regions)


def test_flip_mirrors_some():
    images, regions = _striped(64)
    views, _ = flip(images, regions, np.random.default_rng(0))
    mirrored = (views == images[:, :, ::-1]).all(axis=(1, 2, 3))
    same = (views == images).all(axis=(1, 2, 3))
    assert (mirrored ^ same).all() and 16 < mirrored.sum() < 48


def test_shift_is_bounded_and_nothing_is_the_identity():
    images, regions = _striped()
    rng = np.random.default_rng(0)
    views, labels = Shift(0.0)(images, regions, rng)
    np.testing.assert_array_equal(views, images)
    still = Affine(degrees=0, scale=0, shear=0, shift=0)
    views, labels = still(images, regions, rng)
    np.testing.assert_array_equal(views, images)
    np.testing.assert_array_equal(labels, regions)


def test_tint_keeps_the_range_and_differs_by_channel():
    images, _ = _striped()
    tinted = tint(images, np.random.default_rng(0))
    assert tinted.dtype == np.uint8
    assert not np.array_equal(tinted[..., 0], tinted[..., 1])
    floats = tint(images / np.float32(255), np.random.default_rng(0))
    assert 0 <= floats.min() and floats.max() <= 1


@pytest.mark.parametrize("shape", [(40, 60), (300, 10), (1, 1)])
def test_crop_boxes_lie_inside(shape):
    rng = np.random.default_rng(0)
    for _ in range(50):
        left, top, right, bottom = random_resized_crop(np.zeros((*shape, 3)), rng)
        assert 0 <= left < right <= shape[1] and 0 <= top < bottom <= shape[0]


def test_random_crops_are_seven_eighths_of_the_shorter_side():
    rng = np.random.default_rng(0)
    boxes = np.array([random_crop(np.zeros((32, 48, 3)), rng) for _ in range(200)])
    np.testing.assert_allclose(boxes[:, 2:] - boxes[:, :2], 28)
    assert boxes[:, 0].min() < 1 and 19 < boxes[:, 0].max() <= 20
    assert boxes[:, 1].min() < 0.2 and 3.8 < boxes[:, 1].max() <= 4


def test_paper_view_crops_given_regions_along():
    images, regions = _striped(1, size=64)
    # Without jitter the colour would tell the region; with it, constant regions stay so.
    view, labels = paper_view("paper", images[0], regions[0], 48, np.random.default_rng(3))
    assert view.shape == (48, 48, 3) and labels.shape == (48, 48)
    spread = [view[labels == label].std(axis=0).max() for label in np.unique(labels)]
    assert np.median(spread) < 8
    assert paper_view("paper", images[0], None, 48, np.random.default_rng(0))[1] is None


def test_names():
    assert resolve_augmentation(None) is None and resolve_augmentation("paper") is None
    assert resolve_augmentation(flip) is flip
    with pytest.raises(InputError, match="'affine'.*got 'warp'"):
        resolve_augmentation("warp")
