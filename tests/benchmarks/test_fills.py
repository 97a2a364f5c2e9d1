"""The comparison of fills, in small."""

import json
import sys

import fills
import pytest

from p2pselect.datasets import Dataset, make_digit_scenes


def tiny(folder, split, random_state):
    data = make_digit_scenes(40, 64, split=split, random_state=random_state)
    data.target %= 2
    return data


def test_one_command_trains_audits_and_compares(tmp_path, monkeypatch, capsys):
    arguments = ["fills.py", f"--out={tmp_path / 'run'}", "--images=40", "--seeds", "0"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--fills", "vit_drop"])
    monkeypatch.setattr(fills, "DATASETS", {"digit_scenes": Dataset(tiny)})
    with pytest.raises(
        SystemExit, match="not all seeds of black, mean, blur, noise, vit_black have"
    ):
        fills.main()
    printed = capsys.readouterr().out
    for column, _, _ in fills.COLUMNS:
        assert f"vit_drop_{column}: " in printed
    (trial,) = (tmp_path / "run").rglob("vit_drop.p2p.default.0.json")
    assert "fill='drop'" in json.loads(trial.read_text())["facts"]["settings"]["networks"]
