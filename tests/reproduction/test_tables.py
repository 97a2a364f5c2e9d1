"""Tables compared with results made by hand."""

import csv
import io

import pytest

from p2pselect.reproduction import Score
from p2pselect.reproduction import _claims as claims
from p2pselect.reproduction import _table_formats as formats
from p2pselect.reproduction._scores import Entry, Results
from p2pselect.reproduction._table import Column, Line, Table
from p2pselect.reproduction._tables import (
    ablation_table,
    audit_table,
    equal_cpu_table,
    fixed_table,
    methods_table,
    tables,
    threshold_table,
)


def rows_of(dataset, method, setting, **metrics):
    """Rows from metric=(value of seed 0, value of seed 1, ...)."""
    return [
        Score(dataset, method, seed, setting, metric, value)
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


def test_localization_on_other_things_has_a_column_and_its_references():
    own = {"localization_on_leaf": (0.8, 0.9), "random_localization_on_leaf": (0.3, 0.3)}
    rows = [
        *ROWS,
        *rows_of("d", "p2p", "matched", center_localization_on_leaf=(0.6, 0.6), **own),
        *rows_of("d", "comet", "matched", localization_on_leaf=(0.5,)),
    ]
    table = methods_table(Results(rows), "d")
    place = [column.title for column in table.columns].index("on the leaf, same area")
    found = {line.label: line.entries[place] for line in table.lines}
    assert found["P2P"].mean == pytest.approx(0.85)
    assert found["COMET"].mean == 0.5
    assert found["random mask or order"].mean == pytest.approx(0.3)
    assert found["centered disc"].mean == pytest.approx(0.6)
    assert "on the leaf, same area" not in [
        c.title for c in methods_table(Results(ROWS), "d").columns
    ]


def test_entry_is_mean_and_sample_deviation(results):
    entry = results.entry("d", "p2p", "default", "accuracy")
    assert entry.mean == pytest.approx(0.92) and entry.sd == pytest.approx(0.02)
    assert entry.n == 3
    assert results.entry("d", "realx", "default", "accuracy") == Entry(0.85, None, 1)
    assert results.entry("d", "p2p", "default", "nothing") is None


def test_methods_are_in_the_papers_order_and_unknown_ones_before_p2p():
    made = Results(
        Score("d", method, 0, "default", "accuracy", 0.5)
        for method in ("p2p", "mine", "comet", "blackbox")
    )
    assert made.methods("d") == ["blackbox", "comet", "mine", "p2p"]


def test_best_and_second_among_those_that_compete(results):
    table = methods_table(results, "d")
    by_label = {line.label: i for i, line in enumerate(table.lines)}
    assert table.marks(0) == {by_label["COMET"]: "best", by_label["P2P"]: "second"}
    assert table.columns[3].title == "localization"
    assert table.marks(3) == {by_label["P2P"]: "best", by_label["REAL-X"]: "second"}


def test_methods_with_the_cpu_time_of_p2p_have_a_table_of_their_own(results):
    assert not equal_cpu_table(results, "d").lines
    equal = rows_of("d", "realx", "equal_cpu", accuracy=(0.97,), epochs=(30,))
    equal += rows_of("d", "realx", "equal_cpu:matched", localization=(0.75,))
    equal += rows_of("d", "l2x", "equal_cpu", accuracy=(0.3,), localization=(0.9,))
    equal += rows_of("d", "l2x", "default", accuracy=(0.9,))
    equal += rows_of("d", "p2p", "default", epochs=(14,))
    more = Results([*ROWS, *equal])
    table = equal_cpu_table(more, "d").without_empty()
    titles = [column.title for column in table.columns]
    lines = {line.label: line for line in table.lines}
    assert {"REAL-X", "L2X", "P2P"} <= {*lines} and "COMET" not in lines
    epochs, accuracy = titles.index("epochs"), titles.index("accuracy")
    assert (
        lines["REAL-X"].entries[epochs].mean == 30 and lines["P2P"].entries[epochs].mean == 14
    )
    assert lines["P2P"].entries[accuracy].mean == pytest.approx(0.92)
    text = formats.to_markdown(table)
    assert "| 30 |" in text and "97.0" in text
    same_area = titles.index("localization, same area")
    marked = {table.lines[i].label: mark for i, mark in table.marks(same_area).items()}
    assert marked == {"REAL-X": "best", "P2P": "second"}
    # At chance in this time, whatever it was after as many epochs.
    assert not lines["L2X"].competes
    assert not any("equal" in line.label for line in ablation_table(more, "d").lines)
    assert "equal_cpu.d" in [table.key for table in tables(more)]


def test_lower_is_better_where_it_is():
    lines = [Line("a", [Entry(0.2, None, 1)]), Line("b", [Entry(0.1, None, 1)])]
    assert Table("t", "t", [Column("x", -1)], lines).marks(0) == {1: "best", 0: "second"}
    assert Table("t", "t", [Column("x", 0)], lines).marks(0) == {}


def test_ties_share_their_rank_and_a_single_line_is_not_marked():
    lines = [
        Line(name, [Entry(v, None, 1)]) for name, v in (("a", 0.5), ("b", 0.5), ("c", 0.1))
    ]
    table = Table("t", "t", [Column("x", 1)], lines)
    assert table.marks(0) == {0: "best", 1: "best", 2: "second"}
    assert Table("t", "t", [Column("x", 1)], lines[:1]).marks(0) == {}


def test_random_and_center_rows_are_always_there(results):
    lines = {line.label: line for line in methods_table(results, "d").lines}
    assert lines["random mask or order"].entries[3].mean == pytest.approx(0.12)
    assert lines["centered disc"].entries[3].mean == pytest.approx(0.4)
    assert lines["centered disc"].entries[4].mean == pytest.approx(0.35)
    assert lines["random mask or order"].entries[0] is None
    assert "constant answer" not in lines, "nothing was recorded of it"


def test_controls_stand_beside_the_curves():
    of_chance = rows_of(
        "d", "p2p", "default", random_insertion_fidelity=(0.4, 0.6), constant_accuracy=(0.1,),
        constant_insertion_fidelity=(1.0,), constant_deletion_fidelity=(1.0,),
    )  # fmt: skip
    table = methods_table(Results([*ROWS, *of_chance]), "d").without_empty()
    titles = [column.title for column in table.columns]
    lines = {line.label: line for line in table.lines}
    insertion = titles.index("insertion")
    assert lines["random mask or order"].entries[insertion].mean == pytest.approx(0.5)
    assert lines["constant answer"].entries[insertion].mean == 1
    assert lines["constant answer"].entries[titles.index("accuracy")].mean == 0.1
    assert not any(lines[name].competes for name in ("random mask or order", "constant answer"))


@pytest.mark.parametrize("method", ["blackbox", "blackbox_pixel", "comet1", "bcos"])
def test_what_sees_more_than_its_masks_is_never_marked(method):
    best = rows_of("d", method, "default", accuracy=(1.0,), localization=(1.0,))
    table = methods_table(Results([*ROWS, *best]), "d")
    marked = {table.lines[i].label for k in range(4) for i in table.marks(k)}
    assert marked == {"COMET", "P2P", "REAL-X"}


def test_the_papers_numbers_stand_beside_those_of_its_data_sets_only(results):
    titles = [column.title for column in methods_table(results, "d").without_empty().columns]
    assert not any("paper" in title for title in titles)
    own = Results([row._replace(dataset="coco10") for row in ROWS])
    text = formats.to_markdown(methods_table(own, "coco10"))
    line = next(line for line in text.splitlines() if line.startswith("| P2P"))
    assert "89.53 ± 0.89 | 47.01 ± 1.16" in line
    assert "25.47 ± 0.01" in next(x for x in text.splitlines() if "random mask or order" in x)


def test_markdown(results):
    text = formats.to_markdown(methods_table(results, "d").without_empty())
    lines = text.splitlines()
    assert lines[0] == "### Methods on d"
    assert "| P2P | <u>92.0 ± 2.0</u> | **80.0 ± 0.0** | 10.0 ± 0.0 | **80.0 ± 0.0** |" in text
    assert {line.count("|") for line in lines if line.startswith("|")} == {8}


def test_latex(results):
    text = formats.to_latex(methods_table(results, "d").without_empty())
    assert r"\underline{92.0 $\pm$ 2.0} & \textbf{80.0 $\pm$ 0.0}" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {row.count("&") for row in rows} == {6}
    assert r"\begin{tabular}{lrrrrrr}" in text and "%" not in text.replace(r"\%", "")


def test_html_is_escaped():
    table = Table("t", "a < b", [Column("x", 1)], [Line("<i>&", [Entry(0.5, None, 1)])])
    text = formats.to_html(table)
    assert "&lt;i&gt;&amp;" in text and "a &lt; b" in text and "<i>" not in text


def test_csv_has_every_entry(results):
    found = list(csv.DictReader(io.StringIO(formats.to_csv(tables(results)))))
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


#: Three seeds that differ by less than what is claimed.
NEAR = tuple(row._replace(seed=seed, value=row.value + shift)
             for row in SWEEP for seed, shift in enumerate((-0.004, 0, 0.004)))  # fmt: skip


def three(setting, **values):
    return [
        row
        for metric, mean in values.items()
        for row in rows_of("d", "p2p", setting, **{metric: (mean - 0.01, mean, mean + 0.01)})
    ]


def test_claims_are_held_against_paired_intervals():
    fixed = three("fixed", accuracy=0.8, kept_fraction=0.1)
    found = held([*ROWS, *NEAR, *fixed])
    accurate = found["P2P is at most 2 points less accurate than the black box"]
    assert accurate.verdict == "open"
    assert accurate.numbers == "92.0 versus 99.0; -9.0, one seed"
    sparse = found["P2P keeps at most 40 % of the pixels"]
    assert (sparse.verdict, sparse.numbers) == ("holds", "10.0; [10.0, 10.0]")
    best = found["with the same kept area, P2P localizes best of all methods"]
    assert best.verdict == "open" and "(REAL-X); +10.0, one seed" in best.numbers
    insertion = found["P2P has the largest insertion area of all methods with binary masks"]
    assert "REAL-X" in insertion.numbers, "COMET's masks are continuous"
    assert found["accuracy rises with the certainty threshold"].verdict == "holds"
    assert found["localization falls with the certainty threshold"].verdict == "holds"
    dynamic = found["a dynamic tau is more accurate than one tau that keeps as much"]
    # .11, .12, .13 by seed: t(2) = 4.303, standard error .01 / sqrt(3).
    assert dynamic.verdict == "holds"
    assert dynamic.numbers == "92.0 versus 80.0 (kept 10.0, 10.0); +12.0 [+9.5, +14.5]"
    assert "accuracy with watershed regions is within 3 points of SLIC's" not in found


@pytest.mark.parametrize(
    ("lead", "verdict"),
    [
        ((0.02, 0.03, 0.04), "holds"),
        ((-0.02, -0.03, -0.04), "fails"),
        # A mean above 0 over three seeds that do not agree.
        ((-0.001, 0.001, 0.003), "open"),
        ((0.03,), "open"),
        ((0.0, 0.0, 0.0), "open"),
    ],
)
def test_an_interval_that_covers_zero_decides_nothing(lead, verdict):
    fixed = (0.5, 0.7, 0.9)[: len(lead)]
    rows = [
        *rows_of("d", "p2p", "default", kept_fraction=fixed,
                 accuracy=[f + d for f, d in zip(fixed, lead, strict=True)]),
        *rows_of("d", "p2p", "fixed", accuracy=fixed, kept_fraction=fixed),
    ]  # fmt: skip
    words = "a dynamic tau is more accurate than one tau that keeps as much"
    assert held(rows)[words].verdict == verdict


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [
        ((0.01, 0.0, -0.01), "holds"),
        ((0.05, 0.051, 0.052), "fails"),
        ((0.0, 0.02, 0.04), "open"),
    ],
)
def test_a_claim_of_no_difference_needs_the_whole_interval_inside(difference, verdict):
    base = (0.5, 0.7, 0.9)
    if verdict == "holds":
        difference = tuple(d / 2 for d in difference)
    rows = [
        *rows_of("d", "p2p", "default", accuracy=base),
        *rows_of(
            "d",
            "p2p",
            "watershed",
            accuracy=[b + d for b, d in zip(base, difference, strict=True)],
        ),
    ]
    words = "accuracy with watershed regions is within 3 points of SLIC's"
    assert held(rows)[words].verdict == verdict


