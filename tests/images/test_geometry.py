"""Between photographs and the grid of a model: there, back, and nothing beside it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import geometry as oracle
from PIL import Image

from p2pselect.exceptions import InputError
from p2pselect.images import as_images
from p2pselect.images._geometry import RESIZES, Grid, bounded
from p2pselect.images._pixels import resize as stretched

SIDES = st.integers(1, 24)
SIZES = st.tuples(SIDES, SIDES)
MODES = st.sampled_from(RESIZES)


@settings(deadline=None)
@given(SIZES, SIZES, MODES, st.integers(0, 2**32 - 1))
def test_both_ways_are_those_of_the_oracle(original, size, resize, seed):
    rng = np.random.default_rng(seed)
    placement = Grid(size, resize).place(original)
    source, content = oracle.placed(original, size, resize)
    assert tuple(placement.source) == source and tuple(placement.content) == content
    photograph, on_grid = rng.integers(0, 1000, original), rng.integers(0, 1000, size)
    np.testing.assert_array_equal(
        placement.onto_grid(photograph, -1), oracle.onto_grid(photograph, size, resize, -1)
    )
    np.testing.assert_array_equal(
        placement.back(on_grid, -1), oracle.back(on_grid, original, resize, -1)
    )


@settings(deadline=None)
@given(SIZES, SIZES, MODES)
def test_content_and_source_lie_inside_and_keep_the_aspect(original, size, resize):
    placement = Grid(size, resize).place(original)
    for part, whole in ((placement.source, original), (placement.content, size)):
        for start, length, side in zip(part[:2], part[2:], whole, strict=True):
            assert 0 <= start and length >= 1 and start + length <= side
            # In the middle, to a pixel.
            assert abs(side - length - 2 * start) <= 1
    assert placement.content.size == size or placement.source.size == original
    if resize != "stretch":
        # The sides of one part are the other's times one number, to a pixel.
        (h, w), (rows, columns) = placement.source.size, placement.content.size
        assert abs(h * columns - w * rows) <= max(h, w, rows, columns)


@settings(deadline=None)
@given(SIZES, SIZES, MODES, st.integers(0, 2**32 - 1))
def test_a_photograph_that_is_not_made_smaller_comes_back_as_it_was(
    original, size, resize, seed
):
    values = np.random.default_rng(seed).integers(0, 1000, original)
    placement = Grid(size, resize).place(original)
    again = placement.back(placement.onto_grid(values, -1), -1)
    inside = placement.source.of(again)
    if placement.content.height >= placement.source.height:
        assert placement.content.width < placement.source.width or np.array_equal(
            inside, placement.source.of(values)
        )
    outside = np.ones(original, bool)
    placement.source.of(outside)[...] = False
    assert (again[outside] == -1).all() and (inside >= 0).all()


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_images_of_the_grid_s_aspect_are_what_they_were(resize, dtype):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (3, 40, 80, 3), np.uint8)
    X = X if dtype == np.uint8 else (X / 255).astype(dtype)
    for size in ((40, 80), (16, 32), (60, 120)):
        expected = np.stack([stretched(image, size) for image in X])
        np.testing.assert_array_equal(as_images(X).batch([0, 1, 2], size, resize), expected)
        assert Grid(size, resize).contents(np.array([(40, 80)] * 3)) is None


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_padding_is_black_and_the_rest_is_the_whole_image(dtype):
    image = np.full((30, 10, 3), 200, np.uint8)
    image[:15] = 100
    image = image if dtype == np.uint8 else (image / 255).astype(dtype)
    (padded,) = as_images([image]).batch([0], 12, "pad")
    assert padded.dtype == dtype
    np.testing.assert_array_equal(padded[:, 4:8], stretched(image, (12, 4)))
    assert not padded[:, :4].any() and not padded[:, 8:].any()
    (cropped,) = as_images([image]).batch([0], 12, "crop")
    np.testing.assert_array_equal(cropped, stretched(image[10:20], (12, 12)))


@pytest.mark.parametrize("resize", ["pad", "crop"])
@pytest.mark.parametrize("original", [(1, 1000), (1000, 1), (1, 1), (3, 2)])
def test_extreme_shapes_keep_a_pixel(resize, original):
    image = np.full((*original, 3), 255, np.uint8)
    (seen,) = as_images([image]).batch([0], 24, resize)
    placement = Grid((24, 24), resize).place(original)
    assert (placement.content.of(seen) == 255).all()
    assert seen.any(axis=2).sum() == np.prod(placement.content.size)


def test_copies_of_a_photograph_lie_where_it_lies():
    placement = Grid((12, 12), "pad").place((300, 100))
    labels = np.arange(30)[:, None] // 10 + np.zeros((30, 10), int)
    large = labels.repeat(10, axis=0).repeat(10, axis=1)
    on_grid = placement.onto_grid(large, -1)
    np.testing.assert_array_equal(placement.onto_grid(labels, -1), on_grid)
    assert (on_grid[:, 4:8] == np.arange(12)[:, None] // 4).all() and (on_grid < 0).sum() == 96
    np.testing.assert_array_equal(placement.back(on_grid, -1), large)
    np.testing.assert_array_equal(placement.back(on_grid, -1, (30, 10)), labels)
    cropped = Grid((12, 12), "crop").place((300, 100))
    small = cropped.back(np.ones((12, 12), bool), False, (30, 10))
    assert small[10:20].all() and not small[:10].any() and not small[20:].any()


def test_sizes_are_those_of_upright_photographs(tmp_path):
    turned = Image.fromarray(np.zeros((20, 30, 3), np.uint8))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.jpg", exif=exif)
    images = as_images([tmp_path / "turned.jpg"])
    _, sizes = images._on_grid(slice(None), Grid((8, 8), "pad"))
    assert sizes.tolist() == images.sizes().tolist() == [[30, 20]]


def test_bounded_sizes():
    assert bounded((300, 100), None) == (300, 100) == bounded((300, 100), 300)
    assert bounded((300, 100), 30) == (30, 10) and bounded((1000, 1), 10) == (10, 1)


def test_unknown_ways_are_refused():
    with pytest.raises(InputError, match="resize must be one of .*'zoom'"):
        as_images(np.zeros((1, 4, 4, 3), np.uint8)).batch([0], 4, "zoom")
