import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from p2pselect.images._pixels import resize, resize_nearest, to_rgb


def test_opacity_over_black_rounds_to_nearest():
    color, alpha = np.meshgrid(np.arange(256), np.arange(256))
    rgba = np.stack([color] * 3 + [alpha], axis=-1).astype(np.uint8)
    exact = np.rint(color * alpha / 255).astype(np.uint8)
    np.testing.assert_array_equal(to_rgb(rgba)[..., 0], exact)
    floats = to_rgb((rgba / 255).astype(np.float32))
    np.testing.assert_allclose(floats[..., 2], color * alpha / 255**2, atol=1e-6)


def test_removed_pixels_stay_removed():
    rgba = np.full((1, 2, 2, 4), 255, np.uint8)
    rgba[..., 0, 3] = 0
    assert to_rgb(rgba)[0, :, 0].max() == 0
    assert to_rgb(rgba)[0, :, 1].min() == 255


def test_resize_is_pillows_antialiased_bilinear():
    image = np.random.default_rng(0).integers(0, 256, (50, 30, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(image).resize((11, 7), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(resize(image, (7, 11)), expected)
    as_float = resize((image / 255).astype(np.float32), (7, 11))
    assert as_float.dtype == np.float32
    np.testing.assert_allclose(as_float, expected / 255, atol=1.5 / 255)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_resize_keeps_constants_and_range(dtype):
    one = np.ones((40, 40, 3), dtype) * dtype(1)
    assert (resize(one, (7, 90)) == 1).all()
    stripes = np.zeros((40, 40, 3), np.float32)
    stripes[::2] = 1
    small = resize(stripes, (20, 20))
    # Antialiased: stripes finer than the new pixels become gray instead of disappearing.
    assert np.abs(small[2:-2] - 0.5).max() < 0.1


def test_same_size_is_not_touched():
    image = np.zeros((4, 5, 3), np.uint8)
    assert resize(image, (4, 5)) is image


@settings(max_examples=50)
@given(st.tuples(*[st.integers(1, 40)] * 2), st.tuples(*[st.integers(1, 40)] * 2))
def test_nearest_neighbors_are_the_pixels_whose_centers_are_nearest(old, new):
    labels = np.arange(old[0] * old[1]).reshape(old)
    resized = resize_nearest(labels, new)
    assert resized.shape == new and resized.dtype == labels.dtype
    for axis, chosen in enumerate((resized[:, 0] // old[1], resized[0] % old[1])):
        centers = (np.arange(new[axis]) + 0.5) / new[axis]
        distance = np.abs(centers[:, None] - (np.arange(old[axis]) + 0.5) / old[axis])
        np.testing.assert_allclose(
            distance[np.arange(new[axis]), chosen], distance.min(axis=1), atol=1e-12
        )


def test_enlarged_whole_times_every_pixel_is_a_block():
    mask = np.random.default_rng(0).random((4, 6)) < 0.5
    np.testing.assert_array_equal(
        resize_nearest(mask, (12, 12)), mask.repeat(3, axis=0).repeat(2, axis=1)
    )
