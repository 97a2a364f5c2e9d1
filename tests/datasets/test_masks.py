import numpy as np
import pytest

from p2pselect import metrics
from p2pselect.datasets import MaskSequence
from p2pselect.datasets._mask_folder import read_npy_mask
from p2pselect.exceptions import ImageReadError, InputError


@pytest.fixture
def arrays():
    return np.random.default_rng(0).random((6, 5, 7)) < 0.4


@pytest.fixture
def masks(arrays):
    return MaskSequence(range(6), arrays.__getitem__)


def test_views_read_nothing(arrays):
    read = []

    def reader(number):
        read.append(number)
        return arrays[number]

    masks = MaskSequence(range(6), reader)
    view = (~masks[1:])[np.array([3, 0])]
    assert len(view) == 2 and view.shape == (2,) and read == []
    np.testing.assert_array_equal(view[0], ~arrays[4])
    assert read == [4]
    np.testing.assert_array_equal(np.asarray(masks[arrays[:, 0, 0]]), arrays[arrays[:, 0, 0]])


def test_masks_inverted_twice_are_the_masks(arrays, masks):
    np.testing.assert_array_equal(np.asarray(~~masks), arrays)
    np.testing.assert_array_equal(np.asarray((~masks)[2:]), ~arrays[2:])


def test_scores_take_them(arrays, masks):
    kept = np.random.default_rng(1).random(arrays.shape) < 0.5
    expected = metrics.localization_score(kept, arrays)
    assert metrics.localization_score(kept, masks) == expected
    assert metrics.random_localization(masks) == metrics.random_localization(arrays)


def test_masks_of_several_sizes(arrays):
    masks = MaskSequence([3, 4], lambda n: np.ones((n, n), bool))
    assert [mask.shape for mask in masks] == [(3, 3), (4, 4)]
    with pytest.raises(InputError, match="masks differ in size"):
        np.asarray(masks)
    assert np.asarray(masks[:0]).shape == (0, 0, 0)


def test_files_that_hold_no_mask(tmp_path):
    file = tmp_path / "mask.npy"
    with pytest.raises(ImageReadError, match="mask.npy: no mask can be read"):
        read_npy_mask(file)
    np.save(file, np.zeros((2, 3, 3)))
    with pytest.raises(ImageReadError, match=r"expected a mask \(h, w\)"):
        read_npy_mask(file)
    np.save(file, np.array([[None]]))
    with pytest.raises(ImageReadError, match="no mask can be read"):
        read_npy_mask(file)
    np.save(file, np.array([[0, 255]], np.uint8))
    np.testing.assert_array_equal(read_npy_mask(file), [[False, True]])