@pytest.mark.parametrize(
    ("metric", "words", "wrong"),
    [
        ("accuracy", "accuracy rises with the certainty threshold", 0.5),
        ("localization", "localization falls with the certainty threshold", 0.95),
        ("kept_fraction", "the kept fraction rises with the certainty threshold", 0.05),
    ],
)
def test_a_claim_that_does_not_hold_fails(metric, words, wrong):
    spoiled = [
        row._replace(value=wrong) if (row.setting, row.metric) == ("delta=099", metric) else row
        for row in NEAR
    ]
    assert held(NEAR)[words].verdict == "holds" and held(spoiled)[words].verdict == "fails"


def test_p2p_is_compared_with_all_methods_and_with_the_accurate_ones():
    rows = []
    for method, accuracy, localization, later in (
        ("p2p", 0.9, 0.8, None),
        ("blackbox", 0.95, 0.9, 0.9),
        ("l2x", 0.5, 0.85, 0.75),
        ("realx", 0.93, 0.7, 0.6),
    ):
        for setting, score in (("default", localization), ("equal_cpu", later)):
            if score is not None:
                view = "matched" if setting == "default" else "equal_cpu:matched"
                rows += rows_of("d", method, setting, accuracy=(accuracy,) * 3)
                rows += rows_of("d", method, view, localization=(score, score, score + 0.01))
    found = held(rows)
    near = (
        "with the same kept area, P2P localizes best of all methods that are at most 3 points "
        "less accurate than the black box"
    )
    every = "with the same kept area, P2P localizes best of all methods"
    assert found[every].verdict == "fails" and "(L2X)" in found[every].numbers
    assert found[near].verdict == "holds" and "(REAL-X)" in found[near].numbers
    equal = found["with the same kept area and CPU time, P2P localizes best of all methods"]
    assert equal.verdict == "holds" and "(L2X)" in equal.numbers


