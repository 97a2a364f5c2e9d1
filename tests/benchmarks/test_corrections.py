"""The command that says whether masks teach, on tiny photographs."""

import json
import sys

import corrections
import numpy as np
import pytest
from benchmarks.fake_sets import write_set
from photograph_sets import load_split

from p2pselect import presets
from p2pselect.explanations import example_explanation


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("corrections"))


def test_masks_are_those_of_the_images_and_no_more_than_asked_for(photographs):
    part = load_split(photographs, "train")
    masks = corrections.masks_of(part, "masks")
    # The first image of each class has none.
    without = [name for name, mask in zip(part.names, masks, strict=True) if mask is None]
    assert without == ["blue/0.png", "red/0.png"]
    for image, mask in zip(part.images, masks, strict=True):
        if mask is not None:
            colorful = np.ptp(image.astype(int), axis=2) > 100
            np.testing.assert_array_equal(mask, colorful)
    few = corrections.drawn(masks, 0.2, seed=0)
    assert sum(mask is not None for mask in few) == 4
    assert sum(mask is not None for mask in corrections.drawn(masks, 1.0, seed=0)) == 18


def test_shares_outside_are_of_the_photographs_themselves(photographs):
    part = load_split(photographs, "test")[np.arange(2)]

    class KeepsHalf:
        def explain(self, images):
            exp = example_explanation(n_images=2).explanation
            kept = np.zeros((24, 32), bool)
            kept[:12] = True
            object.__setattr__(exp, "masks_at_original_size", lambda: [kept, kept])
            return exp

    half = corrections.measured(KeepsHalf(), part, "left_masks")
    # Half of what is kept is right of the middle, and half of what is there is kept.
    assert half["outside"] == half["background_kept"] == 0.5


@pytest.mark.filterwarnings("ignore:.*learned nothing")
def test_one_command_trains_both_and_compares(photographs, tmp_path, monkeypatch):
    settings = {**presets.SMALL, "image_size": 24, "max_epochs": 1}
    settings["objective__warmup_epochs"] = 0
    monkeypatch.setattr(corrections, "default_settings", lambda train, weights: settings)
    out = tmp_path / "corrections.json"
    arguments = ["corrections.py", f"--data={photographs}", "--masks=left_masks"]
    monkeypatch.setattr(
        sys, "argv", [*arguments, f"--json={out}", f"--out={tmp_path}", "--share=0.5"]
    )
    corrections.main()
    figures = json.loads(out.read_text())
    assert figures["seed0_train"] == 20 and figures["seed0_masks"] == 10
    for split in ("test", "test_more"):
        plain, taught = (
            figures[f"seed0_{name}_{split}_outside"] for name in ("plain", "taught")
        )
        assert figures[f"seed0_{split}_outside_left"] == pytest.approx(taught / plain)
        assert figures[f"seed0_{split}_reaches_the_bar"] in (True, False)
