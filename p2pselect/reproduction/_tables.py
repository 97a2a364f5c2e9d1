"""The paper's tables from results in long form: ours, and the paper's numbers beside them.

Every table of localization has rows for a random mask and a centered disc.  The best and the
second best are marked among the methods that compete: not the black boxes, not COMET-1, which
shows its classifier everything that COMET hides, not B-cos, whose classifier sees the whole
image, and no method whose answers are near to a constant one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from p2pselect.reproduction._auditing import GAP
from p2pselect.reproduction._paper_numbers import PAPER_NUMBERS, PaperNumber
from p2pselect.reproduction._score_names import (
    FIXED,
    MATCHED,
    STRONG_TAU,
    at_tau,
    curve_point,
    on_thing,
    threshold_of,
    view_of,
)
from p2pselect.reproduction._scores import Results, Score, label, own_setting
from p2pselect.reproduction._suite import DEFAULT, EQUAL_CPU
from p2pselect.reproduction._table import Column, Entries, Line, Table

_REGIONS = {"default": "SLIC regions (default)", "watershed": "watershed regions"}
#: Metrics that the paper has numbers for in most tables.
_IN_PAPER = ("accuracy", "localization")


def tables(results: Results) -> list[Table]:
    """All tables that there are results for, by data set."""
    made = [
        build(results, dataset)
        for dataset in results.datasets
        for build in (
            methods_table,
            equal_cpu_table,
            audit_table,
            selection_table,
            threshold_table,
            fixed_table,
            ablation_table,
        )
    ]
    return [table.without_empty() for table in made if table.lines]


def methods_table(results: Results, dataset: str, setting: str = DEFAULT) -> Table:
    """All methods in one setting on one data set (the paper's tables 1, 2, 3 and 6)."""
    asked = (
        (Column("accuracy", 1), "", "accuracy"),
        (Column("accuracy, binary mask", 1), MATCHED, "accuracy"),
        (Column("kept"), "", "kept_fraction"),
        (Column("localization", 1), "", "localization"),
        (Column("localization, same area", 1), MATCHED, "localization"),
        *(
            (Column(f"on the {thing}, same area", 1), MATCHED, on_thing("localization", thing))
            for thing in results.things(dataset)
        ),
        (Column("insertion", 1), "", "insertion_fidelity"),
        (Column("deletion", -1), "", "deletion_fidelity"),
        (Column("epochs", percent=False), "", "epochs"),
        (Column("CPU seconds", percent=False), "", "fit_cpu_seconds"),
    )
    table = Table(
        f"methods.{dataset}",
        f"Methods on {dataset}",
        [column for column, _, _ in asked] + _paper_columns(_IN_PAPER),
        note="P2P searches for the tau of each image (accuracy, kept, localization); the other "
        "methods are held to its mean kept fraction, and so is P2P itself in the columns "
        "'binary mask' and 'same area'. Insertion and deletion are areas under the curves, for "
        "what the classifier sees. Black boxes, COMET-1 and B-cos are not marked, since their "
        "classifiers see more than the masks show, and neither is a method whose answers are "
        "closer to a constant one than to the most accurate method's: any mask is faithful to "
        "a constant answer, as its row shows. The random order is that of P2P's regions. Where "
        "there are masks of something other than the evidence, a column says how much of what "
        "is shown lies on it.",
    )
    for method in results.methods(dataset):
        own = own_setting(method, setting)
        entries: Entries = [
            results.entry(dataset, method, view_of(own, view), metric)
            for _, view, metric in asked
        ]
        if any(entries):
            entries += _paper_entries(dataset, method, DEFAULT, _IN_PAPER)
            competes = results.competes(dataset, method, setting)
            table.lines.append(Line(label(method), entries, competes))
    for row, words in (
        ("random", "random mask or order"),
        ("center", "centered disc"),
        ("constant", "constant answer"),
    ):
        # Recorded with P2P: a random mask is the same for all, a disc has the area of P2P's,
        # and a random order is one of its regions.
        entries = [
            results.entry(dataset, "p2p", view_of(DEFAULT, view), f"{row}_{metric}")
            for _, view, metric in asked
        ]
        if any(entries):
            entries += _paper_entries(dataset, row, DEFAULT, _IN_PAPER)
            table.lines.append(Line(words, entries, competes=False))
    return table


def equal_cpu_table(results: Results, dataset: str) -> Table:
    """The same table, with methods that trained for as much CPU time as P2P."""
    table = methods_table(results, dataset, EQUAL_CPU)
    if not any(EQUAL_CPU in results.settings(dataset, m) for m in results.methods(dataset)):
        table.lines = []
    return replace(
        table,
        key=f"{EQUAL_CPU}.{dataset}",
        title=f"Methods on {dataset}, with the CPU time of P2P",
        note="The epochs of each method are as many as take the CPU time of P2P, measured on a "
        "few images before the run; otherwise as above.",
    )


def audit_table(results: Results, dataset: str) -> Table:
    """What the methods read in their masks beyond a judge that knows no code."""
    asked = [
        (f"{words} at {area:.0%}", curve_point(metric, area))
        for area in (0.1, 0.3)
        for words, metric in zip(
            ("model", "judge", "gap", "gap from", "gap to"),
            ("audit_model", "audit_judge", *GAP),
            strict=True,
        )
    ]
    asked += [("encodes", "audit_encodes"), ("in the pixels", "audit_pixels")]
    return _of_methods(
        results,
        dataset,
        asked,
        key="audit",
        title="Audits",
        note="Accuracy of each method and of its judge, which has learned from random masks, "
        "when a tenth and three tenths of the area are shown, and their difference with the "
        "95 % interval over the test images; shares of the seeds for which the audit finds "
        "that the mask encodes the label, and that the evidence is in the pixels. It cannot "
        "tell for the others.",
    )


def selection_table(results: Results, dataset: str) -> Table:
    """What the selections of the methods are worth to a judge that knows no code."""
    asked = [
        (f"{words} at {area:.0%}", curve_point(f"audit_{kind}", area))
        for area in (0.1, 0.3)
        for words, kind in (
            ("selected", "judge"),
            ("scattered", "scattered"),
            ("in one piece", "contiguous"),
            ("objects", "objects"),
        )
    ]
    asked += [("outside", "audit_outside"), ("outside, random", "audit_outside_random")]
    return _of_methods(
        results,
        dataset,
        asked,
        key="selection",
        title="What selections are worth",
        note="Accuracy of the judge on the regions that each method selects, on as much of the "
        "image at random, scattered or in one piece, and on the regions of the object; and the "
        "share of a method's own masks that is no part of the object, beside that of random "
        "regions.",
    )


def _of_methods(
    results: Results,
    dataset: str,
    asked: list[tuple[str, str]],
    key: str,
    title: str,
    note: str,
) -> Table:
    """A line for each method that has any of these metrics, by the titles of their columns."""
    columns = [Column(words) for words, _ in asked]
    table = Table(f"{key}.{dataset}", f"{title} on {dataset}", columns, note=note)
    for method in results.methods(dataset):
        entries: Entries = [
            results.entry(dataset, method, "default", metric) for _, metric in asked
        ]
        if any(entries):
            table.lines.append(Line(label(method), entries))
    return table


_P2P_COLUMNS = {
    "accuracy": Column("accuracy"),
    "localization": Column("localization"),
    "kept_fraction": Column("kept"),
    "expected_kept_fraction": Column("expected kept"),
}


def threshold_table(results: Results, dataset: str) -> Table:
    """P2P at several certainty thresholds (table 4)."""
    in_paper = [metric for metric in _P2P_COLUMNS if metric != "kept_fraction"]
    table = Table(
        f"thresholds.{dataset}",
        f"P2P at several certainty thresholds on {dataset}",
        [*_P2P_COLUMNS.values()]
        + _paper_columns([_P2P_COLUMNS[metric].title for metric in in_paper]),
        note="One trained model per seed; 'expected kept' is the paper's p̄.",
    )
    for setting in results.certainty_thresholds(dataset):
        entries: Entries = [
            results.entry(dataset, "p2p", setting, metric) for metric in _P2P_COLUMNS
        ]
        entries += _paper_entries(dataset, "p2p", setting, in_paper)
        table.lines.append(Line(f"δ = {threshold_of(setting):.2f}", entries))
    return table


def fixed_table(results: Results, dataset: str) -> Table:
    """A tau for each image beside one tau for all that keeps as much (figure 4)."""
    metrics = [metric for metric in _P2P_COLUMNS if metric != "expected_kept_fraction"]
    table = Table(
        f"fixed.{dataset}",
        f"One tau for all images, or a tau for each, on {dataset}",
        [
            Column(f"{_P2P_COLUMNS[metric].title}, {kind}")
            for metric in metrics
            for kind in ("dynamic", "fixed")
        ],
        note="One trained model per seed; the fixed tau keeps on average what the search for "
        "the certainty δ keeps.",
    )
    pairs = [
        (f"δ = {threshold_of(s):.2f}", s, f"{FIXED}-{s}")
        for s in results.certainty_thresholds(dataset)
    ]
    for words, dynamic, fixed in [*pairs, (f"τ = {STRONG_TAU:.2f}", "", at_tau(STRONG_TAU))]:
        entries: Entries = [
            results.entry(dataset, "p2p", setting, metric)
            for metric in metrics
            for setting in (dynamic, fixed)
        ]
        if any(entries):
            table.lines.append(Line(words, entries))
    return table


def ablation_table(results: Results, dataset: str) -> Table:
    """P2P and the other methods with one thing changed (table 5, and ours)."""
    asked = (
        (Column("accuracy"), "", "accuracy"),
        (Column("kept"), "", "kept_fraction"),
        (Column("localization"), "", "localization"),
        (Column("localization, same area"), MATCHED, "localization"),
        (Column("insertion"), "", "insertion_fidelity"),
    )
    table = Table(
        f"ablations.{dataset}",
        f"One thing changed on {dataset}",
        [column for column, _, _ in asked] + _paper_columns(_IN_PAPER),
    )
    n_seeds = set()
    for method in results.methods(dataset):
        changed = [
            setting
            for setting in results.settings(dataset, method)
            # The others are views of a model, not settings that it was trained in.
            if setting != "default"
            and ":" not in setting
            and not setting.startswith(("delta=", "tau=", FIXED, MATCHED, EQUAL_CPU))
        ]
        if not changed:
            continue
        seeds = {
            seed
            for setting in changed
            for seed in results.by_seed(dataset, method, setting, "accuracy")
        }
        # The default is compared on the seeds that the changed settings ran with.
        paired = Results(
            Score(*key[:2], seed, *key[2:], value)
            for key, values in results.values.items()
            for seed, value in values.items()
            if key[:2] == (dataset, method) and seed in seeds
        )
        for setting in ("default", *changed):
            entries: Entries = [
                paired.entry(dataset, method, view_of(setting, view), metric)
                for _, view, metric in asked
            ]
            entries += _paper_entries(dataset, method, setting, _IN_PAPER)
            name = f"{label(method)}, {_REGIONS.get(setting, setting)}"
            table.lines.append(Line(name.replace("_", " "), entries))
        n_seeds.add(len(seeds))
    table.note = (
        f"Seeds: {', '.join(map(str, sorted(n_seeds)))}. Seeds that only the default was run "
        "with do not count in its means here."
    )
    return table


def _paper_columns(titles: Collection[str]) -> list[Column]:
    return [Column(f"{title} (paper)") for title in titles]


def _paper_entries(
    dataset: str, method: str, setting: str, metrics: Collection[str]
) -> list[PaperNumber | None]:
    return [PAPER_NUMBERS.get((dataset, method, setting, metric)) for metric in metrics]
