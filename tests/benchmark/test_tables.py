"""Tables against results made by hand."""

import csv
import io

import pytest

from p2pselect.benchmark import Row, claims, rendering
from p2pselect.benchmark.results import Entry, Results
from p2pselect.benchmark.tables import (
    Column,
    Line,
    Table,
    ablation_table,
    fixed_table,
    methods_table,
    tables,
    threshold_table,
)


def rows_of(dataset, method, setting, **metrics):
    """Rows from metric=(value of seed 0, value of seed 1, ...)."""
    return [
        Row(dataset, method, seed, setting, metric, value)
        for metric, values in metrics.items()
        for seed, value in enumerate(values)
    ]


ROWS = [
    *rows_of(
        "d", "p2p", "default", accuracy=(0.9, 0.92, 0.94), localization=(0.8, 0.8, 0.8),
        kept_fraction=(0.1, 0.1, 0.1), random_localization=(0.12, 0.12, 0.12),
        center_localization=(0.4, 0.4, 0.4), insertion_fidelity=(0.9, 0.9, 0.9),
        binary_input=(1, 1, 1),
    ),
    *rows_of(
        "d", "p2p", "matched", accuracy=(0.8, 0.8, 0.8), localization=(0.7, 0.7, 0.7),
        random_localization=(0.12,), center_localization=(0.35,), binary_input=(1,),
    ),
    *rows_of("d", "comet", "default", accuracy=(0.95, 0.95), insertion_fidelity=(0.99,),
             localization=(0.5,), binary_input=(0,)),
    *rows_of("d", "comet", "matched", accuracy=(0.3,), localization=(0.5,), binary_input=(1,)),
    *rows_of("d", "realx", "default", accuracy=(0.85,), insertion_fidelity=(0.8,),
             localization=(0.6,), binary_input=(1,)),
    *rows_of("d", "realx", "matched", localization=(0.6,), binary_input=(1,)),
    *rows_of("d", "blackbox", "default", accuracy=(0.99,), localization=(0.12,)),
]  # fmt: skip


@pytest.fixture
def results():
    return Results(ROWS)


def test_entry_is_mean_and_sample_deviation(results):
    entry = results.entry("d", "p2p", "default", "accuracy")
    assert entry.mean == pytest.approx(0.92) and entry.sd == pytest.approx(0.02)
    assert entry.n == 3
    assert results.entry("d", "realx", "default", "accuracy") == Entry(0.85, None, 1)
    assert results.entry("d", "p2p", "default", "nothing") is None


def test_methods_are_in_the_papers_order_and_strangers_before_p2p():
    made = Results(
        Row("d", method, 0, "default", "accuracy", 0.5)
        for method in ("p2p", "mine", "comet", "blackbox")
    )
    assert made.methods("d") == ["blackbox", "comet", "mine", "p2p"]


def test_best_and_second_among_those_that_compete(results):
    table = methods_table(results, "d")
    by_label = {line.label: i for i, line in enumerate(table.lines)}
    assert table.marks(0) == {by_label["COMET"]: "best", by_label["P2P"]: "second"}
    assert table.columns[3].title == "localization"
    assert table.marks(3) == {by_label["P2P"]: "best", by_label["REAL-X"]: "second"}


def test_lower_is_better_where_it_is():
    lines = [Line("a", [Entry(0.2, None, 1)]), Line("b", [Entry(0.1, None, 1)])]
    assert Table("t", "t", [Column("x", -1)], lines).marks(0) == {1: "best", 0: "second"}
    assert Table("t", "t", [Column("x", 0)], lines).marks(0) == {}


def test_ties_share_their_rank_and_one_line_is_no_contest():
    lines = [
        Line(name, [Entry(v, None, 1)]) for name, v in (("a", 0.5), ("b", 0.5), ("c", 0.1))
    ]
    table = Table("t", "t", [Column("x", 1)], lines)
    assert table.marks(0) == {0: "best", 1: "best", 2: "second"}
    assert Table("t", "t", [Column("x", 1)], lines[:1]).marks(0) == {}


def test_random_and_centre_rows_are_always_there(results):
    lines = {line.label: line for line in methods_table(results, "d").lines}
    assert lines["random mask"].entries[3].mean == pytest.approx(0.12)
    assert lines["centred disc"].entries[3].mean == pytest.approx(0.4)
    assert lines["centred disc"].entries[4].mean == pytest.approx(0.35)
    assert lines["random mask"].entries[0] is None


def test_the_papers_numbers_stand_beside_those_of_its_data_sets_only(results):
    titles = [column.title for column in methods_table(results, "d").without_empty().columns]
    assert not any("paper" in title for title in titles)
    own = Results([row._replace(dataset="coco10") for row in ROWS])
    text = rendering.to_markdown(methods_table(own, "coco10"))
    line = next(line for line in text.splitlines() if line.startswith("| P2P"))
    assert "89.53 ± 0.89 | 47.01 ± 1.16" in line
    assert "25.47 ± 0.01" in next(x for x in text.splitlines() if "random mask" in x)


def test_markdown(results):
    text = rendering.to_markdown(methods_table(results, "d").without_empty())
    lines = text.splitlines()
    assert lines[0] == "### Methods on d"
    assert "| P2P | <u>92.0 ± 2.0</u> | **80.0 ± 0.0** | 10.0 ± 0.0 | **80.0 ± 0.0** |" in text
    assert {line.count("|") for line in lines if line.startswith("|")} == {8}


