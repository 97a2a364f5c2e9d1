"""Channels that are not colors, and values in a range of their own."""

import pickle

import numpy as np
import pytest
from sklearn.model_selection import KFold

from p2pselect.exceptions import InputError
from p2pselect.images import ImageSequence, ImageSource, as_images
from p2pselect.images._meaning import measure_channels

RNG = np.random.default_rng(0)
WIDE = RNG.integers(0, 4096, (6, 10, 12, 5)).astype(np.uint16)


def _by_hand(values, low, high):
    """The rule in words: low becomes 0, high becomes 1, and what is beyond is clipped."""
    return np.clip((values.astype(float) - low) / (high - low), 0, 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.float32, "f8"])
@pytest.mark.parametrize("form", [np.asarray, list])
def test_a_range_is_applied_once_whatever_the_type(dtype, form):
    values = (WIDE // 17).astype(dtype)
    images = as_images(form(values), n_channels=5, value_range=(20, 200))
    assert images.is_float and images.seen_channels == 5
    assert images.value_range == ((20.0, 200.0),)
    expected = _by_hand(values, 20, 200)
    batch = images.batch([3, 1])
    assert batch.dtype == np.float32 and batch.min() == 0 and batch.max() == 1
    np.testing.assert_allclose(batch, expected[[3, 1]], atol=1e-6)
    np.testing.assert_allclose(images[2:][0], expected[2], atol=1e-6)
    again = as_images(images, n_channels=5, value_range=(20, 200))
    np.testing.assert_array_equal(again.batch([3, 1]), batch)


def test_every_channel_can_have_a_range_of_its_own():
    ranges = tuple((10 * c, 1000 + 100 * c) for c in range(5))
    batch = as_images(WIDE, n_channels=5, value_range=ranges).batch([0])
    low, high = np.array(ranges).T
    np.testing.assert_allclose(batch[0], _by_hand(WIDE[0], low, high), atol=1e-6)


def test_large_numbers_keep_their_differences():
    values = np.float64([1e9, 1e9 + 0.5, 1e9 + 1]).reshape(1, 1, 3, 1)
    batch = as_images(values, value_range=(1e9, 1e9 + 1)).batch([0])
    assert batch[0, 0, :, 0].tolist() == [0, 0.5, 1]


def test_the_range_of_a_type():
    assert as_images(WIDE[..., :3], value_range="dtype").value_range == ((0.0, 65535.0),)
    images = as_images(np.int16([-32768, 32767]).reshape(1, 1, 2, 1), value_range="dtype")
    assert images[0].ravel().tolist() == [0, 1]


def test_percentiles_are_those_of_each_channel():
    values = np.arange(10_000, dtype=np.int32).reshape(1, 100, 100, 1)
    values = np.concatenate([values, values * 3 + 7, np.full_like(values, 5)], axis=3)
    found = as_images(values, value_range="percentiles").value_range
    expected = [(9.999, 9989.001), (36.997, 29974.003), (5, 6)]
    # Every second pixel is looked at.
    np.testing.assert_allclose(found, expected, atol=8)
    assert found[2] == (5.0, 6.0)


@pytest.mark.parametrize("said", [None, 4])
def test_four_channels_are_opacity_unless_they_are_said_to_be_channels(said):
    values = np.full((2, 3, 3, 4), 100, np.uint8)
    images = as_images(values, n_channels=said)
    batch = images[:1].batch([0])
    assert images.seen_channels == batch.shape[3] == (said or 3)
    assert np.unique(batch) == (100 if said else 39)
    copy = pickle.loads(pickle.dumps(images[1:]))
    assert copy.seen_channels == images.seen_channels
    assert next(KFold(2).split(images))[0].tolist() == [1]


def test_a_sequence_that_is_called_otherwise_stays_what_it_was():
    colors = as_images(np.full((2, 3, 3, 4), 100, np.uint8))
    channels = as_images(colors, n_channels=4)
    assert (colors.seen_channels, channels.seen_channels) == (3, 4)
    with pytest.raises(InputError, match="4 channels, not n_channels=3"):
        as_images(colors, n_channels=3)


def test_a_sequence_has_one_range():
    images = as_images(WIDE, n_channels=5, value_range=(0, 4095))
    assert as_images(images, value_range="percentiles").value_range == ((0.0, 4095.0),)
    with pytest.raises(InputError, match=r"read with value_range=\(\(0.0, 4095.0\),\), not"):
        as_images(images, value_range=(0, 255))
    plain = as_images((WIDE // 16).astype(np.uint8), n_channels=5)
    later = as_images(plain[2:4], value_range=(0, 255))
    np.testing.assert_allclose(later.batch([1]), plain.batch([3]) / 255, atol=1e-6)


class Bands(ImageSource):
    n_channels = 7

    def __len__(self):
        return 2

    def read_one(self, position):
        return np.full((4, 6, 7), 10 * position, np.uint8)


def test_a_source_says_its_channels_itself():
    images = ImageSequence(Bands())
    assert images.seen_channels == 7 and images.batch([1], size=3).shape == (1, 3, 3, 7)
    assert images.thumbnail(1, longest=3).shape == (2, 3, 7)
    with pytest.raises(InputError, match="a Bands gives pixels that are"):
        as_images(Bands(), value_range=(0, 9))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("size", [4, (7, 16)])
def test_channels_are_resized_each_for_itself(dtype, size):
    values = (WIDE // 16).astype(np.uint8)
    values = values if dtype == np.uint8 else (values / 255).astype(dtype)
    batch = as_images(values, n_channels=5).batch([0, 3], size=size, resize="pad")
    for c in range(5):
        alone = as_images(values[..., c]).batch([0, 3], size=size, resize="pad")
        np.testing.assert_array_equal(batch[..., c], alone[..., 0])


def test_constants_of_channels():
    values = (WIDE // 16).astype(np.uint8)
    values[..., 2] = 51
    mean, std = measure_channels(as_images(values, n_channels=5))
    np.testing.assert_allclose(mean, values.mean(axis=(0, 1, 2)) / 255, atol=1e-9)
    expected = values.std(axis=(0, 1, 2)) / 255
    expected[2] = 1  # nothing to divide by
    np.testing.assert_allclose(std, expected, atol=1e-9)
