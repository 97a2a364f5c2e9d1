import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.regions import is_canonical, kmeans

from p2pselect.regions._engines import REVISION
from p2pselect.regions._slic import (
    _cluster,
    grid_shape,
    image_features,
    max_regions,
    min_size,
    slic,
)

SIDES = st.integers(1, 70)


def noise(seed: int, h: int, w: int, channels: int, smooth: bool = False) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (h, w, channels), dtype=np.uint8)
    return np.repeat(np.repeat(image, 5, axis=0), 5, axis=1)[:h, :w] if smooth else image


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 99),
    h=SIDES,
    w=SIDES,
    channels=st.integers(1, 6),
    n_segments=st.one_of(st.integers(1, 60), st.integers(1, 2000)),
    compactness=st.sampled_from([0.0, 1.0, 14.0, 200.0]),
    factor=st.sampled_from([0.0, 0.25, 1.0]),
    smooth=st.booleans(),
)
def test_guarantees_hold_on_any_image(
    seed, h, w, channels, n_segments, compactness, factor, smooth
):
    image = noise(seed, h, w, channels, smooth)
    before = image.copy()
    labels = slic(image, n_segments, compactness, min_size_factor=factor)
    assert labels.shape == (h, w)
    assert labels.dtype == np.int32
    assert is_canonical(labels)
    areas = np.bincount(labels.ravel())
    assert len(areas) <= max_regions(n_segments)
    assert areas.min() >= min(min_size(h, w, n_segments, factor), h * w)
    assert np.array_equal(image, before)
    assert np.array_equal(slic(image, n_segments, compactness, min_size_factor=factor), labels)


@settings(max_examples=80, deadline=None)
@given(
    h=st.integers(1, 150),
    w=st.integers(1, 150),
    n_segments=st.one_of(st.integers(1, 100), st.integers(1, 2000)),
    value=st.integers(0, 255),
)
def test_constant_images_give_the_grid(h, w, n_segments, value):
    image = np.full((h, w, 3), value, np.uint8)
    rows, columns = grid_shape(h, w, n_segments)
    row = np.repeat(np.arange(rows), np.diff(np.arange(rows + 1) * h // rows))
    column = np.repeat(np.arange(columns), np.diff(np.arange(columns + 1) * w // columns))
    expected = row[:, None] * columns + column
    if rows * columns <= max_regions(n_segments):
        labels = slic(image, n_segments, min_size_factor=0)
        assert np.array_equal(labels, expected)


@pytest.mark.parametrize(("h", "w", "n"), [(2000, 1500, 100), (1, 1, 2000), (1, 3000, 50)])
def test_extreme_sizes(h, w, n):
    labels = slic(noise(0, h, w, 3), n)
    areas = np.bincount(labels.ravel())
    assert len(areas) <= max_regions(n)
    assert areas.min() >= min(min_size(h, w, n, 0.25), h * w)


@given(h=st.integers(1, 3000), w=st.integers(1, 3000), n=st.integers(1, 2000))
def test_grid_has_about_as_many_cells_as_asked_for(h, w, n):
    rows, columns = grid_shape(h, w, n)
    assert 1 <= rows <= h
    assert 1 <= columns <= w
    assert rows * columns <= max_regions(n)
    if h == w >= 50:
        assert rows * columns >= 0.7 * n


def test_kmeans_is_that_of_the_plain_version(photographs):
    # Cells of 8 x 8 are looked at whole, so the two differ by rounding alone.
    edges = np.arange(13) * 8
    for image in photographs:
        features, _ = image_features(image, edges, edges, 8, 8)
        labels = _cluster(features, edges, edges, 8, 8, 14 / 8, 5)
        assert (labels == kmeans(image, 12, 12, 14.0, 5)).mean() > 0.99


def test_sampling_changes_little(photographs):
    # Cells of 24 x 24 are sampled; the plain version looks at every pixel.
    edges = np.arange(5) * 24
    image = photographs[0]
    features, _ = image_features(image, edges, edges, 24, 24)
    labels = _cluster(features, edges, edges, 24, 24, 14 / 24, 10)
    assert (labels == kmeans(image, 4, 4, 14.0, 10)).mean() > 0.85


def test_follows_an_edge():
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, 17:] = 200
    labels = slic(image, 16)
    assert not set(labels[:, :17].ravel()) & set(labels[:, 17:].ravel())


def test_gray_is_compared_without_conversion(photographs):
    gray = photographs[..., :1]
    assert all(is_canonical(slic(image, 30)) for image in gray)


def test_principal_components_ignore_the_order_of_channels(photographs):
    image = np.concatenate([photographs[0], photographs[1]], axis=2)
    labels = slic(image, 30)
    assert np.array_equal(slic(np.ascontiguousarray(image[..., ::-1]), 30), labels)


# The labels of REVISION 1: if they change on purpose, raise REVISION in _engines.py, or caches
# on people's disks will be taken for the new ones.
FIRST_REVISION = """
000000000011111122
000000000011111122
000000003331111122
444444333333311122
444444333333311122
444443333333331122
444445555333331166
777775555555531166
777777555555566166
777777555555566666
777777775556666666
777777777666666666
"""


def test_labels_of_this_revision():
    y, x = np.mgrid[:12, :18]
    disc = (x - 9) ** 2 + (y - 6) ** 2 < 20
    image = np.stack([(x * x + 3 * y) % 256, 20 * y % 256, disc * 180], axis=2)
    expected = [[int(label) for label in line] for line in FIRST_REVISION.split()]
    assert REVISION == 1
    assert np.array_equal(slic(image.astype(np.uint8), 8), expected)


def test_bounds_of_number_and_size():
    assert max_regions(100) == 150 and max_regions(1) == 2
    assert min_size(60, 100, 10, 0.25) == 150 and min_size(2, 2, 100, 0.25) == 1
