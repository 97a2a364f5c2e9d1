"""The comparison of measured ratios with those that were recorded."""

import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def history(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.delitem(sys.modules, "history", raising=False)
    import history

    yield history
    sys.modules.pop("history")


HIGH, LOW = "predict_speedup_over_naive", "step_over_networks_64"


@pytest.mark.parametrize(
    ("name", "before", "now", "spread", "worse"),
    [
        (HIGH, 8.0, 6.0, 0.1, True),
        (HIGH, 8.0, 12.0, 0.1, False),
        (HIGH, 8.0, 7.5, 0.0, False),  # within the tolerance
        (HIGH, 8.0, 6.0, 1.0, False),  # within the noise
        (LOW, 1.0, 1.3, 0.01, True),
        (LOW, 1.0, 0.5, 0.01, False),
        (LOW, 1.0, 1.05, 0.0, False),
    ],
)
def test_worse_is_by_more_than_tolerance_and_noise(history, name, before, now, spread, worse):
    then = history.Ratio(before, spread)
    assert history.is_worse(name, history.Ratio(now, spread), then) is worse


def test_ratios_are_of_runs_that_took_turns(history):
    # The second round hit a busy moment, on both sides.
    ratio = history.Ratio.of([2.0, 20.0, 2.2, 1.8], [1.0, 10.0, 1.0, 1.0])
    assert ratio.value == pytest.approx(2.0)
    assert ratio.spread == pytest.approx(0.05)


def record(machine, value):
    return {"machine": machine, "ratios": {HIGH: {"value": value, "spread": 0.0}}}


def test_the_record_is_that_of_the_same_machine_if_there_is_one(history):
    records = [record("a", 1.0), record("a", 2.0), record("b", 3.0)]
    assert history.last_record(records, "a") is records[1]
    assert history.last_record(records, "c") is records[2]
    assert history.last_record([], "a") is None


def test_a_ratio_without_a_record_is_new(history):
    now = {HIGH: history.Ratio(5.0, 0.0), LOW: history.Ratio(9.0, 0.0)}
    assert history.compare(now, record("a", 8.0)) == [HIGH]


@pytest.fixture
def run(history, monkeypatch, tmp_path, capsys):
    """Run the script with a made-up measurement; returns its exit code and what it printed."""
    monkeypatch.setattr(history, "HISTORY", tmp_path / "history.json")
    monkeypatch.setattr(history, "processor", lambda: "a processor")

    def run(value, *arguments):
        measured = {HIGH: history.Ratio(value, 0.1)}
        monkeypatch.setattr(history, "MEASUREMENTS", (lambda: measured,))
        monkeypatch.setattr(sys, "argv", ["history.py", *arguments])
        return history.main(), capsys.readouterr().out

    return run


def test_a_regression_is_named_and_ends_with_an_error(history, run):
    assert run(8.0) == (0, f"{HIGH}: 8.000 ± 0.100\n")
    assert not history.HISTORY.exists(), "only --record writes"
    run(8.0, "--record")
    code, said = run(4.0)
    assert code == 1 and f"REGRESSION: {HIGH}" in said and "before: 8.000" in said
    assert run(8.1, "--record")[0] == 0
    values = [r["ratios"][HIGH]["value"] for r in json.loads(history.HISTORY.read_text())]
    assert values == [8.0, 8.1]


def test_every_ratio_has_a_direction(history):
    recorded = BENCHMARKS / "results" / "history.json"
    for entry in json.loads(recorded.read_text(encoding="utf-8")):
        assert set(entry["ratios"]) <= set(history.BETTER)
        assert {"date", "machine", "versions"} <= entry.keys()
