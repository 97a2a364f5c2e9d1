"""What messages show of data is short, whatever the data are."""

import numpy as np
import pandas as pd
import pytest

from p2pselect.exceptions import brief, did_you_mean


class Rude:
    def __repr__(self):
        return "x" * 1_000_000


@pytest.mark.parametrize(
    "value",
    [
        b"\xff" * 1_000_000,
        memoryview(b"\xff" * 1_000_000),
        "x" * 1_000_000,
        [["x" * 1000] * 1000] * 1000,
        {"x" * 1000 + str(i): "y" * 1000 for i in range(1000)},
        tuple(range(100_000)),
        10**4000,
        np.zeros((100, 100, 100)),
        np.array(["x" * 10_000] * 100),
        pd.DataFrame({"x" * 1000: ["y" * 1000] * 1000}),
        Rude(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_brief_is_one_short_line(value):
    shown = brief(value)
    assert len(shown) <= 200 and "\n" not in shown
    assert brief([value] * 9).count("\n") == 0 and len(brief([value] * 9)) <= 200


@pytest.mark.parametrize(
    "value", ["cat.jpg", 3, None, 0.5, (2, 3), ["a", "b"], {"a": 1}, b"ab"]
)
def test_brief_of_what_is_short_is_its_repr(value):
    assert brief(value) == repr(value)


def test_near_matches_are_named_and_far_ones_are_not():
    assert did_you_mean("wathershed", ["slic", "watershed"]) == "; did you mean 'watershed'?"
    assert did_you_mean("tets", ["test", "tests"]) == "; did you mean 'tests' or 'test'?"
    assert did_you_mean(None, ["slic"]) == did_you_mean("slic", []) == ""