def test_a_method_at_chance_is_not_the_most_faithful():
    rows = [
        *rows_of("d", "p2p", "default", accuracy=(0.9,) * 3, binary_input=(1,),
                 insertion_fidelity=(0.8, 0.81, 0.8)),
        *rows_of("d", "realx", "default", accuracy=(0.8,) * 3, insertion_fidelity=(0.7,) * 3,
                 binary_input=(1,)),
        *rows_of("d", "invase", "default", accuracy=(0.55,) * 3, insertion_fidelity=(0.99,) * 3,
                 binary_input=(1,)),
    ]  # fmt: skip
    constant = [
        row for m in ("p2p", "realx", "invase")
        for row in rows_of("d", m, "default", constant_accuracy=(0.5,))
    ]  # fmt: skip
    words = "P2P has the largest insertion area of all methods with binary masks"

    def best(rows):
        table = methods_table(Results(rows), "d").without_empty()
        column = [c.title for c in table.columns].index("insertion")
        return next(table.lines[i].label for i, m in table.marks(column).items() if m == "best")

    # With two classes .55 is near to a constant answer; without knowing that, it is not.
    assert best(rows + constant) == "P2P" and held(rows + constant)[words].verdict == "holds"
    assert best(rows) == "INVASE" and held(rows)[words].verdict == "fails"


