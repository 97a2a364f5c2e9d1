"""Figures of many records: means, intervals, bars, and when not to quote them."""

import math

import numpy as np
import photograph_tables as tables
import pytest

ABOUT = {"commit": "abc1234", "changed": False}


def record(method, seed, rows, images=None, localization=None, **changes):
    n = len(next(iter(rows.values()))["right"])
    return {
        "cell": {"set": "s", "split": "test", "method": method, "seed": seed},
        "about": ABOUT,
        "is_pretrained": True,
        "facts": {},
        "images": {"test": images or [str(i) for i in range(n)]},
        "rows": {"test": rows},
        "localization": {"test": localization or {}},
        "costs": {"CPU seconds": 100.0 + seed},
        **changes,
    }


def ours(seed, right, kept=0.3, answered=None, **changes):
    answered = [1.0] * len(right) if answered is None else answered
    kept = [kept] * len(right) if np.isscalar(kept) else kept
    row = {"right": right, "kept": kept, "certain": answered}
    return record("p2p", seed, {"p2p": row}, **changes)


def theirs(seed, right, row="probe", **changes):
    return record(row.partition("@")[0], seed, {row: {"right": right}}, **changes)


def test_scores_are_means_over_seeds_with_their_range():
    records = [
        ours(0, [1, 1, 1, 0], kept=[0.1, 0.1, 0.1, 0.5], answered=[1, 1, 0, 0]),
        ours(1, [1, 0, 0, 0], kept=0.4, answered=[1, 1, 0, 0]),
    ]
    figures = tables.figures_of(records)
    expected = {
        "accuracy": 0.5,
        "lowest": 0.25,
        "highest": 0.75,
        "kept": 0.3,
        "answered": 0.5,
        "right of the answered": 0.75,
        "kept of the answered": 0.25,
        "CPU seconds": 100.5,
    }
    assert {k: figures[f"s/test:p2p_{k}"] for k in expected} == pytest.approx(expected)


def test_nothing_is_right_where_nothing_is_answered():
    figures = tables.figures_of([ours(0, [1, 1], answered=[0, 0])])
    assert figures["s/test:p2p_right of the answered"] is None
    assert figures["s/test:p2p_kept of the answered"] is None


def test_a_method_that_shows_everything_has_no_kept_area():
    figures = tables.figures_of([theirs(0, [1, 0])])
    assert "s/test:probe_accuracy" in figures and "s/test:probe_kept" not in figures


def test_the_difference_is_paired_by_image_and_seed():
    # The mean difference of the images is 0, 1 and 0.5, each over two seeds.
    mine = [ours(0, [1, 1, 1]), ours(1, [0, 1, 0])]
    its = [theirs(1, [0, 0, 0]), theirs(0, [1, 0, 0])]
    value, low, high = tables.paired_difference(mine, its, "test", "probe")
    assert value == pytest.approx(0.5)
    assert low == 0.0 and high == 1.0


def test_the_interval_is_that_of_a_mean_over_images():
    rng = np.random.default_rng(0)
    right, other = rng.random(400) < 0.8, rng.random(400) < 0.7
    mine, its = [ours(0, right.astype(int).tolist())], [theirs(0, other.astype(int).tolist())]
    value, low, high = tables.paired_difference(mine, its, "test", "probe")
    difference = right.astype(int) - other
    assert value == pytest.approx(difference.mean())
    half = 1.96 * difference.std() / math.sqrt(400)
    assert (low, high) == pytest.approx((value - half, value + half), abs=0.2 * half)


def test_images_of_several_seeds_count_as_often_as_they_were_held_out():
    mine = [ours(0, [1, 1], images=["a", "b"]), ours(1, [1, 1], images=["b", "c"])]
    its = [theirs(0, [0, 1], images=["a", "b"]), theirs(1, [0, 1], images=["b", "c"])]
    # a: 1; b: mean of 0 and 1; c: 0.
    assert tables.paired_difference(mine, its, "test", "probe")[0] == pytest.approx(0.5)


def test_other_images_cannot_be_paired():
    mine, its = [ours(0, [1, 1])], [theirs(0, [1, 1], images=["0", "2"])]
    with pytest.raises(ValueError, match="p2p and probe were measured on different images"):
        tables.paired_difference(mine, its, "test", "probe")


