"""Marks in a real browser: what is clicked is, region for region, what a model learns from."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from app.serving import HalfModel, encoded, serving

from p2pselect.app import create_app
from p2pselect.datasets import correction_masks, read_corrections
from p2pselect.datasets._corrections import parse_corrections
from p2pselect.explanations.report._payload import _order
from p2pselect.images import as_images

DOWNLOADS = {"behavior": "allow", "eventsEnabled": False}


def middle_of(page, region, canvas="#original"):
    """Where to click for a region: the offset of one of its pixels from the canvas's middle."""
    spot = page.js(
        """
        const labels = regionMap(current, isCoarse(current));
        const width = current.size[1];
        const own = [...labels.keys()].filter((i) => labels[i] === arguments[0]);
        const at = own[Math.floor(own.length / 2)];
        const box = byId('original').getBoundingClientRect();
        return [(at % width + .5) / width * box.width - box.width / 2,
          (Math.floor(at / width) + .5) / current.size[0] * box.height - box.height / 2];
        """,
        region,
    )
    return page.find(canvas), *map(round, spot)


def click(page, region):
    from selenium.webdriver import ActionChains

    canvas, x, y = middle_of(page, region)
    ActionChains(page.browser).move_to_element_with_offset(canvas, x, y).click().perform()


def downloaded(page, folder, button="#correct .download"):
    page.browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {**DOWNLOADS, "downloadPath": str(folder)}
    )
    page.find(button).click()
    file, end = folder / "corrections.json", time.monotonic() + 30
    while not file.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    return read_corrections(file)


@pytest.mark.parametrize("resize", ["pad", "crop", "stretch"])
def test_outlines_are_those_of_the_regions(resize, made, open_report):
    exp = replace(
        made.explanation[:3], original_sizes=np.array([[128, 128], [90, 200], [300, 100]])
    )
    exp = replace(exp, resize=resize)
    if resize == "pad":  # black borders belong to no region
        regions = exp.regions.copy()
        for labels, place in zip(regions, exp._placements(), strict=True):
            inside = np.zeros(labels.shape, bool)
            place.content.of(inside)[...] = True
            labels[~inside] = -1
        exp = replace(exp, regions=regions)
    report = open_report(exp)
    photographs = as_images([np.zeros((*size, 3), np.uint8) for size in exp.original_sizes])
    for image in range(3):
        report.open(image)
        # By their place in the order in which they are shown.
        report.js("""
          gridMap(current).forEach((i) =>
            i % 3 || i >= current.probs.length || marksOf(current).set(i, 'wrong'));
        """)
        entries = report.js("return correctionsOf(current)")
        marked = _order(exp[image])[::3]
        found = parse_corrections(json.dumps({"corrections": entries}).encode(), "the page")
        mask = correction_masks(found, photographs)[image]
        place = exp._placements()[image]
        own = place.onto_grid(mask, 1) == 0
        expected = np.isin(exp.regions[image], marked)
        # A region of which the photograph has fewer pixels than the grid may lose its edge.
        assert (own & place.onto_grid(np.ones(mask.shape, int), 0) != expected).mean() < 0.03


def test_clicks_mark_and_a_file_comes_of_it(made, open_report, tmp_path):
    names = [f"rust/{i}.jpg" for i in range(12)]
    report = open_report(made.explanation, names=names)
    report.open(2)
    click(report, 0)
    assert report.js("return marksOf(current).size") == 0  # a click only looks
    report.find("#mark-wrong").click()
    click(report, 0)
    click(report, 3)
    click(report, 3)  # not after all
    report.find("#mark-missing").click()
    click(report, 7)
    assert report.js("return [...marksOf(current)]") == [[0, "wrong"], [7, "missing"]]
    assert "1 region marked as wrong, 1 region marked as missing" in report.text("#marked")
    assert "Marked as missing" in report.text("#region")
    one, other = downloaded(report, tmp_path)
    assert (one.image, one.kind) == ("rust/2.jpg", "wrong") and other.kind == "missing"
    assert one.size == made.explanation._placements()[2].original
    report.find("#close").click()
    assert "2 regions marked on this page." in report.text("#corrected")


def test_marks_with_the_keyboard_alone(made, open_report):
    from selenium.webdriver import Keys

    report = open_report(made.explanation)
    report.open(1)
    report.js("byId('original').focus()")
    report.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, "w", Keys.ARROW_RIGHT, "m", Keys.ENTER)
    assert report.js("return [...marksOf(current)]") == [[1, "wrong"], [2, "missing"]]
    report.press("m")  # taken back
    report.find("#mark-wrong").send_keys(Keys.SPACE)
    assert report.find("#mark-wrong").get_attribute("aria-pressed") == "true"
    report.js("byId('seen').focus()")
    report.press(Keys.ARROW_RIGHT, Keys.ENTER)
    assert report.js("return [...marksOf(current)]") == [[1, "wrong"], [0, "wrong"]]
    # Images without a name are told by their number.
    assert report.js("return correctionsOf(current)[0].image") == 1
    report.js("unsaved = false")  # or else the browser would ask before it leaves


def test_the_app_keeps_marks_in_its_file(open_app, tmp_path):
    photo, kept = tmp_path / "photo.png", tmp_path / "kept.json"
    photo.write_bytes(encoded(250, (60, 40)))
    made = create_app(HalfModel(), [photo], names=["photo.png"], corrections=kept)
    with serving(made) as served:
        page = open_app(served.url)
        for again in (False, True):
            page.wait("items.length === 1")
            page.js("openDetail(items[0])")
            page.wait("picture && current")
            if again:
                assert page.js("return [...marksOf(current)]") == [[1, "missing"]]
            page.js("toggleMark(current, 1, 'missing'); return keeping")
            found = read_corrections(kept)
            assert len(found) == (not again)
            if not again:
                mask = correction_masks(found, as_images([photo]))[0]
                assert (mask[:, 30:] == 2).all() and (mask[:, :30] == 1).all()
                page.browser.refresh()
        page.browser.get("about:blank")
