"""The planted faults of ``python -m mutants``: every row still means something."""

from pathlib import Path

import pytest
from mutants.fault import Fault, StaleFault
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
        ("nn/masking.py", "images + masks", "0 times, not once"),
        ("nn/masking.py", "images", "times, not once"),
    ],
)
def test_a_stale_fault_is_loud(file, old, message):
    with pytest.raises(StaleFault, match=message):
        Fault(file, old, "y", ()).changed(ROOT)
