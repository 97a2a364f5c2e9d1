"""``p2pselect reproduce`` with a suite of seconds."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from p2pselect import datasets, presets, reproduction
from p2pselect.cli import main
from p2pselect.reproduction import _runner as runner
from p2pselect.reproduction import _suite as suites

SETTINGS = {**presets.SMALL, "image_size": 32, "objective__warmup_epochs": 0, "regions": "grid"}
PIXEL = suites.Variant("blackbox_pixel", group="blackbox")


@dataclass(frozen=True)
class Tiny:
    present: bool = True

    def load(self, root, split, random_state):
        made = datasets.make_digit_scenes(16, 32, split=split, random_state=random_state)
        made.target = made.target % 2
        return made

    def is_present(self, root):
        return self.present


@pytest.fixture
def small(monkeypatch):
    """``--scale small`` is this one."""
    plan = suites.Plan(SETTINGS, {"blackbox": 1}, tau=0.3)
    suite = suites.Suite("small", {"tiny": plan}, (PIXEL,), seeds=(0, 1), n_curve_images=4)
    monkeypatch.setitem(reproduction.SUITES, "small", suite)
    monkeypatch.setattr(runner.datasets_room, "DATASETS", {"tiny": Tiny()})
    return suite


def test_run_continue_and_report(small, tmp_path, capsys):
    out = tmp_path / "run"
    arguments = ["reproduce", "run", "--out", str(out), "--csv", str(tmp_path / "all.csv")]
    assert main([*arguments, "--seeds", "0"]) == 0
    assert "1 trials, 0 of them already done" in capsys.readouterr().out
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert (
        "2 trials, 1 of them already done" in said and "tiny.blackbox_pixel.default.1:" in said
    )
    assert f"next: p2pselect reproduce report {out}" in said
    assert {row.seed for row in reproduction.read_scores(tmp_path / "all.csv")} == {0, 1}
    # A run with audits is another run.
    assert main([*arguments, "--audit-epochs", "3"]) == 1
    assert "audit_epochs" in capsys.readouterr().err
    assert main(["reproduce", "report", str(out), "--csv", str(tmp_path / "again.csv")]) == 0
    assert capsys.readouterr().out.strip() == str(out / "report" / "index.html")
    assert (tmp_path / "again.csv").read_text() == (tmp_path / "all.csv").read_text()


def test_what_is_run_more_is_passed_on(small, tmp_path, monkeypatch):
    asked = []

    def run(suite, out, **options):
        asked.append((suite.audit_epochs, suite.equal_cpu, options["weights"]))
        return reproduction.RunStore(out)

    monkeypatch.setattr(reproduction, "run_suite", run)
    for more in ([], ["--equal-cpu"], ["--audit-epochs", "3"], ["--weights", "some"]):
        assert main(["reproduce", "run", "--out", str(tmp_path), *more]) == 0
    assert asked == [
        (0, False, None),
        (0, True, None),
        (3, False, None),
        (0, False, Path("some")),
    ]


def test_a_failed_cell_is_said_and_ends_with_an_error(small, tmp_path, capsys, monkeypatch):
    broken = suites.Plan(SETTINGS, {}, tau=0.3, changes={"blackbox_pixel": {"lr": -1}})
    suite = suites.Suite("small", {"tiny": broken}, (PIXEL,), seeds=(0,))
    monkeypatch.setitem(reproduction.SUITES, "small", suite)
    assert main(["reproduce", "run", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "tiny.blackbox_pixel.default.0 FAILED: InvalidParameterError" in said.out
    assert "1 of 1 trials failed" in said.err and "--retry-failed" in said.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--methods", "comett"], "did you mean 'comet'"),
        (["--datasets", "digits"], "no data set is called 'digits'"),
    ],
)
def test_unknown_names(arguments, said, tmp_path, capsys):
    assert main(["reproduce", "run", "--out", str(tmp_path / "x"), *arguments]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_report_without_a_run(tmp_path, capsys):
    assert main(["reproduce", "report", str(tmp_path)]) == 1
    assert "does not hold a run" in capsys.readouterr().err
