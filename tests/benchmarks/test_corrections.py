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
        sys,
        "argv",
        [*arguments, f"--json={out}", f"--out={tmp_path}", "--share=0.5"]
        + ["--mask-weights", "10", "3", "--seeds", "0", "1"],
    )
    corrections.main()
    figures = json.loads(out.read_text())
    assert figures["seed0_images_train"] == 20 and figures["seed0_images_masks"] == 10
    for split in ("test", "test_more"):
        for weight in ("10", "3"):
            of_seeds = {
                name: [figures[f"seed{seed}_{name}_{split}_outside"] for seed in (0, 1)]
                for name in ("plain", f"taught{weight}")
            }
            plain, taught = (np.mean(own) for own in of_seeds.values())
            row = f"taught{weight}_{split}"
            assert figures[f"{row}_outside"] == pytest.approx(taught)
            assert figures[f"{row}_outside_left"] == pytest.approx(taught / plain)
            lost = figures[f"plain_{split}_accuracy"] - figures[f"{row}_accuracy"]
            assert figures[f"{row}_accuracy_lost"] == pytest.approx(lost)


@pytest.mark.parametrize(
    "outside, accuracy, reached", [(0.2, 0.795, True), (0.21, 0.8, False), (0.1, 0.785, False)]
)
def test_the_bar_is_half_of_what_lies_outside_at_a_point_of_accuracy(
    outside, accuracy, reached
):
    rows = {
        "images": {"train": 3},
        "plain_test": {"outside": 0.4, "accuracy": 0.8},
        "taught10_test": {"outside": outside, "accuracy": accuracy},
    }
    assert corrections.compared(rows)["taught10_test_reaches_the_bar"] is reached