@pytest.mark.parametrize(
    ("setting", "view", "metric", "words"),
    [
        ("pixel", ":matched", "localization",
         "with the same kept area, regions localize better than single pixels"),
        ("pixel", "", "accuracy", "regions are more accurate than single pixels"),
        ("no_covariance", ":matched", "localization",
         "with the same kept area, P2P localizes better with its covariance than without"),
        ("no_covariance", "", "accuracy", "P2P is more accurate with its covariance"),
    ],
)  # fmt: skip
def test_what_is_claimed_of_the_parts_of_p2p(setting, view, metric, words):
    whole = view.removeprefix(":") or "default"
    base, lead = (0.5, 0.7, 0.9, 0.1), (0.02, 0.03, 0.04)
    changed = [b - d for b, d in zip(base, lead, strict=False)]
    for sign, outcome in ((1, "holds"), (-1, "fails")):
        rows = [
            *rows_of("d", "p2p", whole, **{metric: base}),
            *rows_of(
                "d", "p2p", setting + view,
                **{metric: [b - sign * (b - c) for b, c in zip(base, changed, strict=False)]},
            ),
        ]  # fmt: skip
        claim = held(rows)[words]
        # The fourth seed, which the ablation was not run with, does not count.
        assert claim.verdict == outcome and claim.numbers.startswith("70.0 versus")


