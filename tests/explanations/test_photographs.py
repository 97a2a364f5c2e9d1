"""What people look at is the photograph, with what is kept on its place in it."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from explanations.photographs import (
    BLUE,
    COLORS,
    GRIDS,
    RED,
    SHAPES,
    away_from_edges,
    explained,
    given,
    quarters,
)
from oracles.outlines import bilinear_vote
from PIL import Image

from p2pselect import Explanation
from p2pselect.exceptions import P2PSelectWarning
from p2pselect.explanations import (
    ConfusionExamplesDisplay,
    explanation_summary,
    plot_explanation,
    plot_heat_map,
    plot_masked_image,
    plot_page,
    plot_regions,
    repr_html,
)
from p2pselect.explanations.figures._photographs import (
    enlarge_smoothly,
    photograph,
    region_crop,
    seen,
)
from p2pselect.explanations.report._payload import image_payload
from p2pselect.images import ImageSequence, as_images


def expected_masks(h, w, size, resize, grid, quarter):
    """The kept pixels of a photograph at a size, and those too close to an edge to tell."""
    whole = (quarters(h, w) == quarter) & given(h, w, resize, grid)
    rows = ((np.arange(size[0]) + 0.5) * h / size[0]).astype(int)
    columns = ((np.arange(size[1]) + 0.5) * w / size[1]).astype(int)
    mask = whole[np.ix_(rows, columns)]
    # As many pixels as one of the grid has on the photograph, and one for rounding.
    width = int(np.ceil(max(size) / min(grid))) + 1
    return mask, away_from_edges(mask, width)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("resize", ["pad", "crop", "stretch"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("quarter", [RED, BLUE])
def test_what_is_kept_lies_on_its_place_in_the_photograph(shape, resize, grid, quarter):
    original = COLORS[quarters(*shape)]
    exp = explained([original], resize, grid, quarter)
    picture = photograph(exp, 0)
    size = picture.pixels.shape[:2]
    assert max(size) == min(512, max(shape)) and picture.is_sharp
    assert abs(size[0] / size[1] - shape[0] / shape[1]) < 0.01
    if max(shape) <= 512:
        np.testing.assert_array_equal(picture.pixels, original)
    mask, sure = expected_masks(*shape, size, resize, grid, quarter)
    assert sure.mean() > 0.7 and mask[sure].any()
    shown = seen(exp, picture).max(axis=-1) > 0
    np.testing.assert_array_equal(shown[sure], mask[sure])
    # Without the photograph, the model's copy has its shape and shows the same.
    loaded = photograph(replace(exp, originals=None), 0)
    assert not loaded.is_sharp
    again = seen(exp, loaded)
    if resize == "crop":  # of which there is only what was not cut away
        assert again.shape[:2] == grid
        shown = again.max(axis=-1) > 0
        np.testing.assert_array_equal(shown, exp.pixel_masks[0])
    else:
        assert again.shape[0] >= min(grid[0], loaded.content.height)
        assert abs(again.shape[0] / again.shape[1] / (shape[0] / shape[1]) - 1) < 0.05
        mask, sure = expected_masks(*shape, again.shape[:2], resize, grid, quarter)
        np.testing.assert_array_equal((again.max(axis=-1) > 0)[sure], mask[sure])


@pytest.mark.parametrize("resize", ["pad", "crop", "stretch"])
def test_every_panel_is_drawn_on_the_photograph(resize):
    h, w = 300, 200
    original = COLORS[quarters(h, w)]
    exp = explained([original], resize)
    shown = plot_masked_image(exp).images[0].get_array()
    mask, sure = expected_masks(h, w, (h, w), resize, (64, 64), RED)
    expected = original * mask[..., None]
    np.testing.assert_array_equal(np.asarray(shown)[sure], expected[sure])
    heat = np.ma.filled(plot_heat_map(exp).images[0].get_array(), np.nan)
    inside = given(h, w, resize)
    assert np.isfinite(heat[away_from_edges(inside, 5) & inside]).all()
    assert not np.isfinite(heat[away_from_edges(inside, 5) & ~inside]).any()
    assert heat[120, 40] == exp.selection_probs[0, RED]
    drawn = plot_regions(exp).images[0].get_array()
    # Enlarged by whole pixels, so that lines are thin.
    times = drawn.shape[0] // h
    assert drawn.shape[:2] == (times * h, times * w)
    np.testing.assert_array_equal(drawn[times * 130, times * 50], original[130, 50])
    width, height = plot_explanation(exp).get_size_inches()
    assert height > width / 4


def test_a_figure_says_how_coarsely_the_classifier_saw():
    exp = explained([COLORS[quarters(192, 384)]])
    assert "saw it at 64 × 32 pixels" in plot_explanation(exp).get_supxlabel()
    assert "pixels" not in plot_explanation(
        replace(exp, originals=None)
    ).get_supxlabel().replace("of the pixels", "")
    assert "saw it at 64 × 32 pixels" in repr_html(exp)


def test_an_image_that_the_model_was_given_as_it_is_is_not_read_again(made, monkeypatch):
    exp = made.explanation
    sizes = np.full((len(exp), 2), 64)
    same = replace(exp, original_sizes=sizes, originals=as_images(exp.images))
    monkeypatch.setattr(ImageSequence, "thumbnail", pytest.fail)
    picture = photograph(same, 3)
    assert not picture.is_sharp and picture.lost is None
    np.testing.assert_array_equal(picture.pixels, exp.images[3])
    np.testing.assert_array_equal(picture.labels, exp.regions[3])


@pytest.mark.parametrize("resize", ["pad", "crop", "stretch"])
def test_images_smaller_than_the_grid_are_drawn_as_fine_as_the_grid(resize):
    exp = explained([COLORS[quarters(30, 20)]], resize)
    picture = photograph(exp, 0)
    assert min(picture.box.size) >= min(picture.content.size)
    assert abs(picture.pixels.shape[0] / picture.pixels.shape[1] - 1.5) < 0.05
    assert set(range(4)) == set(np.unique(picture.labels)) - {-1}


def test_a_photograph_that_is_gone_or_changed_is_said_to_be(tmp_path):
    files = [tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.png"]
    for file in files:
        Image.fromarray(COLORS[quarters(192, 384)]).save(file)
    exp = explained(files)
    files[0].unlink()
    Image.new("RGB", (500, 400)).save(files[1])
    with pytest.warns(P2PSelectWarning, match=r"1 of the photographs .*a\.png: no such file"):
        shown = plot_masked_image(exp, 0).images[0].get_array()
    assert shown.shape[:2] == (32, 64)
    with pytest.warns(P2PSelectWarning, match=r"b\.png'? has another size"):
        plot_explanation(exp, 1)
    with pytest.warns(P2PSelectWarning, match="2 of the photographs cannot be shown"):
        plot_page(exp)
    with pytest.warns(P2PSelectWarning, match="2 of the photographs cannot be shown"):
        repr_html(exp)
    with pytest.warns(P2PSelectWarning, match="2 of the photographs cannot be shown"):
        exp.to_html(tmp_path / "r.html")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_masked_image(exp, 2)


def test_after_loading_the_copy_of_the_model_is_drawn(tmp_path):
    exp = explained([COLORS[quarters(192, 384)]], "stretch")
    exp.save(tmp_path / "e.npz")
    shown = plot_masked_image(Explanation.load(tmp_path / "e.npz")).images[0].get_array()
    assert shown.shape[:2] == (64, 128)
    mask = quarters(64, 128) == RED
    np.testing.assert_array_equal((shown.max(axis=-1) > 0), mask)


def test_pictures_in_a_page_and_in_a_confusion_matrix_keep_their_aspect():
    exp = explained([COLORS[quarters(h, w)] for h, w in ((300, 200), (200, 300))])
    page = plot_page(exp, n_images=2)
    for ax, (h, w) in zip(page.axes, ((300, 200), (200, 300)), strict=True):
        left, right = (picture.get_extent() for picture in ax.images)
        assert left == [0, w, h, 0] and right[1] - right[0] == w
        assert ax.images[0].get_array().shape[:2] == (h, w)
    display = ConfusionExamplesDisplay.from_explanation(exp[1], ["leaf"])
    (left, right, bottom, top) = display.ax_.images[0].get_extent()
    assert (right - left) / (bottom - top) == pytest.approx(1.5, abs=0.02)
    assert right - left <= 1


def test_object_masks_are_outlined_where_the_object_is():
    exp = explained([COLORS[quarters(192, 384)]])
    masks = np.zeros((1, 64, 64), bool)
    masks[0, 16:32, :32] = True  # the upper left quarter of a photograph on its padded grid
    left = plot_page(exp, object_masks=masks).axes[0].images[0].get_array()
    yellow = (left == (240, 228, 66)).all(axis=-1)
    times = left.shape[0] // 192
    rows, columns = (np.flatnonzero(yellow.any(axis=axis)) for axis in (1, 0))
    assert rows.min() < 3 * times and rows.max() == pytest.approx(96 * times, abs=3)
    assert columns.max() == pytest.approx(192 * times, abs=3)


def test_crops_of_regions_are_those_of_the_photograph():
    # Stripes that no copy of 64 pixels shows.
    rng = np.random.default_rng(0)
    original = COLORS[quarters(400, 400)] - rng.integers(0, 2, (400, 400, 1), np.uint8) * 29
    exp = explained([original])
    sharp = region_crop(photograph(exp, 0), RED).astype(int)
    coarse = region_crop(photograph(replace(exp, originals=None), 0), RED).astype(int)
    inside = np.s_[40:56, 40:56, 0]
    assert sharp[inside].std() > 3 * coarse[inside].std()
    (row, _) = explanation_summary(exp)
    np.testing.assert_array_equal(row["typical_regions"][0]["crops"][0], sharp)


@pytest.mark.parametrize("region", [RED, BLUE])
def test_a_crop_shows_its_own_region_and_darkens_the_others(region):
    picture = photograph(explained([COLORS[quarters(400, 400)]]), 0)
    crop = region_crop(picture, region)
    is_own = (crop == COLORS[region]).all(axis=-1)
    assert 0.5 < is_own.mean() < 0.7
    assert np.median(crop[~is_own].max(axis=-1)) <= 64


def test_a_region_of_one_pixel_has_a_crop():
    exp = explained([COLORS[quarters(200, 300)]])
    regions = np.where(exp.regions == 3, 2, exp.regions)
    regions[0, 20, 5] = 3
    for longest in (20, 512):
        picture = photograph(replace(exp, regions=regions), 0, longest)
        assert region_crop(picture, 3).shape == (96, 96, 3)


@pytest.mark.parametrize(
    ("shape", "size"),
    [((5, 4), (17, 23)), ((6, 6), (24, 24)), ((1, 3), (5, 3)), ((3, 2), (4, 2))],
)
def test_outlines_are_those_of_a_bilinear_vote(shape, size):
    rng = np.random.default_rng(1)
    for n_labels in (2, 3, 20):
        labels = rng.integers(-1, n_labels, shape)
        np.testing.assert_array_equal(
            enlarge_smoothly(labels, size), bilinear_vote(labels, size)
        )
        values = rng.integers(0, 2, n_labels + 1)
        np.testing.assert_array_equal(
            enlarge_smoothly(labels, size, values), values[bilinear_vote(labels, size)]
        )


def test_outlines_become_smooth_and_centers_keep_their_labels():
    stairs = np.tri(32, dtype=int)
    large = enlarge_smoothly(stairs, (288, 288))
    np.testing.assert_array_equal(large[4::9, 4::9], stairs)
    # Stairs have a corner for every pixel of the grid, a straight line has none that is higher
    # than its own step.
    edge = large.sum(axis=1)[20:-20]
    assert np.ptp(np.diff(edge)) <= 2
    assert np.ptp(np.diff(stairs.repeat(9, axis=0).repeat(9, axis=1).sum(axis=1))) == 9
    np.testing.assert_array_equal(
        enlarge_smoothly(stairs, (8, 40)), stairs[2::4][:, np.arange(40) * 32 // 40]
    )


def test_outlines_are_smooth_on_photographs_and_as_they_are_on_copies_of_the_model():
    exp = explained([COLORS[quarters(256, 256)]])
    stairs = np.tri(64, dtype=np.int32)
    sharp = replace(exp, regions=stairs[None])
    np.testing.assert_array_equal(
        photograph(sharp, 0).labels, enlarge_smoothly(stairs, (256, 256))
    )
    coarse = photograph(replace(sharp, originals=None), 0)
    np.testing.assert_array_equal(coarse.labels, stairs)


def test_a_continuous_mask_dims_the_photograph():
    exp = explained([COLORS[quarters(192, 384)]])
    soft = replace(exp, soft_region_masks=np.float32([[1, 0.5, 0.25, 0]]))
    shown = plot_masked_image(soft).images[0].get_array()
    for place, share, color in (((40, 50), 1, 0), ((40, 300), 0.5, 1), ((150, 50), 0.25, 2)):
        np.testing.assert_allclose(shown[place], share * COLORS[color], atol=0.51)
    assert not shown[150, 300].any()


def test_a_notebook_shows_photographs_for_screens_of_twice_as_many_pixels():
    exp = explained([COLORS[quarters(500, 1000)]] * 2)
    html = repr_html(exp)
    assert re.findall(r'width="(\d+)" height="(\d+)"', html) == [("144", "72")] * 4
    assert photograph(exp, 0, 288).pixels.shape == (144, 288, 3)


@pytest.mark.parametrize("longest", [16, 100, 512])
def test_pictures_are_no_longer_than_asked_for(longest):
    for resize in ("pad", "crop", "stretch"):
        exp = explained([COLORS[quarters(300, 600)]], resize)
        for one in (exp, replace(exp, originals=None)):
            picture = photograph(one, 0, longest)
            assert max(picture.pixels.shape) <= longest
            assert picture.labels.shape == picture.pixels.shape[:2]
            assert image_payload(one, picture)["size"] == picture.pixels.shape[:2]


@pytest.mark.parametrize("channels", [1, 4])
def test_gray_and_transparent_photographs_are_drawn_in_color(channels):
    pixels = np.full((100, 200, channels), 200, np.uint8)
    exp = replace(explained([COLORS[quarters(100, 200)]]), originals=as_images([pixels]))
    drawn = photograph(exp, 0).pixels
    assert drawn.shape == (100, 200, 3)
    assert np.unique(drawn).tolist() == [200 if channels == 1 else 157]
