"""A run that was stopped goes on, with the same code and options."""

import pytest
import run_parts


@pytest.fixture(autouse=True)
def one_code(monkeypatch):
    monkeypatch.setattr(run_parts, "run_folder", lambda out: out / "code")


def test_a_part_is_measured_once(tmp_path):
    asked = []

    def measure(value):
        asked.append(value)
        return {"value": value, "seconds": 0.25}

    part = run_parts.RunParts(tmp_path, epochs=2)
    assert part("a", measure, 1) == {"value": 1, "seconds": 0.25}
    assert run_parts.RunParts(tmp_path, epochs=2)("a", measure, 2)["value"] == 1
    assert part("b", measure, 3)["value"] == 3
    assert asked == [1, 3]


@pytest.mark.parametrize("change", [{"epochs": 3}, {"epochs": None}, {"data": "other"}])
def test_other_options_are_another_run(tmp_path, change):
    options = {"epochs": 2, "data": "set"}
    run_parts.RunParts(tmp_path, **options)("a", dict, {"value": 1})
    other = run_parts.RunParts(tmp_path, **(options | change))
    assert other("a", dict, {"value": 2}) == {"value": 2}


def test_other_code_is_another_run(tmp_path, monkeypatch):
    run_parts.RunParts(tmp_path)("a", dict, {"value": 1})
    monkeypatch.setattr(run_parts, "run_folder", lambda out: out / "changed")
    assert run_parts.RunParts(tmp_path)("a", dict, {"value": 2}) == {"value": 2}


def test_a_part_that_fails_leaves_nothing(tmp_path):
    part = run_parts.RunParts(tmp_path)
    with pytest.raises(ZeroDivisionError):
        part("a", lambda: 1 // 0)
    assert [*tmp_path.rglob("*.json")] == []
    assert part("a", dict, {"value": 2}) == {"value": 2}
