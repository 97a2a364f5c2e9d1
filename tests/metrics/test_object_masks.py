import numpy as np
import pytest

from p2pselect.exceptions import InputError
from p2pselect.metrics import check_object_masks


@pytest.mark.parametrize(
    "masks",
    [
        np.eye(4, dtype=bool)[None],
        np.eye(4, dtype=np.uint8)[None],
        np.eye(4, dtype=np.uint8)[None] * 255,
        np.eye(4, dtype=int)[None, ..., None],
        [np.eye(4, dtype=bool).tolist()],
    ],
)
def test_ways_to_give_one_mask(masks):
    result = check_object_masks(masks, 1)
    assert result.dtype == bool
    np.testing.assert_array_equal(result[0], np.eye(4, dtype=bool))


def test_other_sizes_are_resized_by_nearest_neighbour():
    mask = np.zeros((1, 4, 4), dtype=bool)
    mask[0, :2, :2] = True
    for side in (2, 8, 12):
        small = check_object_masks(mask, 1, (side, side))
        assert small[0, : side // 2, : side // 2].all()
        assert small.sum() == (side // 2) ** 2
    unequal = [np.ones((3, 5), bool), np.zeros((4, 4), bool)]
    assert check_object_masks(unequal, 2, (6, 6)).sum(axis=(1, 2)).tolist() == [36, 0]


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (np.ones((3, 4, 4), bool), "got 3 masks for 2 images"),
        (np.ones((2, 4)), r"masks\[0\] must have shape \(h, w\), got \(4,\)"),
        (np.ones((2, 4, 4)), r"masks\[0\] must be bool.*float64"),
        (np.arange(32).reshape(2, 4, 4), r"masks\[0\] must be bool.*\[0, 1, 2, 3, 4\]"),
        ([np.ones((4, 4), bool), np.ones((3, 3), bool)], "of one size"),
        (7, "must be an array"),
    ],
)
def test_bad_masks_are_named(masks, message):
    with pytest.raises(InputError, match=message):
        check_object_masks(masks, 2)