def test_latex(results):
    text = rendering.to_latex(methods_table(results, "d").without_empty())
    assert r"\underline{92.0 $\pm$ 2.0} & \textbf{80.0 $\pm$ 0.0}" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {row.count("&") for row in rows} == {6}
    assert r"\begin{tabular}{lrrrrrr}" in text and "%" not in text.replace(r"\%", "")


def test_html_is_escaped():
    table = Table("t", "a < b", [Column("x", 1)], [Line("<i>&", [Entry(0.5, None, 1)])])
    text = rendering.to_html(table)
    assert "&lt;i&gt;&amp;" in text and "a &lt; b" in text and "<i>" not in text


def test_csv_has_every_entry(results):
    found = list(csv.DictReader(io.StringIO(rendering.to_csv(tables(results)))))
    p2p = next(r for r in found if (r["line"], r["column"]) == ("P2P", "accuracy"))
    assert (p2p["mean"], p2p["sd"], p2p["seeds"], p2p["mark"]) == (
        "0.92",
        "0.02",
        "3",
        "second",
    )


SWEEP = [
    row
    for delta, accuracy, kept, localization in (
        (80, 0.8, 0.1, 0.9), (90, 0.85, 0.2, 0.8), (95, 0.9, 0.3, 0.7), (99, 0.95, 0.4, 0.6),
    )
    for setting, lost in ((f"delta=0{delta}", 0), (f"fixed-delta=0{delta}", 0.1))
    for row in rows_of(
        "d", "p2p", setting, accuracy=(accuracy - lost,), kept_fraction=(kept,),
        localization=(localization,),
    )
]  # fmt: skip


def test_certainty_thresholds():
    table = threshold_table(Results(SWEEP), "d").without_empty()
    assert [line.label for line in table.lines] == [f"δ = 0.{d}" for d in (80, 90, 95, 99)]
    assert [line.entries[0].mean for line in table.lines] == [0.8, 0.85, 0.9, 0.95]


def test_fixed_tau_beside_dynamic():
    rows = [*SWEEP, *rows_of("d", "p2p", "tau=020", accuracy=(0.7,))]
    table = fixed_table(Results(rows), "d")
    assert [c.title for c in table.columns[:2]] == ["accuracy, dynamic", "accuracy, fixed"]
    assert [e.mean for e in table.lines[0].entries[:2]] == pytest.approx([0.8, 0.7])
    assert table.lines[-1].label == "τ = 0.20"
    assert table.lines[-1].entries[:2] == [None, Entry(0.7, None, 1)]


def test_ablations_are_compared_on_their_own_seeds():
    rows = [
        *rows_of("d", "p2p", "default", accuracy=(0.9, 0.5, 0.1), localization=(0.8, 0, 0)),
        *rows_of("d", "p2p", "watershed", accuracy=(0.7,)),
        *rows_of("d", "p2p", "watershed:matched", localization=(0.6,)),
        *SWEEP,
    ]
    table = ablation_table(Results(rows), "d")
    assert [line.label for line in table.lines] == [
        "P2P, SLIC regions (default)",
        "P2P, watershed regions",
    ]
    assert table.lines[0].entries[0] == Entry(0.9, None, 1)
    assert table.lines[1].entries[3] == Entry(0.6, None, 1)
    assert table.note.startswith("Seeds: 1.")


def test_no_results_no_tables():
    assert tables(Results([])) == [] and claims.claims(Results([])) == []


def held(rows):
    return {claim.words: claim for claim in claims.claims(Results(rows))}


def test_claims_are_held_against_the_means():
    found = held([*ROWS, *SWEEP, *rows_of("d", "p2p", "fixed", accuracy=(0.8,),
                                          kept_fraction=(0.1,))])  # fmt: skip
    accurate = found["P2P is at most 2 points less accurate than the black box"]
    assert not accurate.holds and accurate.numbers == "92.0 against 99.0"
    best = found["at the same kept area, P2P localizes best of all methods"]
    assert best.holds and best.numbers == "70.0 against 60.0 of REAL-X"
    insertion = found["P2P has the largest insertion area of all methods with binary masks"]
    assert insertion.holds and "REAL-X" in insertion.numbers, "COMET's masks are continuous"
    assert found["accuracy rises with the certainty threshold"].holds
    assert found["localization falls with the certainty threshold"].holds
    assert found["dynamic tau is more accurate than one tau that keeps as much"].holds
    assert "accuracy on watershed regions is within 3 points of that on SLIC's" not in found


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("accuracy", "accuracy rises with the certainty threshold"),
        ("localization", "localization falls with the certainty threshold"),
        ("kept_fraction", "the kept fraction rises with the certainty threshold"),
    ],
)
def test_a_claim_that_does_not_hold_is_said_to_fail(metric, words):
    broken = [
        row._replace(value=0.5) if (row.setting, row.metric) == ("delta=099", metric) else row
        for row in SWEEP
    ]
    kept = [r._replace(value=0.95) if r.value == 0.5 and metric == "localization" else r
            for r in broken]  # fmt: skip
    spoiled = {
        "accuracy": broken,
        "localization": kept,
        "kept_fraction": [
            r._replace(value=0.05) if (r.setting, r.metric) == ("delta=099", metric) else r
            for r in SWEEP
        ],
    }[metric]
    assert held(SWEEP)[words].holds and not held(spoiled)[words].holds


def test_claims_as_text():
    text = claims.to_markdown([claims.Claim("d", "it works", False, "1.0")])
    assert text.splitlines()[-1] == "| d | it works | no | 1.0 |"
