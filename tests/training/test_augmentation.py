"""Random views: the regions follow the image, whatever is done to it."""

import numpy as np
import pytest
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from p2pselect import P2PClassifier, presets
from p2pselect.exceptions import InputError
from p2pselect.images._geometry import Grid
from p2pselect.images._pixels import resize_nearest
from p2pselect.training._augmentation import (
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
    """Images whose color says which region a pixel is in."""
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
    # Bilinear sampling mixes colors along the borders only.
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
        left, top, right, bottom = random_resized_crop(np.zeros((*shape, 3)), 1.0, rng)
        assert 0 <= left < right <= shape[1] and 0 <= top < bottom <= shape[0]


def test_random_crops_are_seven_eighths_of_the_shorter_side():
    rng = np.random.default_rng(0)
    boxes = np.array([random_crop(np.zeros((32, 48, 3)), 1.0, rng) for _ in range(200)])
    np.testing.assert_allclose(boxes[:, 2:] - boxes[:, :2], 28)
    assert boxes[:, 0].min() < 1 and 19 < boxes[:, 0].max() <= 20
    assert boxes[:, 1].min() < 0.2 and 3.8 < boxes[:, 1].max() <= 4


def test_paper_view_crops_given_regions_along():
    images, regions = _striped(1, size=64)
    grid = Grid((48, 48), "pad")
    on_grid = resize_nearest(regions[0], grid.size)
    # Without jitter the color would tell the region; with it, constant regions stay so.
    view, labels = paper_view("paper", images[0], on_grid, grid, np.random.default_rng(3))
    assert view.shape == (48, 48, 3) and labels.shape == (48, 48)
    spread = [view[labels == label].std(axis=0).max() for label in np.unique(labels)]
    assert np.median(spread) < 8
    assert paper_view("paper", images[0], None, grid, np.random.default_rng(0))[1] is None


def test_names():
    assert resolve_augmentation(None) is None and resolve_augmentation("paper") is None
    images, regions = _striped()
    own, named = (
        resolve_augmentation(augment)(images, regions, np.random.default_rng(0))
        for augment in (flip, "flip")
    )
    np.testing.assert_array_equal(own[0], named[0])
    np.testing.assert_array_equal(own[1], named[1])
    with pytest.raises(InputError, match="'affine'.*got 'warp'"):
        resolve_augmentation("warp")


@pytest.mark.parametrize(
    "augment, match",
    [
        (v2.RandomHorizontalFlip(), r"returns 3 values; it must take images \(b, h, w, c\)"),
        (lambda image: {"image": image}, "fails .TypeError: .*it must take images"),
        (lambda i, r, g: i, "returns a ndarray"),
        (lambda i, r, g: (torch.from_numpy(i), r), "images of type Tensor"),
        (lambda i, r, g: (i[:, :-1], r), r"images of shape \(4, 31, 32, 3\)"),
        (lambda i, r, g: (i.transpose(0, 3, 1, 2), r), r"images of shape \(4, 3, 32, 32\)"),
        (lambda i, r, g: (i[:2], r[:2]), r"images of shape \(2, 32, 32, 3\)"),
        (lambda i, r, g: (i, r[..., None]), r"regions of shape \(4, 32, 32, 1\)"),
        (lambda i, r, g: (i.astype(np.int64), r), "images of dtype int64"),
        (lambda i, r, g: (i.astype(np.float32), r), "images from 0 to 210"),
        (lambda i, r, g: (i * np.nan, r), "images from nan to nan"),
        (lambda i, r, g: (i, r.astype(np.float32)), "regions of dtype float32"),
        (lambda i, r, g: (i, r - 2), "regions from -2 to 5"),
        (lambda i, r, g: (i, r + 32 * 32), "regions from 1024 to 1031"),
    ],
)
def test_what_an_augmentation_of_the_user_must_give(augment, match):
    images, regions = _striped()
    with pytest.raises(InputError, match=f"(?s)augment=.*{match}"):
        resolve_augmentation(augment)(images, regions, np.random.default_rng(0))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_transforms_of_torchvision_inside_of_a_function(dtype):
    turn = v2.RandomAffine(30, interpolation=v2.InterpolationMode.NEAREST, fill=0)

    def augment(images, regions, rng):
        image = tv_tensors.Image(torch.from_numpy(images).permute(0, 3, 1, 2))
        image, mask = turn(image, tv_tensors.Mask(torch.from_numpy(regions)))
        return image.permute(0, 2, 3, 1).numpy(), mask.numpy()

    images, regions = _striped()
    shown = images if dtype == np.uint8 else images / dtype(255)
    callers = torch.get_rng_state()
    views, labels = resolve_augmentation(augment)(shown, regions, np.random.default_rng(3))
    again, _ = resolve_augmentation(augment)(shown, regions, np.random.default_rng(3))
    other, _ = resolve_augmentation(augment)(shown, regions, np.random.default_rng(4))
    assert views.dtype == dtype and not np.array_equal(labels, regions)
    scale = 1 if dtype == np.uint8 else 255
    assert _agreement(np.round(views * scale), labels) == 1
    # Their random numbers, which are torch's, belong to the batch.
    np.testing.assert_array_equal(again, views)
    assert not np.array_equal(other, views)
    assert torch.equal(torch.get_rng_state(), callers)


def test_a_fault_of_an_augmentation_is_found_before_anything_else():
    images = np.zeros((9, 32, 32, 3), np.uint8)
    seen = []
    clf = P2PClassifier(
        **{
            **presets.SMALL,
            "image_size": 32,
            "augment": lambda image: image,
            "regions": lambda image: seen.append(image) or np.zeros(image.shape[:2], int),
        }
    )
    with pytest.raises(InputError, match="augment=.* fails"):
        clf.fit(images, [0, 1, 2] * 3)
    assert len(seen) <= 2 and not hasattr(clf, "module_")
