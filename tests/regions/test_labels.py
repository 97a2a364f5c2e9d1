import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from oracles.regions import components, is_canonical

from p2pselect.exceptions import InputError
from p2pselect.regions import (
    check_label_maps,
    crop_labels,
    flip_labels,
    n_regions,
    region_areas,
    relabel,
)
from p2pselect.regions._connectivity import connect
from p2pselect.regions._slic import slic

MAPS = arrays(
    np.int32, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(-1, 2)
)


@settings(deadline=None)
@given(MAPS)
def test_relabel_is_flooding(labels):
    before = labels.copy()
    assert np.array_equal(relabel(labels), components(labels))
    assert np.array_equal(labels, before)


@settings(deadline=None)
@given(MAPS, st.integers(1, 40), st.integers(1, 10))
def test_merging_keeps_whole_regions_and_meets_the_bounds(labels, min_size, max_regions):
    merged = relabel(labels, min_size, max_regions)
    assert is_canonical(merged)
    areas = np.bincount(merged.ravel())
    assert areas.min() >= min(min_size, labels.size)
    assert len(areas) <= max_regions
    for piece in range(components(labels).max() + 1):
        assert len(np.unique(merged[components(labels) == piece])) == 1


def test_small_region_joins_the_longest_border():
    labels = np.array([[0, 0, 0, 0], [0, 2, 2, 1], [1, 1, 1, 1]])
    assert np.array_equal(
        relabel(labels, min_size=3), [[0, 0, 0, 0], [0, 0, 0, 1], [1, 1, 1, 1]]
    )


def test_the_longest_border_counts_more_than_the_order():
    labels = np.array([[0, 0, 0, 0], [1, 2, 2, 1], [1, 1, 1, 1]])
    assert np.array_equal(
        relabel(labels, min_size=3), [[0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]]
    )


def test_among_equal_borders_the_first_neighbor_or_the_more_alike_one():
    labels = np.array([[0, 1, 2, 2], [0, 1, 2, 2], [0, 1, 3, 3], [0, 0, 0, 0]], np.int32)
    merged = np.where(labels == 3, 0, labels)
    np.testing.assert_array_equal(relabel(labels, min_size=3), merged)
    colors = np.zeros((4, 4, 3), np.uint8)
    colors[labels == 2] = colors[labels == 3] = 9
    likely = connect(labels, colors, 3, 99)
    np.testing.assert_array_equal(likely, np.where(labels == 3, 2, labels))


def test_what_is_large_enough_is_left_alone():
    labels = np.repeat(np.arange(4), 5)[None]
    assert np.array_equal(relabel(labels, min_size=5, max_regions=4), labels)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.uint32, np.int64])
def test_relabel_takes_any_integers(dtype):
    labels = np.array([[1, 0], [0, 1]]).astype(dtype)
    assert np.array_equal(relabel(labels), [[0, 1], [2, 3]])


def test_relabel_tells_huge_numbers_apart():
    assert np.array_equal(relabel(np.array([[0, 2**32, 2**32]])), [[0, 1, 1]])


def test_relabel_takes_views_and_read_only_arrays():
    labels = np.arange(12).reshape(3, 4)[::-1, ::2]
    labels.flags.writeable = False
    assert np.array_equal(relabel(labels), np.arange(6).reshape(3, 2))


def test_counts():
    maps = np.array([[[0, 0, 1]], [[0, 1, 2]], [[0, 0, 0]]])
    assert n_regions(maps).tolist() == [2, 3, 1]
    assert region_areas(maps).tolist() == [[2, 1, 0], [1, 1, 1], [3, 0, 0]]
    assert region_areas(maps, 4).shape == (3, 4)
    assert region_areas(maps[:0]).shape[0] == 0


@pytest.mark.parametrize("axis", [-1, -2])
def test_flip_is_exact(photographs, axis):
    maps = np.stack([slic(image, 25) for image in photographs])
    flipped = flip_labels(maps, axis)
    assert np.array_equal(flip_labels(flipped, axis), maps)
    assert all(is_canonical(one) for one in flipped)
    assert np.array_equal(n_regions(flipped), n_regions(maps))


def test_crop_is_exact(photographs):
    labels = slic(photographs[0], 25)
    cropped = crop_labels(labels, slice(10, 70), slice(5, 90))
    assert np.array_equal(cropped, components(labels[10:70, 5:90]))
    assert np.array_equal(crop_labels(labels, slice(None), slice(None)), labels)


def test_good_label_maps_pass_as_int32():
    maps = np.array([[[0, 1], [1, 0]], [[0, 0], [0, 0]]], dtype=np.uint8)
    checked = check_label_maps(maps, 2, 2, 2)
    assert checked.dtype == np.int32
    assert np.array_equal(checked, maps)


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (np.zeros((2, 3), int), r"shape \(n, h, w\), got \(2, 3\)"),
        (np.zeros((1, 2, 3), int), r"shape \(2, 2, 3\), got \(1, 2, 3\)"),
        (np.zeros((2, 3, 2), int), r"shape \(2, 2, 3\)"),
        (np.zeros((2, 2, 3)), "integer label maps, got dtype float64"),
        (np.stack([np.zeros((2, 3), int), np.full((2, 3), -1)]), "image 1: .*nothing but -1"),
        (np.stack([np.zeros((2, 3), int), np.full((2, 3), -2)]), "image 1: .*region, got -2"),
        (
            np.stack([np.zeros((2, 3), int), np.eye(2, 3, dtype=int) * 2]),
            "image 1: .*1 is missing",
        ),
        (np.ones((2, 2, 3), int), "image 0: .*0 is missing"),
        (np.full((2, 2, 3), 2**40), "image 0: .*without gaps"),
    ],
)
def test_bad_label_maps_are_refused(maps, message):
    sizes = (2, 2, 3) if "n, h, w" not in message else ()
    with pytest.raises(InputError, match=message):
        check_label_maps(maps, *sizes)


def test_label_maps_without_pixels_are_refused():
    with pytest.raises(InputError, match="pixels"):
        check_label_maps(np.zeros((2, 0, 3), int))
