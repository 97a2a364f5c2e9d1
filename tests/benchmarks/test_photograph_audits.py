"""The audit of P2P's default, on tiny photographs."""

import json
import sys

import photograph_audits
import pytest
from benchmarks.fake_sets import write_set

from p2pselect import presets


@pytest.mark.filterwarnings("ignore:.*learned nothing")
def test_one_command_compares_the_judge_on_what_is_shown(tmp_path, monkeypatch):
    photographs = write_set(tmp_path / "set")
    settings = {**presets.SMALL, "image_size": 24, "max_epochs": 1, "pretrained": False}
    monkeypatch.setattr(photograph_audits, "default_settings", lambda train, weights: settings)
    out = tmp_path / "audit.json"
    arguments = ["photograph_audits.py", f"--data={photographs}", f"--json={out}"]
    monkeypatch.setattr(sys, "argv", arguments)
    photograph_audits.main()
    figures = json.loads(out.read_text())
    for name in ("0.1", "0.5", "stop", "whole"):
        row = {
            key.removeprefix(f"{name}_"): value
            for key, value in figures.items()
            if key.startswith(f"{name}_")
        }
        gap = row["model"] - row["judge"]
        assert row["model - judge, low"] <= gap <= row["model - judge, high"]
        # Of a whole image, there is nothing to choose.
        assert ("judge: scattered" in row) is (name != "whole")
        for kind in photograph_audits.OTHERS if name != "whole" else ():
            worth = row["judge"] - row[f"judge: {kind}"]
            assert row[f"judge - {kind}, low"] <= worth <= row[f"judge - {kind}, high"]
    assert figures["0.1_kept"] <= 0.1 and figures["whole_kept"] == 1
    assert figures["verdict"] == "cannot tell"
