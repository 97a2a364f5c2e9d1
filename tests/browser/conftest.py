"""A headless browser, where there is one, and a report that is open in it."""

import json
import shutil
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from skip_reasons import CHROMIUM, has_chromium
from sklearn.utils import Bunch

from p2pselect.explanations import example_explanation, write_html

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --force-device-scale-factor=1"
)

# Colors at the middle of every pixel of pictures that lie over one another, as a flat list.
PIXELS = """
const [layers, h, w] = arguments;
await Promise.all(layers.map((layer) => layer.decode?.()));
const width = layers[0].naturalWidth ?? layers[0].width;
const height = layers[0].naturalHeight ?? layers[0].height;
const step = width / w;
const own = newCanvas(width, height);
const copy = own.getContext('2d', {willReadFrequently: true});
for (const layer of layers) copy.drawImage(layer, 0, 0, width, height);
const all = copy.getImageData(0, 0, width, height).data;
const out = [];
for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) {
  const at = 4 * (Math.floor((y + .5) * step) * width + Math.floor((x + .5) * step));
  out.push(all[at], all[at + 1], all[at + 2]);
}
return out;
"""

# Number of pixels in the color that outlines related regions.
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


class Page:
    """A page that is open in the browser."""

    def __init__(self, browser, address):
        self.browser = browser
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
        self.resize(1280, 900)
        for kind in ("browser", "performance"):
            browser.get_log(kind)
        browser.get(address)
        self.wait("document.documentElement.dataset.ready === 'yes'")

    def js(self, code, *args):
        return self.browser.execute_script(code, *args)

    def wait(self, condition):
        end = time.monotonic() + 60
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

    def text(self, selector):
        return self.js("return arguments[0].textContent", self.find(selector))

    def shown(self):
        return self.js("return shown.map((item) => report.images.indexOf(item))")

    def press(self, *keys):
        from selenium.webdriver import ActionChains

        ActionChains(self.browser).send_keys(*keys).perform()


class Report(Page):
    """A report that is open in the browser."""

    def __init__(self, browser, exp, path, *args, **options):
        self.exp = exp
        write_html(exp, path, *args, **options)
        super().__init__(browser, path.as_uri())
        # Of the other orders, one has a test of its own.
        self.set("#sort", "given")

    def open(self, image):
        self.js("openDetail(report.images[arguments[0]])", image)
        self.wait(f"picture && current === report.images[{image}]")
        self.wait("byId('state').textContent !== ''")

    def step(self, tau):
        """Position of the slider for the open image at one ``tau``."""
        return self.js("return current.steps.tau.indexOf(arguments[0])", float(tau))

    def pixels(self, *layers, size=None):
        """Colors of a canvas, or of images that lie over one another."""
        h, w = self.exp.regions.shape[1:] if size is None else size
        return np.array(self.js(PIXELS, list(layers), h, w), np.uint8).reshape(h, w, 3)

    def card(self, image):
        """The picture of a card, and what it shows as seen by the classifier."""
        card = self.js("return report.images[arguments[0]].card", image)
        original, *layers = card.find_elements("css selector", "img")
        size = self.js("return report.images[arguments[0]].size", image)
        return self.pixels(original, size=size), self.pixels(*layers, size=size)

    def blue_pixels(self, canvas):
        """Number of pixels in the color that outlines related regions."""
        return self.js(BLUE, canvas)

    def wait_for_order(self, images):
        """The page sorts after the event that asked for it has ended."""
        order = "shown.map((item) => report.images.indexOf(item))"
        self.wait(f"String({order}) === {','.join(map(str, images))!r}")


@pytest.fixture(scope="session")
def made() -> Bunch:
    """Explanation, true labels and object masks of a dozen digit scenes."""
    return example_explanation(n_images=12, random_state=3)


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Iterator[Any]:
    """A chromium driven by selenium that records every request and console message."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    if not has_chromium():
        pytest.skip("chromium or chromedriver is not on the path")
    chrome = next(filter(None, map(shutil.which, CHROMIUM)))
    driver = shutil.which("chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chrome
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chromium = webdriver.Chrome(options, webdriver.ChromeService(driver))
    chromium.set_script_timeout(20)
    yield chromium
    chromium.quit()


def requested(browser):
    """The addresses that the browser has asked for since its log was read."""
    events = [
        json.loads(entry["message"])["message"] for entry in browser.get_log("performance")
    ]
    return [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]


@pytest.fixture()
def open_app(browser):
    """Open an app; at the end it must be all that was asked, and no script have failed."""
    opened = []

    def opens(address):
        opened.append(address)
        return Page(browser, address)

    yield opens
    failures = [entry["message"] for entry in browser.get_log("browser")]
    # What the app refuses is in this log, too.
    assert [words for words in failures if "status of 422" not in words] == []
    assert all(url.startswith((opened[0], "data:")) for url in requested(browser))


@pytest.fixture()
def open_report(browser, tmp_path):
    """Open a report; at the end the console must be silent and nothing requested."""
    yield lambda exp, *args, **options: Report(
        browser, exp, tmp_path / "report.html", *args, **options
    )
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    urls = requested(browser)
    assert urls and all(url.startswith(("file://", "data:")) for url in urls)
    assert sum(url.startswith("file://") for url in urls) == 1


@pytest.fixture()
def report(open_report, made):
    return open_report(made.explanation, made.y, object_masks=made.object_masks)
