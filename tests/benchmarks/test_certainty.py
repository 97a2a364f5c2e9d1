"""The program that judges certainty, on paths whose truth is known."""

import contextlib
import io
import json
import sys

import certainty
import numpy as np
import pytest

from tests.oracles.stop_calibration import share_right, simulated_classes, simulated_paths


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run the program on two seeds of one part; returns figures, what it printed, and where."""
    tmp_path, printed = tmp_path_factory.mktemp("run"), io.StringIO()
    rng = np.random.default_rng(0)
    for seed in (0, 1):
        paths, right = simulated_paths(500, rng)
        kept = np.linspace(0.05, 1, paths.shape[1])[None].repeat(500, axis=0)
        own = {"certainty": paths.tolist(), "right": right.astype(int).tolist()}
        record = {"cell": {"set": "leaves", "seed": seed}, "paths": {"test": own}}
        own["kept"] = kept.tolist()
        (tmp_path / f"p2p-{seed}.json").write_text(json.dumps(record))
    right_of, wrong_of = right, right & (rng.random(right.shape) < 0.5)
    proba, truth = simulated_classes(800, rng)
    certainties, right = proba.max(axis=2), proba.argmax(axis=2) == truth[:, None]
    words = {"certainty": certainties.tolist(), "right": right.astype(int).tolist()}
    words |= {"kept": np.ones(right.shape).tolist(), "proba": proba.tolist()}
    words["truth"] = truth.tolist()
    record = {"cell": {"set": "signs", "seed": 0}, "paths": {"test": words}}
    (tmp_path / "signs-0.json").write_text(json.dumps(record))
    # New designs: the same words, of which fewer are true.
    known, new = ({**own, "right": part.astype(int).tolist()} for part in (right_of, wrong_of))
    record = {"cell": {"set": "emoji_scenes", "seed": 0}}
    record["paths"] = {"test_seen_designs": known, "test": new}
    (tmp_path / "emoji-0.json").write_text(json.dumps(record))
    (tmp_path / "probe-0.json").write_text(json.dumps({"cell": {"set": "leaves", "seed": 0}}))
    arguments = ["certainty.py", "--run", str(tmp_path), "--halves", "8", "--draws", "20"]
    arguments += ["--json", str(tmp_path / "found.out")]
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setattr(sys, "argv", arguments)
        certainty.main()
    return json.loads((tmp_path / "found.out").read_text()), printed.getvalue(), tmp_path


def test_the_figures_are_those_of_loops(run):
    figures, printed, tmp_path = run
    word = []
    for seed in (0, 1):
        own = json.loads((tmp_path / f"p2p-{seed}.json").read_text())["paths"]["test"]
        word.append(share_right(own["certainty"], own["right"], 0.9)[0])
    found = figures["leaves/test:@0.9_right, classifier's word"]
    assert found == pytest.approx(np.mean(word), abs=1e-6)
    assert abs(figures["leaves/test:@0.9_right"] - 0.9) < 0.04 < abs(found - 0.9)
    gap = figures["leaves/test:@0.9_ECE"] - figures["leaves/test:@0.9_ECE of a perfect model"]
    assert gap < 0.03 < figures["leaves/test:@0.9_ECE of the classifier"] - 0.03
    assert figures["leaves/test:bound_exceeded"] <= 0.15
    assert figures["leaves/test:bound_images"] == 250
    most = figures["leaves/test:bound_most that could be answered"]
    assert figures["leaves/test:bound_answered"] <= most
    everything = figures["leaves/test:everything@0.99_kept"]
    assert figures["leaves/test:most_certain@0.99_kept"] <= everything
    assert "leaves/test:@0.9" in printed and "leaves/test:bound" in printed


def test_what_needs_all_probabilities_is_measured_where_they_are_recorded(run):
    figures, printed, _ = run
    assert figures["signs/test:by class_images"] == 400
    assert figures["signs/test:by class_exceeded"] <= 0.15
    # A third of the answers that name one of the four classes is wrong.
    assert figures["signs/test:by class_classes"] <= 0.76
    assert figures["signs/test:by class_answered"] >= 0.2
    assert 0.87 <= figures["signs/test:sets_true class in it"] <= 0.95
    assert 1 <= figures["signs/test:sets_classes, answered"] <= 2.5
    assert "signs/test:sets" in printed and "leaves/test:sets" not in printed


def test_few_images_give_the_share_on_average(run):
    figures, _, _ = run
    shares = [figures[f"leaves/test:{n} images_right"] for n in certainty.FEW]
    assert all(abs(share - 0.9) < 0.07 for share in shares)
    assert figures["leaves/test:150 images_right, cross-fitted"] != shares[-1]


def test_a_calibration_is_asked_about_images_of_another_kind(run):
    figures, printed, _ = run
    row = "emoji_scenes/test:shift@0.9_"
    assert abs(figures[f"{row}right, known"] - 0.9) < 0.02
    assert abs(figures[f"{row}right, new"] - 0.45) < 0.06
    # Where the search stops does not depend on what is right.
    assert figures[f"{row}answered, new"] == figures[f"{row}answered, known"] > 0.3
    assert figures["emoji_scenes/test:shift@bound_right, known"] >= 0.95
    assert figures["emoji_scenes/test:shift@bound_right, new"] < 0.6
    assert "emoji scenes/test:shift@0.9" in printed


def test_a_run_without_paths_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["certainty.py", "--run", str(tmp_path)])
    with pytest.raises(SystemExit, match="holds no paths"):
        certainty.main()
