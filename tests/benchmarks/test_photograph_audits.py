"""The audit of a set of photographs, in small."""

import json
import sys

import numpy as np
import photograph_audits
import pytest
from benchmarks.fake_sets import write_set
from photograph_sets import load_split

from p2pselect import presets


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("audited"))


def rows_of(figures, name):
    start = f"{name}_"
    return {key.removeprefix(start): figures[key] for key in figures if key.startswith(start)}


@pytest.mark.filterwarnings("ignore:.*learned nothing")
def test_one_command_compares_the_judge_on_what_is_shown(photographs, tmp_path, monkeypatch):
    settings = {**presets.SMALL, "image_size": 24, "max_epochs": 1, "pretrained": False}
    monkeypatch.setattr(photograph_audits, "default_settings", lambda train, weights: settings)
    out = tmp_path / "audit.json"
    arguments = ["photograph_audits.py", f"--data={photographs}", "--masks=left_masks"]
    monkeypatch.setattr(sys, "argv", [*arguments, f"--json={out}"])
    photograph_audits.main()
    figures = json.loads(out.read_text())
    for name in ("0.1", "0.5", "stop", "whole"):
        row = rows_of(figures, name)
        gap = row["model"] - row["judge"]
        assert row["model - judge, low"] <= gap <= row["model - judge, high"]
        assert 0 <= row["outside, low"] <= row["outside"] <= row["outside, high"] <= 1
        # Of a whole image, there is nothing to choose.
        assert ("judge: scattered" in row) is (name != "whole")
        for kind in photograph_audits.OTHERS if name != "whole" else ():
            worth = row["judge"] - row[f"judge: {kind}"]
            assert row[f"judge - {kind}, low"] <= worth <= row[f"judge - {kind}, high"]
    assert figures["0.1_kept"] <= 0.1 and figures["whole_kept"] == 1
    # The masks are the left halves, and the borders above and below are no part of it.
    assert figures["whole_outside"] == pytest.approx(0.5, abs=0.01)
    assert figures["verdict"] == "cannot tell"
    assert 0 <= figures["corners_accuracy"] <= 1 and figures["constant_accuracy"] == 0.5


def test_colors_of_the_corners_and_nothing_else(photographs):
    part = load_split(photographs, "test")
    colors = photograph_audits.corner_colors(part)
    image = part.images[3].astype(float) / 255
    corners = [image[:3, :3], image[:3, -3:], image[-3:, :3], image[-3:, -3:]]
    np.testing.assert_allclose(colors[3], np.ravel([c.mean(axis=(0, 1)) for c in corners]))
    assert colors.shape == (8, 12)