def test_claims_as_text():
    text = claims.to_markdown([claims.Claim("d", "it works", "open", "1.0")])
    assert text.splitlines()[-1] == "| d | it works | open | 1.0 |"


def audited(method, encodes, pixels):
    """Three seeds, whose gap is .2 at a tenth of the area."""
    gaps = {"audit_gap@0.10": (0.1, 0.2, 0.3), "audit_gap@0.30": (0.0, 0.0, 0.0)}
    gaps |= {"audit_model@0.10": (0.8,), "audit_gap_low@0.10": (0.05, 0.15, 0.25)}
    verdicts = {"audit_encodes": encodes, "audit_pixels": pixels}
    return rows_of("d", method, "default", **gaps, **verdicts)


@pytest.mark.parametrize(
    ("encodes", "pixels", "verdict"),
    [
        ((0, 0, 0), (1, 1, 1), "holds"),
        ((0, 0, 0), (1, 0, 1), "open"),
        ((0, 1, 0), (1, 0, 1), "fails"),
        ((0, 0, 0), (0, 0, 0), "open"),
    ],
)
def test_masks_do_not_encode_if_no_audit_of_any_seed_says_so(encodes, pixels, verdict):
    found = held(audited("p2p", encodes, pixels))["the mask of P2P does not encode the label"]
    assert found.verdict == verdict
    assert found.numbers == (
        f"{sum(pixels)} of 3 seeds acquitted, {sum(encodes)} convicted; model minus judge "
        "+20.0 [-4.8, +44.8] at 10% of the area, +0.0 [+0.0, +0.0] at 30% of the area"
    )


def test_audits_have_a_table_if_there_were_any():
    rows = [*audited("p2p", (0, 0, 0), (1, 1, 0)), *audited("realx", (1, 0, 0), (0, 1, 1))]
    table = audit_table(Results([*ROWS, *rows]), "d")
    assert [line.label for line in table.lines] == ["REAL-X", "P2P"]
    columns = {column.title: i for i, column in enumerate(table.columns)}
    of_p2p = table.lines[1].entries
    assert of_p2p[columns["gap at 10%"]].mean == pytest.approx(0.2)
    assert of_p2p[columns["gap from at 10%"]].mean == pytest.approx(0.15)
    assert of_p2p[columns["in the pixels"]].mean == pytest.approx(2 / 3)
    assert table.lines[0].entries[columns["encodes"]].mean == pytest.approx(1 / 3)
    assert not audit_table(Results(ROWS), "d").lines


def test_what_a_selection_is_worth_stands_beside_what_chance_is_worth():
    read = {
        "audit_judge@0.10": (0.8,),
        "audit_scattered@0.10": (0.3,),
        "audit_contiguous@0.30": (0.5,),
        "audit_objects@0.30": (0.9,),
        "audit_outside": (0.2,),
    }
    made = tables(Results([*ROWS, *rows_of("d", "p2p", "default", **read)]))
    (table,) = [each for each in made if each.key == "selection.d"]
    assert [column.title for column in table.columns] == [
        "selected at 10%",
        "scattered at 10%",
        "in one piece at 30%",
        "objects at 30%",
        "outside",
    ]
    assert [entry.mean for entry in table.lines[0].entries] == [0.8, 0.3, 0.5, 0.9, 0.2]


def test_without_audits_nothing_is_claimed_of_them():
    assert "the mask of P2P does not encode the label" not in held(ROWS)
