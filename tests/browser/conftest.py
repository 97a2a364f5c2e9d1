"""A headless browser, where there is one."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from sklearn.utils import Bunch

from p2pselect.plots import example_explanation

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --force-device-scale-factor=1"
)


@pytest.fixture(scope="session")
def made() -> Bunch:
    """Explanation, true labels and object masks of a dozen digit scenes."""
    return example_explanation(n_images=12, random_state=3)


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Iterator[Any]:
    """A chromium driven by selenium that records every request and console message."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    chrome = next(filter(None, map(shutil.which, names)), None)
    driver = shutil.which("chromedriver")
    if chrome is None or driver is None:
        pytest.skip("no chromium with chromedriver on the path")
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
