"""Label maps that somebody else made: brought to the model's grid, or refused with a remedy."""

import numpy as np
import pandas as pd
import pytest
import torch

from p2pselect.estimators._inputs import read_images
from p2pselect.exceptions import InputError
from p2pselect.images._geometry import Grid

N, SIDE = 3, 16
GRID = np.indices((SIDE, SIDE))[0] // 4 * 4 + np.indices((SIDE, SIDE))[1] // 4
MAPS = np.stack([GRID] * N)
IMAGES = np.zeros((N, SIDE, SIDE, 3), np.uint8)
UNEQUAL = [np.zeros((20 + number, 10, 3), np.uint8) for number in range(N)]


def read(regions, X=IMAGES, size=SIDE, resize="stretch"):
    return read_images(X, regions, meaning={}, grid=Grid((size, size), resize))[1]


@pytest.mark.parametrize(
    "given",
    [
        MAPS.astype(np.uint16),
        MAPS.astype(">i4"),
        MAPS.astype(np.uint64),
        np.asfortranarray(MAPS),
        np.broadcast_to(GRID, MAPS.shape),
        list(MAPS),
        pd.Series(list(MAPS)),
        torch.from_numpy(MAPS),
        [torch.from_numpy(GRID)] * N,
    ],
)
def test_kinds_of_label_maps(given):
    regions = read(given)
    assert regions.dtype == np.int32
    np.testing.assert_array_equal(regions, MAPS)


def test_regions_in_two_pieces_stay_one_at_every_size():
    stripes = np.stack([np.indices((SIDE, SIDE))[1] // 4 % 2] * N)
    np.testing.assert_array_equal(read(stripes), stripes)
    small = read(stripes, size=8)
    np.testing.assert_array_equal(small, stripes[:, 1::2, 1::2])


def test_regions_that_the_grid_has_no_pixel_for_leave_no_gap():
    maps = np.stack([np.arange(SIDE * SIDE).reshape(SIDE, SIDE)] * N)
    assert np.unique(read(maps, size=4)).tolist() == list(range(16))


def test_maps_of_the_photographs_own_sizes():
    own = [np.arange(20 + number)[:, None].repeat(10, 1) // 10 for number in range(N)]
    assert read(own, UNEQUAL).shape == (N, SIDE, SIDE)
    assert read(list(MAPS), UNEQUAL).shape == (N, SIDE, SIDE)
    own[1] = own[1].T
    with pytest.raises(InputError, match=r"regions of image 1 must have .*\(21, 10\) or .*16"):
        read(own, UNEQUAL)


LATER = MAPS.copy()
LATER[2] *= 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            MAPS.astype(float),
            r"integer label maps, got dtype float64; pass regions.astype\(int\)",
        ),
        (MAPS + 0.5, "integer label maps, got dtype float64$"),
        (MAPS > 3, r"dtype bool; pass regions.astype\(int\)"),
        (MAPS + 1, "image 0: labels must be 0 .. 15 without gaps, but 0 is missing.*relabel"),
        (MAPS.astype(np.uint64) + 2**63, "image 0: .* 0 is missing"),
        (LATER, "image 2: .*1 is missing"),
        (list(LATER), "image 2: .*1 is missing"),
        (MAPS - 2, "got -2"),
        (np.stack([MAPS == label for label in range(16)], 1), "image 0 .*masks_to_labels"),
        (GRID, "16 label maps for 3 images"),
        (MAPS.repeat(2, 1).repeat(2, 2), r"image's shape \(16, 16\).*got \(32, 32\)"),
        (MAPS[..., None], r"got shape \(16, 16, 1\)"),
        ([{"counts": b"0" * 100_000, "size": [4, 4]}] * N, "pycocotools.mask.decode"),
        (["a.png"] * N, "image 0 must be a label map .*'a.png'"),
        ([[[0], [0, 1]]] * N, "image 0 must be a label map"),
        ([None] * N, "image 0 must be a label map"),
        ("slic", "one label map per image, got 'slic'"),
        ({0: GRID}, "one label map per image"),
        (3, "one label map per image, got 3"),
        ((one for one in MAPS), "one label map per image, got <generator"),
    ],
)
def test_refused_with_image_and_remedy(given, message):
    with pytest.raises(InputError, match=message) as caught:
        read(given)
    assert len(str(caught.value)) < 400
