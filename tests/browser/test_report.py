"""The report in a real browser: what is drawn, filters, slider, keyboard, silence."""

import json
import re
import time
from dataclasses import replace

import numpy as np
import pytest

from p2pselect.report import write_html

# Colours at the middle of every image pixel of a canvas, as a flat list.
PIXELS = """
const [canvas, h, w] = arguments;
const step = canvas.width / w;
const own = newCanvas(canvas.width, canvas.height);
const copy = own.getContext('2d', {willReadFrequently: true});
copy.drawImage(canvas, 0, 0);
const all = copy.getImageData(0, 0, canvas.width, canvas.height).data;
const out = [];
for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) {
  const at = 4 * (Math.floor((y + .5) * step) * canvas.width + Math.floor((x + .5) * step));
  out.push(all[at], all[at + 1], all[at + 2]);
}
return out;
"""

# Number of pixels in the colour that outlines related regions.
BLUE = """
const [canvas] = arguments;
const own = newCanvas(canvas.width, canvas.height);
const copy = own.getContext('2d', {willReadFrequently: true});
copy.drawImage(canvas, 0, 0);
const all = copy.getImageData(0, 0, canvas.width, canvas.height).data;
let found = 0;
for (let i = 0; i < all.length; i += 4) {
  if (all[i] === 90 && all[i + 1] === 190 && all[i + 2] === 245) found++;
}
return found;
"""


class Report:
    """A report that is open in the browser."""

    def __init__(self, browser, exp, path, *args, **options):
        self.browser, self.exp = browser, exp
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
        self.resize(1280, 900)
        for kind in ("browser", "performance"):
            browser.get_log(kind)
        write_html(exp, path, *args, **options)
        browser.get(path.as_uri())
        self.wait("document.documentElement.dataset.ready === 'yes'")

    def js(self, code, *args):
        return self.browser.execute_script(code, *args)

    def wait(self, condition):
        end = time.monotonic() + 15
        while not self.js(f"return Boolean({condition})"):
            assert time.monotonic() < end, f"waited in vain for {condition}"
            time.sleep(0.03)

    def find(self, selector):
        return self.browser.find_element("css selector", selector)

    def resize(self, width, height):
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def set(self, field, value):
        event = "arguments[0].dispatchEvent(new Event('input', {bubbles: true}))"
        self.js(f"arguments[0].value = arguments[1]; {event}", self.find(field), str(value))

    def open(self, image):
        self.js("openDetail(report.images[arguments[0]])", image)
        self.wait(f"picture && current === report.images[{image}]")
        self.wait("byId('state').textContent !== ''")

    def step(self, tau):
        """Position of the slider for the open image at one ``tau``."""
        return self.js("return current.steps.tau.indexOf(arguments[0])", float(tau))

    def text(self, selector):
        return self.js("return arguments[0].textContent", self.find(selector))

    def pixels(self, canvas):
        h, w = self.exp.regions.shape[1:]
        return np.array(self.js(PIXELS, canvas, h, w), np.uint8).reshape(h, w, 3)

    def shown(self):
        return self.js("return shown.map((item) => report.images.indexOf(item))")

    def press(self, *keys):
        from selenium.webdriver import ActionChains

        ActionChains(self.browser).send_keys(*keys).perform()


@pytest.fixture()
def open_report(browser, tmp_path):
    """Open a report; at the end the console must be silent and nothing requested."""
    yield lambda exp, *args, **options: Report(
        browser, exp, tmp_path / "report.html", *args, **options
    )
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    events = [
        json.loads(entry["message"])["message"] for entry in browser.get_log("performance")
    ]
    urls = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert urls and all(url.startswith(("file://", "data:")) for url in urls)
    assert sum(url.startswith("file://") for url in urls) == 1


@pytest.fixture()
def report(open_report, made):
    return open_report(made.explanation, made.y, object_masks=made.object_masks)


def test_cards_show_exactly_what_the_classifier_saw(report):
    cards = report.browser.find_elements("css selector", ".card")
    assert len(cards) == len(report.exp)
    for i, card in enumerate(cards):
        seen = report.pixels(card.find_element("css selector", "canvas"))
        np.testing.assert_array_equal(seen, report.exp.masked_images[i])


