"""Every program below ``benchmarks`` starts, and the ones that go on know where they were."""

import importlib
import json
import sys
from pathlib import Path

import demo
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
PROGRAMS = [
    path.stem
    for path in sorted(BENCHMARKS.glob("*.py"))
    if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_starts(name, monkeypatch, capsys):
    module = importlib.import_module(name)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])
    with pytest.raises(SystemExit, match="^0$"):
        module.main()
    first_words = " ".join(module.__doc__.splitlines()[0].split()[:4])
    assert first_words in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("recorded", "now", "skipped"),
    [
        ({"commit": "a", "changed": False}, {"commit": "a", "changed": False}, True),
        ({"commit": "a", "changed": False}, {"commit": "b", "changed": False}, False),
        ({"commit": "a", "changed": True}, {"commit": "a", "changed": True}, False),
        ({"recorded_in": "a"}, {"commit": "a", "changed": False}, False),
    ],
)
def test_the_demo_runs_again_unless_this_code_has_recorded_it(
    tmp_path, monkeypatch, recorded, now, skipped
):
    (tmp_path / "demo-seed0.json").write_text(json.dumps({"about": recorded}))
    runs = []

    def run(arguments):
        runs.append(arguments)
        made = next(a for a in arguments if a.startswith("--json=")).removeprefix("--json=")
        Path(made).write_text(json.dumps({"accuracy": 0.5}))
        return 0

    monkeypatch.setattr(demo, "commit", lambda: now)
    monkeypatch.setattr(demo, "p2pselect", run)
    arguments = ["demo.py", f"--results={tmp_path}", "--seeds", "0"]
    monkeypatch.setattr(sys, "argv", arguments)
    demo.main()
    assert len(runs) == (0 if skipped else 1)
    figures = json.loads((tmp_path / "demo-seed0.json").read_text())
    assert ("accuracy" in figures) is not skipped


def test_a_demo_that_fails_leaves_the_record_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "p2pselect", lambda arguments: 1)
    monkeypatch.setattr(sys, "argv", ["demo.py", f"--results={tmp_path}"])
    with pytest.raises(SystemExit, match="^1$"):
        demo.main()
    assert list(tmp_path.iterdir()) == []
