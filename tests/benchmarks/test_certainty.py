"""The program that judges certainty, on paths whose truth is known."""

import json
import sys

import certainty
import numpy as np
import pytest

from tests.oracles.stop_calibration import share_right, simulated_paths


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the program on two seeds of one part; returns its figures and what it printed."""
    rng = np.random.default_rng(0)
    for seed in (0, 1):
        paths, right = simulated_paths(500, rng)
        kept = np.linspace(0.05, 1, paths.shape[1])[None].repeat(500, axis=0)
        own = {"certainty": paths.tolist(), "right": right.astype(int).tolist()}
        record = {"cell": {"set": "leaves", "seed": seed}, "paths": {"test": own}}
        own["kept"] = kept.tolist()
        (tmp_path / f"p2p-{seed}.json").write_text(json.dumps(record))
    (tmp_path / "probe-0.json").write_text(json.dumps({"cell": {"set": "leaves", "seed": 0}}))
    arguments = ["certainty.py", "--run", str(tmp_path), "--halves", "8", "--draws", "40"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--json", str(tmp_path / "found.out")])
    certainty.main()
    return json.loads((tmp_path / "found.out").read_text()), capsys.readouterr().out


def test_the_figures_are_those_of_loops(run, tmp_path):
    figures, printed = run
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


def test_a_run_without_paths_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["certainty.py", "--run", str(tmp_path)])
    with pytest.raises(SystemExit, match="holds no paths"):
        certainty.main()
