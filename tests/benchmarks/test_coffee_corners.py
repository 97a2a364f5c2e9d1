"""The audit of the coffee leaves, on tiny photographs."""

import json
import sys

import coffee_corners
import numpy as np
import pytest
from benchmarks.fake_sets import write_set
from photograph_sets import load_split

from p2pselect import presets


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("corners"))


def test_colors_of_the_corners_and_nothing_else(photographs):
    part = load_split(photographs, "test")
    colors = coffee_corners.corner_colors(part)
    image = part.images[3].astype(float) / 255
    corners = [image[:3, :3], image[:3, -3:], image[-3:, :3], image[-3:, -3:]]
    np.testing.assert_allclose(colors[3], np.ravel([c.mean(axis=(0, 1)) for c in corners]))
    assert colors.shape == (8, 12)


@pytest.mark.filterwarnings("ignore:.*learned nothing")
def test_one_command_says_what_is_outside(photographs, tmp_path, monkeypatch):
    settings = {**presets.SMALL, "image_size": 24, "max_epochs": 1, "pretrained": False}
    monkeypatch.setattr(coffee_corners, "default_settings", lambda train, weights: settings)
    monkeypatch.setattr(coffee_corners, "FEW_EPOCHS", 0)
    out = tmp_path / "corners.json"
    arguments = ["coffee_corners.py", f"--data={photographs}", "--masks=left_masks"]
    monkeypatch.setattr(sys, "argv", [*arguments, f"--json={out}"])
    coffee_corners.main()
    figures = json.loads(out.read_text())
    for name in ("default", "few_epochs"):
        assert figures[f"{name}_leaves"] == 8
        # The masks are the left halves, and the borders above and below are no part of it.
        assert figures[f"{name}_outside, at random"] == pytest.approx(0.5, abs=0.01)
        low, mean, high = (figures[f"{name}_outside{end}"] for end in (", low", "", ", high"))
        assert 0 <= low <= mean <= high <= 1
    assert 0 <= figures["corners_accuracy"] <= 1 and figures["constant_accuracy"] == 0.5