def test_slider_lights_up_the_regions_in_their_order(report):
    exp = report.exp
    report.open(1)
    stop = int(np.flatnonzero(exp.path_tau == exp.tau[1])[0])
    assert report.js("return Number(byId('tau').value)") == report.step(exp.tau[1])
    np.testing.assert_array_equal(report.pixels(report.find("#seen")), exp.masked_images[1])
    for t in range(stop + 1):
        report.set("#tau", report.step(exp.path_tau[t]))
        visible = np.isin(exp.regions[1], exp.ranking[1, : exp.path_counts[1, t]])
        expected = exp.images[1] * visible[..., None]
        np.testing.assert_array_equal(report.pixels(report.find("#seen")), expected)
        assert f"τ = {exp.path_tau[t]:.2f}" in report.text("#tau-label")
        assert f"{exp.path_counts[1, t]} of {exp.n_regions[1]}" in report.text("#tau-label")


def test_beyond_the_stop_regions_are_faint_and_bars_stand_still(report):
    exp = report.exp
    report.open(1)
    before = report.js(
        "return [...document.querySelectorAll('.value')].map(v => v.textContent)"
    )
    report.set("#tau", report.step(exp.path_tau[-1]))
    seen = report.pixels(report.find("#seen")).astype(int)
    kept = exp.pixel_masks[1]
    np.testing.assert_array_equal(seen[kept], exp.images[1][kept])
    assert (seen[~kept] <= exp.images[1][~kept] / 2).all() and seen[~kept].any()
    after = report.js("return [...document.querySelectorAll('.value')].map(v => v.textContent)")
    assert before == after
    assert "never saw the faint regions" in report.text("#state")