@pytest.mark.parametrize(
    ("rival", "row", "right", "met"),
    [
        ("probe", "probe", [1] * 50 + [0] * 50, "yes"),
        ("probe", "probe", [1] * 51 + [0] * 49, "no"),
        ("probe@C=0.01", "probe@C=0.01", [1] * 51 + [0] * 49, "no"),
        ("blackbox", "blackbox", [1] * 50 + [0] * 50, "yes"),
        ("blackbox", "blackbox", [1] * 52 + [0] * 48, "no"),
    ],
)
def test_the_bar_of_accuracy(rival, row, right, met):
    records = [ours(0, [1] * 50 + [0] * 50), theirs(0, right, row)]
    assert tables.figures_of(records)[f"s/test:p2p-{rival}_met"] == met


@pytest.mark.parametrize(("kept", "met"), [(0.38, "yes"), (0.42, "no")])
def test_the_bar_of_the_kept_area(kept, met):
    figures = tables.figures_of([ours(0, [1], kept=kept - 0.1), ours(1, [1], kept=kept + 0.1)])
    assert figures["s/test:p2p-kept_met"] == met
    assert figures["s/test:p2p-kept_from"] == pytest.approx(kept - 0.1)


@pytest.mark.parametrize(("seconds", "met"), [(590.0, "yes"), (610.0, "no")])
def test_the_bar_of_the_cost(seconds, met):
    figures = tables.figures_of([ours(0, [1], costs={"CPU seconds": seconds})])
    assert figures["s/test:p2p-cpu_met"] == met


def test_localization_by_kind_and_certainty():
    def of(value):
        return {"p2p": {"masks": {"localization": value, "center row": 0.2, "images": 3}}}

    records = [ours(0, [1], localization=of(0.5)), ours(1, [1], localization=of(0.7))]
    figures = tables.figures_of(records)
    assert figures["s/test:masks:p2p_localization"] == pytest.approx(0.6)
    assert repr(figures["s/test:masks:p2p_images"]) == "3"


def test_every_figure_is_in_one_of_the_tables():
    localization = {"p2p": {"masks": {"localization": 0.5, "center row": 0.2}}}
    records = [ours(0, [1], localization=localization), theirs(0, [1])]
    figures = tables.figures_of(records)
    rows = tables.tables(figures)
    assert rows == {
        "scores": ["s/test:p2p", "s/test:probe"],
        "bars": ["s/test:p2p-probe", "s/test:p2p-kept", "s/test:p2p-cpu"],
        "localization": ["s/test:masks:p2p"],
    }
    shown = [row for of_table in rows.values() for row in of_table]
    assert all(any(key.startswith(f"{row}_") for row in shown) for key in figures)
    assert tables.as_markdown(figures).count("| s/test:") == len(shown)


EXPECTED = {"set": ["s"], "method": ["p2p", "probe"], "seed": [0, 1, 2]}


def complete():
    return [f(seed, [1]) for f in (ours, theirs) for seed in range(3)]


def test_a_complete_run_can_be_quoted():
    assert tables.objections(complete(), EXPECTED) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cell": complete()[0]["cell"] | {"split": "validation"}}, "validation"),
        ({"is_pretrained": False}, "random weights"),
        ({"facts": {"other settings": ["lr"]}}, "other settings"),
        ({"about": ABOUT | {"changed": True}}, "not committed"),
        ({"about": ABOUT | {"commit": "def5678"}}, "p2p are of different code: abc1234, def"),
    ],
)
def test_what_speaks_against_quoting_a_run(change, words):
    records = complete()
    records[0] = records[0] | change
    (objection,) = tables.objections(records, EXPECTED)
    assert words in objection


def test_a_cell_that_is_missing_is_named():
    (objection,) = tables.objections(complete()[1:], EXPECTED)
    assert objection == "1 cells have not been run: s p2p seed 0"


def test_two_seeds_are_too_few():
    records = [r for r in complete() if r["cell"]["seed"] < 2]
    (objection,) = tables.objections(records, EXPECTED | {"seed": [0, 1]})
    assert "fewer than 3 seeds" in objection


def test_methods_may_be_of_different_code_and_say_so():
    records = complete()
    for one in records[3:]:
        one["about"] = ABOUT | {"commit": "def5678"}
    assert tables.objections(records, EXPECTED) == []
    commits = {k: about["commit"] for k, about in tables.about_methods(records).items()}
    assert commits == {"p2p": "abc1234", "probe": "def5678"}
