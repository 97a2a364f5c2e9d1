"""How exponents are measured, and that every step is."""

import growth
import numpy as np
import pytest

SIZES = [100, 200, 400, 800, 1600]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (lambda n: 0.2 + n, 1.0),
        (lambda n: 30 + 0.01 * n**2, 1.99),  # what it costs anyway hides the small sizes
        (lambda n: n * np.log(n), 1.15),
    ],
)
def test_exponents_are_those_of_the_largest_sizes(seconds, expected):
    found = growth.exponent(SIZES, [seconds(n) for n in SIZES])
    assert found == pytest.approx(expected, abs=0.02)


STEPS = {"listing", "regions", "fit", "predict", "explain", "report"}


def test_every_step_is_measured():
    case = growth.Case(images=8, side=16, regions=4)
    for found in growth.measure(case):
        assert found.keys() == STEPS
        assert min(found.values()) > 0


def test_sizes_double_and_reach_what_is_said():
    for name, cases in growth.CASES.items():
        sizes = np.array([*cases])
        np.testing.assert_allclose(sizes[1:] / sizes[:-1], 2, rtol=0.03, err_msg=name)
    assert max(growth.CASES["classes"]) == 1000
    assert max(growth.CASES["regions"]) == 2000


def test_the_fastest_round_counts_and_the_first_peak(monkeypatch):
    rounds = iter([(1, 10), (9, 20), (5, 40), (2, 90), (2, 90), (4, 90)])

    def measure(case):
        seconds, peak = next(rounds)
        return {"fit": seconds}, {"fit": peak}

    monkeypatch.setattr(growth, "measure", measure)
    exponents, peaks = growth.growth(dict.fromkeys((1, 2, 4), growth.Case()), rounds=2)
    assert exponents == {"fit": pytest.approx(1.0)}
    assert peaks == {"fit": 4}