def test_bars_follow_the_slider(report):
    exp = report.exp
    image = int(exp.tau.argmax())
    report.open(image)
    stop = int(np.flatnonzero(exp.path_tau == exp.tau[image])[0])
    top = np.argsort(-exp.proba[image], kind="stable")[:8]
    for t in (0, stop // 2, stop):
        report.set("#tau", report.step(exp.path_tau[t]))
        fills = report.browser.find_elements("css selector", "#bars .fill")
        widths = [
            float(report.js("return parseFloat(arguments[0].style.width)", f)) for f in fills
        ]
        np.testing.assert_allclose(widths, 100 * exp.path_proba[image, t, top], atol=0.02)
    names = report.js(
        "return [...document.querySelectorAll('#bars .name')].map(v => v.textContent)"
    )
    assert names == [str(exp.classes[c]) for c in top]


def test_the_stop_says_that_this_was_enough(report):
    for image, certain in enumerate(report.exp.certainty_reached):
        report.open(image)
        words = "This is all it needed" if certain else "stopped here without being certain"
        assert words in report.text("#state")
        mark = report.find("#stop")
        assert mark.is_displayed()


def test_before_the_stop_it_was_not_certain(report):
    report.open(int(report.exp.tau.argmax()))
    report.set("#tau", report.step(report.exp.path_tau[0]))
    assert "Not certain yet" in report.text("#state")


def test_before_the_first_tau_nobody_asked(report):
    image = int(report.exp.path_counts[:, 0].argmax())
    assert report.exp.path_counts[image, 0] > 1
    report.open(image)
    report.set("#tau", 0)
    assert "was not asked" in report.text("#state")
    best = report.exp.regions[image] == report.exp.ranking[image, 0]
    expected = report.exp.images[image] * best[..., None]
    np.testing.assert_array_equal(report.pixels(report.find("#seen")), expected)


def test_play_ends_at_the_stop(report):
    image = int(np.flatnonzero(report.exp.tau >= 0.15)[0])
    report.open(image)
    report.find("#play").click()
    assert "Pause" in report.text("#play")
    assert report.js("return Number(byId('tau').value)") == 0
    report.wait("byId('play').textContent.includes('Play')")
    assert report.js("return Number(byId('tau').value) === current.steps.stop")


def test_filters(report, made):
    exp = report.exp
    everything = np.arange(len(exp))
    right = exp.predicted == made.y
    named = str(exp.predicted[~right][0])
    place = exp.classes.tolist().index(named)
    cases = [
        ("#by-class", place, (exp.predicted == named) | (made.y == named)),
        ("#by-answer", "right", right),
        ("#by-answer", "wrong", ~right),
        ("#by-certain", "yes", exp.certainty_reached),
        ("#by-certain", "no", ~exp.certainty_reached),
        ("#by-kept", 10, exp.kept_fraction <= 0.1),
        ("#by-kept", 0, exp.kept_fraction < 0),
    ]
    for field, value, expected in cases:
        report.set(field, value)
        assert report.shown() == everything[expected].tolist(), (field, value)
        assert len(report.browser.find_elements("css selector", ".card")) == expected.sum()
        assert f"{expected.sum()} of {len(exp)} images" in report.text("#count")
        assert report.find("#nothing").is_displayed() == (not expected.any())
        report.find("#filters [type=reset]").click()
        report.wait(f"shown.length === {len(exp)}")


def test_sorting(report):
    exp = report.exp
    for order, values in [
        ("certainty", exp.certainty),
        ("-certainty", -exp.certainty),
        ("kept", exp.kept_fraction),
        ("-kept", -exp.kept_fraction),
        ("predicted", exp.proba.argmax(axis=1)),
    ]:
        report.set("#sort", order)
        assert (np.diff(values[report.shown()]) >= -1e-3).all(), order
    report.set("#sort", "given")
    assert report.shown() == list(range(len(exp)))


def test_pointing_at_a_region_tells_its_probability_and_its_relatives(report):
    from selenium.webdriver import ActionChains

    exp = report.exp
    report.open(2)
    canvas = report.find("#original")
    h, w = exp.regions.shape[1:]
    size = report.js("return arguments[0].getBoundingClientRect().width", canvas)
    y, x = np.argwhere(exp.regions[2] == exp.ranking[2, 0])[0]
    offset = [int((at + 0.5) * size / w - size / 2) for at in (x, y)]
    ActionChains(report.browser).move_to_element_with_offset(canvas, *offset).perform()
    report.wait("region !== null")
    words = report.text("#region")
    assert words.startswith(f"Region 1 of {exp.n_regions[2]}")
    probability = 100 * exp.selection_probs[2, exp.ranking[2, 0]]
    assert f"{probability:.0f}" in words or f"{probability:.1f}" in words

    covariance = exp.covariance(2)
    scale = np.sqrt(np.diag(covariance))
    own = exp.ranking[2, 0]
    correlation = covariance[own] / scale[own] / scale
    kin = [int(r) for r in np.argsort(-correlation) if r != own and correlation[r] > 0.35]
    told = {int(a): float(b) for a, b in re.findall(r"(\d+) \((\d\.\d+)\)", words)}
    place = np.argsort(exp.ranking[2]) + 1
    assert kin and int(place[kin[0]]) in told
    for region in kin[:4]:
        assert told.get(int(place[region]), 0) == pytest.approx(correlation[region], abs=0.05)
    blue = report.js(BLUE, canvas)
    assert blue > 50


def test_everything_works_with_the_keyboard(report):
    from selenium.webdriver import Keys

    card = report.browser.find_elements("css selector", ".card")[1]
    report.js("arguments[0].focus()", card)
    report.press(Keys.ENTER)
    report.wait("dialog.open && current === report.images[1]")
    report.wait("byId('state').textContent !== ''")
    report.press("n")
    report.wait("current === report.images[2]")
    report.press("p")
    report.wait("current === report.images[1]")
    report.js("byId('tau').focus()")
    value = report.js("return Number(byId('tau').value)")
    report.press(Keys.ARROW_RIGHT)
    assert report.js("return Number(byId('tau').value)") == value + 1
    report.js("byId('seen').focus()")
    report.press(Keys.ARROW_RIGHT)
    assert report.text("#region").startswith("Region 1 ")
    report.press(Keys.ARROW_RIGHT)
    assert report.text("#region").startswith("Region 2 ")
    report.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert report.text("#region").startswith("Region 1 ")
    report.press(Keys.ESCAPE)
    report.wait("!dialog.open")
    assert report.js("return document.activeElement") == card


def test_tab_reaches_filters_and_cards_and_stays_in_the_dialog(report):
    from selenium.webdriver import Keys

    reached = []
    for _ in range(9):
        report.press(Keys.TAB)
        reached.append(
            report.js("return document.activeElement.id || document.activeElement.className")
        )
    assert reached[:5] == ["by-class", "by-answer", "by-certain", "by-kept", "sort"]
    assert "card" in reached
    report.open(0)
    for _ in range(12):
        report.press(Keys.TAB)
        focus = report.js("return document.activeElement")
        assert report.js("return arguments[0].matches('body, #detail, #detail *')", focus)


def test_everything_has_a_name(report):
    report.open(0)
    missing = report.js("""
      const named = (e) => e.alt || e.getAttribute('aria-label') || e.labels?.length ||
        e.textContent.trim();
      return [...document.querySelectorAll('img, canvas, button, select, input')]
        .filter((e) => !named(e)).map((e) => e.outerHTML);
    """)
    assert missing == []


def test_hostile_labels_and_names_stay_text(open_report, made):
    label = "</script><img src=x onerror=alert(1)>"
    classes = np.array([label, "<b>digit 1</b>", *map(str, range(8))])
    exp = replace(made.explanation, classes=classes)
    report = open_report(exp, exp.predicted, names=[label] * 12, title=label)
    assert report.browser.title == label
    assert report.text("h1") == label
    report.open(0)
    assert report.text("#detail-title") == label
    assert report.js("return document.querySelectorAll('b, [onerror]').length") == 0
    options = report.js("return [...byId('by-class').options].map((o) => o.textContent)")
    used = {str(value) for value in exp.predicted}
    assert set(options[1:]) == used


@pytest.mark.parametrize("width", [320, 400])
def test_narrow_screens_need_no_sideways_scrolling(report, width):
    report.resize(width, 800)
    assert report.js("return document.documentElement.scrollWidth") <= width
    report.open(0)
    assert report.js("return dialog.scrollWidth <= dialog.clientWidth")
    tops = [report.js("return byId(arguments[0]).offsetTop", name) for name in ("walk", "bars")]
    assert tops[0] < tops[1]


def test_dark_mode(report):
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = report.js(ground)
    feature = {"name": "prefers-color-scheme", "value": "dark"}
    report.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    dark = report.js(ground)
    levels = [sum(map(int, colour[4:-1].split(","))) for colour in (light, dark)]
    assert levels[0] > 600 and levels[1] < 150


def test_print_leaves_out_what_cannot_be_used_on_paper(report):
    report.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not report.find("#filters").is_displayed()
    assert report.find("#gallery").is_displayed() and report.find("table").is_displayed()
    report.open(0)
    assert not report.find("main").is_displayed() and not report.find("#play").is_displayed()
    assert report.find("#seen").is_displayed() and report.find("#bars").is_displayed()


def test_a_sample_says_that_it_is_one(open_report, made):
    report = open_report(made.explanation, made.y, max_images=4)
    assert report.text("#count").startswith("4 of 4 images")
    assert report.text("#count").endswith("an even sample of all 12")


def test_without_labels_there_is_no_filter_for_answers(open_report, made):
    report = open_report(made.explanation)
    assert not report.find("#by-answer").is_displayed()
    assert report.find("#by-certain").is_displayed()


def test_without_a_path_the_order_can_still_be_walked(open_report, made):
    exp = replace(made.explanation, path_tau=None, path_counts=None, path_proba=None)
    report = open_report(exp, made.y)
    report.open(0)
    np.testing.assert_array_equal(report.pixels(report.find("#seen")), exp.masked_images[0])
    assert "τ" not in report.text("#tau-label")
    report.set("#tau", 0)
    if exp.region_masks[0].sum() > 1:
        assert "was not asked" in report.text("#state")


def test_soft_masks_are_shown_with_their_brightness(open_report, made):
    exp = made.explanation
    soft = np.where(exp.region_masks, 0.9, 0.3).astype(np.float32)
    report = open_report(replace(exp, soft_region_masks=soft), made.y)
    report.open(0)
    seen = report.pixels(report.find("#seen")).astype(float)
    expected = exp.images[0] * np.take(soft[0], exp.regions[0])[..., None]
    np.testing.assert_allclose(seen, expected, atol=2.5)
    assert not report.find("#tau").is_displayed()


def test_images_that_are_not_square(open_report, made):
    exp = made.explanation
    wide = replace(exp, images=exp.images.repeat(2, 2), regions=exp.regions.repeat(2, 2))
    report = open_report(wide)
    report.open(3)
    np.testing.assert_array_equal(report.pixels(report.find("#seen")), wide.masked_images[3])
