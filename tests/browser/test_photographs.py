"""Photographs in a real browser: in cards, in the detail view, on request as coarse as seen."""

import numpy as np
import pytest
from explanations.photographs import COLORS, RED, away_from_edges, explained, given, quarters

from p2pselect.explanations.figures._photographs import photograph, seen

SHAPES = [(300, 200), (192, 384), (181, 333)]
#: JPEG's error of colors next to an edge between colors.
NEAR = 12


ALL_MODES = pytest.mark.parametrize("photos", ["pad", "crop", "stretch"], indirect=True)


@pytest.fixture
def photos(request, open_report):
    """A report on photographs of several shapes, of which the red quarter was kept."""
    resize = getattr(request, "param", "crop")
    exp = explained([COLORS[quarters(*shape)] for shape in SHAPES], resize)
    return open_report(exp, ["leaf"] * 3)


def close(shown, expected):
    """Whether two pictures are alike, except for JPEG's errors along edges."""
    far = np.abs(shown.astype(int) - expected).max(axis=-1) > NEAR
    return far.mean() < 0.05


@ALL_MODES
def test_cards_show_the_photograph_and_what_was_kept_of_it(photos):
    for i, shape in enumerate(SHAPES):
        original, kept = photos.card(i)
        assert original.shape[:2] == shape
        assert close(original, COLORS[quarters(*shape)])
        mask = (quarters(*shape) == RED) & given(*shape, photos.exp.resize)
        sure = away_from_edges(mask, 7)
        shown = kept.max(axis=-1) > 0
        np.testing.assert_array_equal(shown[sure], mask[sure])
        # The same as in figures, up to the pixel.
        expected = seen(photos.exp[i], photograph(photos.exp, i))
        np.testing.assert_array_equal(shown, expected.max(axis=-1) > 0)


@ALL_MODES
def test_the_detail_view_shows_the_same_on_the_photograph(photos):
    for i, shape in enumerate(SHAPES):
        photos.open(i)
        kept = photos.pixels(photos.find("#seen"), size=shape)
        expected = seen(photos.exp[i], photograph(photos.exp, i))
        np.testing.assert_array_equal(kept.max(axis=-1) > 20, expected.max(axis=-1) > 20)
        assert close(
            photos.pixels(photos.find("#original"), size=shape), COLORS[quarters(*shape)]
        )
        # All four quarters, without what was cut away.
        photos.set("#tau", 3)
        faint = photos.pixels(photos.find("#seen"), size=shape).max(axis=-1) > 20
        sure = away_from_edges(given(*shape, photos.exp.resize), 7)
        np.testing.assert_array_equal(faint[sure], given(*shape, photos.exp.resize)[sure])


@ALL_MODES
def test_on_request_it_is_as_coarse_as_the_classifier_saw_it(photos):
    exp = photos.exp
    photos.open(1)
    photos.find("#coarse").click()
    picture = photograph(exp, 1)
    box, content = picture.box, picture.content
    shown = photos.pixels(photos.find("#seen"), size=picture.pixels.shape[:2])
    # The middle of every pixel of the model's grid.
    rows, columns = (
        start + ((np.arange(n) + 0.5) * length / n).astype(int)
        for start, length, n in zip(box[:2], box.size, content.size, strict=True)
    )
    copy = content.of(exp.masked_images[1])
    coarse = shown[np.ix_(rows, columns)]
    np.testing.assert_array_equal(coarse.max(axis=-1) > 20, copy.max(axis=-1) > 20)
    assert np.abs(coarse.astype(int) - copy).mean() < 4
    assert f"{content.width} × {content.height} pixels" in photos.text("#coarse-label")
    photos.find("#coarse").click()
    assert photos.find("#sharpness").is_displayed()


def test_regions_are_found_under_the_pointer(photos):
    from selenium.webdriver import ActionChains

    photos.open(0)
    canvas = photos.find("#original")
    box = photos.js("return arguments[0].getBoundingClientRect()", canvas)
    right, down = int(0.2 * box["width"]), int(0.2 * box["height"])
    ActionChains(photos.browser).move_to_element_with_offset(canvas, -right, -down).perform()
    photos.wait("region !== null")
    assert photos.text("#region").startswith("Region 1 of 4")
    ActionChains(photos.browser).move_to_element_with_offset(canvas, right, down).perform()
    photos.wait("region === 3")
    # Above what the model was given.
    high = int(0.47 * box["height"])
    ActionChains(photos.browser).move_to_element_with_offset(canvas, 0, -high).perform()
    photos.wait("region === null")


def test_the_page_says_that_photographs_are_sharper_than_what_was_seen(
    photos, open_report, made
):
    assert "sharper than the classifier saw them" in photos.text(".lead")
    assert "64\u00a0×\u00a064 pixels" in photos.text(".lead")
    report = open_report(made.explanation)
    assert "sharper" not in report.text(".lead")
    report.open(0)
    assert not report.find("#sharpness").is_displayed()


@pytest.mark.parametrize("width", [320, 400])
def test_photographs_fit_onto_a_phone(photos, width):
    photos.resize(width, 800)
    assert photos.js("return document.documentElement.scrollWidth") <= width
    for i in range(len(SHAPES)):
        photos.open(i)
        assert photos.js("return dialog.scrollWidth <= dialog.clientWidth")
        sizes = [photos.find(name).size for name in ("#original", "#seen")]
        h, w = SHAPES[i]
        for size in sizes:
            assert size["width"] / size["height"] == pytest.approx(w / h, rel=0.02)
        # Wide photographs stand above one another, as large as the phone allows.
        assert (sizes[0]["width"] > 0.8 * width) == (w > 1.4 * h)
        photos.js("dialog.close()")
