"""The planted faults of ``python -m mutants``: every row still means something."""

from pathlib import Path

import pytest
from mutants.fault import Fault, StaleFault
from mutants.runs import Run
from mutants.table import FAULTS

ROOT = Path(__file__).resolve().parents[1]


def test_every_old_text_is_there_exactly_once():
    stale = []
    for fault in FAULTS:
        try:
            fault.changed(ROOT)
        except StaleFault as error:
            stale.append(str(error))
    assert stale == []


def test_there_are_enough_faults_and_none_twice():
    assert len(FAULTS) >= 80
    assert len(set(FAULTS)) == len(FAULTS)


def test_the_tests_of_every_fault_exist():
    for name in {name for fault in FAULTS for name in fault.tests}:
        file, *functions = name.split("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert all(f"def {function.partition('[')[0]}(" in text for function in functions), name


@pytest.mark.parametrize(
    ("file", "old", "message"),
    [
        ("nowhere.py", "x", "no such file"),
        ("nn/_masking.py", "images + masks", "0 times, not once"),
        ("nn/_masking.py", "images", "times, not once"),
    ],
)
def test_a_stale_fault_is_loud(file, old, message):
    with pytest.raises(StaleFault, match=message):
        Fault(file, old, "y", ()).changed(ROOT)


@pytest.mark.parametrize(
    ("code", "verdict", "reason"),
    [
        (0, "SURVIVED", ""),
        (1, "killed", "by tests/test_a.py::test_b[c d]"),
        (None, "killed", "stopped after 7 s"),
        (2, "NOT RUN", "cannot be run"),  # the tests could not be imported
        (5, "NOT RUN", "cannot be run"),  # there are none
    ],
)
def test_only_a_test_that_failed_or_hung_has_noticed_a_fault(code, verdict, reason):
    output = "...F\nFAILED tests/test_a.py::test_b[c d] - AssertionError: no\n1 failed in 1s\n"
    run = Run(code, output, 7.2)
    assert run.verdict == verdict and reason in run.reason
    assert run.failed == (verdict == "killed")
