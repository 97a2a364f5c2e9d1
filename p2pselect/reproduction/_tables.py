"""The paper's tables from results in long form: ours, and the paper's beside them.

Every table has the random and the centre row where it has localization.  Best is bold and
second underlined among the methods that compete: not the black boxes, nor COMET-1, which
shows its classifier everything that COMET hides.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from p2pselect.reproduction._measure import FIXED, MATCHED, STRONG_TAU, at_tau
from p2pselect.reproduction._paper_numbers import PAPER_NUMBERS, PaperNumber
from p2pselect.reproduction._records import Row
from p2pselect.reproduction._results import LABELS, Entry, Results, threshold_of

#: Upper bounds and controls, which do not compete.
CONTROLS = ("blackbox", "blackbox_pixel", "comet1")
#: Columns that say something of a method that has learned something.
FIDELITY = ("insertion", "deletion")
REGIONS = {"default": "SLIC regions (default)", "watershed": "watershed regions"}


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    title : str
    better : {1, -1, 0}
        Whether greater or less is better; 0 marks nothing.
    """

    title: str
    better: int = 0


@dataclass
class Line:
    """A line of a table.

    Parameters
    ----------
    label : str
    entries : list of Entry, PaperNumber or None
        One per column.
    competes : bool, default=True
        Whether its entries can be marked as best or second.
    barred : collection of str, default=()
        Titles of columns in which they cannot.
    """

    label: str
    entries: list[Entry | PaperNumber | None]
    competes: bool = True
    barred: Collection[str] = ()


@dataclass
class Table:
    """A table, independent of how it is written down.

    Parameters
    ----------
    key : str
        Name that is a file name.
    title : str
    columns : list of Column
    lines : list of Line
    note : str
        What has to be known to read it.
    """

    key: str
    title: str
    columns: list[Column]
    lines: list[Line] = field(default_factory=list)
    note: str = ""

    def marks(self, column: int) -> dict[int, str]:
        """Lines whose entry in a column is the best or the second: "best", "second"."""
        better = self.columns[column].better
        if not better:
            return {}
        entries = [(i, line.entries[column]) for i, line in enumerate(self.lines)]
        ranked = sorted(
            (-better * round(e.mean, 6), i)
            for i, e in entries
            if isinstance(e, Entry)
            and self.lines[i].competes
            and self.columns[column].title not in self.lines[i].barred
        )
        if len(ranked) < 2:
            return {}
        values = sorted({value for value, _ in ranked})
        names = dict(zip(values, ("best", "second"), strict=False))
        return {i: names[value] for value, i in ranked if value in names}

    def without_empty(self) -> Table:
        """The same table without columns that hold nothing."""
        full = [
            k for k in range(len(self.columns)) if any(line.entries[k] for line in self.lines)
        ]
        lines = [replace(line, entries=[line.entries[k] for k in full]) for line in self.lines]
        return Table(self.key, self.title, [self.columns[k] for k in full], lines, self.note)


def tables(results: Results) -> list[Table]:
    """All tables that there are results for.

    Parameters
    ----------
    results : Results

    Returns
    -------
    list of Table
        By data set: methods, certainty thresholds, fixed tau, ablations.
    """
    made = [
        build(results, dataset)
        for dataset in results.datasets
        for build in (methods_table, threshold_table, fixed_table, ablation_table)
    ]
    return [table.without_empty() for table in made if table.lines]


def methods_table(results: Results, dataset: str) -> Table:
    """All methods on one data set (the paper's tables 1, 2, 3 and 6).

    Parameters
    ----------
    results : Results
    dataset : str

    Returns
    -------
    Table
    """
    asked = (
        (Column("accuracy", 1), "default", "accuracy"),
        (Column("accuracy, binary mask", 1), MATCHED, "accuracy"),
        (Column("kept"), "default", "kept_fraction"),
        (Column("localization", 1), "default", "localization"),
        (Column("localization, same area", 1), MATCHED, "localization"),
        (Column("insertion", 1), "default", "insertion_fidelity"),
        (Column("deletion", -1), "default", "deletion_fidelity"),
    )
    papers = ("accuracy", "localization")
    table = Table(
        f"methods.{dataset}",
        f"Methods on {dataset}",
        [column for column, _, _ in asked] + [Column(f"{m} (paper)") for m in papers],
        note="P2P searches its tau per image (accuracy, kept, localization); the others are "
        "held to its mean kept fraction, as P2P itself is for the columns 'binary mask' and "
        "'same area'. Insertion and deletion are areas under the curves, of what the "
        "classifier sees; a method whose answers are closer to a constant one than to the most "
        "accurate method's is not marked there, as any mask is faithful to a constant answer.",
    )
    for method in results.methods(dataset):
        entries: list[Entry | PaperNumber | None] = [
            results.entry(dataset, method, setting, metric) for _, setting, metric in asked
        ]
        if any(entries):
            entries += [PAPER_NUMBERS.get((dataset, method, "default", m)) for m in papers]
            label = LABELS.get(method, method)
            barred = () if results.has_learned(dataset, method) else FIDELITY
            table.lines.append(Line(label, entries, method not in CONTROLS, barred))
    for row, label in (("random", "random mask"), ("center", "centred disc")):
        entries = [
            results.entry(dataset, "p2p", setting, f"{row}_localization")
            if metric == "localization"
            else None
            for _, setting, metric in asked
        ]
        if any(entries):
            entries += [PAPER_NUMBERS.get((dataset, row, "default", m)) for m in papers]
            table.lines.append(Line(label, entries, competes=False))
    return table


_P2P = (
    (Column("accuracy"), "accuracy"),
    (Column("localization"), "localization"),
    (Column("kept"), "kept_fraction"),
    (Column("expected to be kept"), "expected_kept_fraction"),
)


def threshold_table(results: Results, dataset: str) -> Table:
    """P2P at several certainty thresholds (table 4).

    Parameters
    ----------
    results : Results
    dataset : str

    Returns
    -------
    Table
    """
    papers = [(column, metric) for column, metric in _P2P if metric != "kept_fraction"]
    table = Table(
        f"thresholds.{dataset}",
        f"P2P at several certainty thresholds on {dataset}",
        [column for column, _ in _P2P] + [Column(f"{c.title} (paper)") for c, _ in papers],
        note="One trained model per seed; what is expected to be kept is the paper's p̄.",
    )
    for setting in results.settings(dataset, "p2p"):
        if setting.startswith("delta="):
            entries: list[Entry | PaperNumber | None] = [
                results.entry(dataset, "p2p", setting, metric) for _, metric in _P2P
            ]
            entries += [PAPER_NUMBERS.get((dataset, "p2p", setting, m)) for _, m in papers]
            table.lines.append(Line(f"δ = {threshold_of(setting):.2f}", entries))
    return table


def fixed_table(results: Results, dataset: str) -> Table:
    """Dynamic and fixed tau at the same mean kept fraction (figure 4).

    Parameters
    ----------
    results : Results
    dataset : str

    Returns
    -------
    Table
    """
    both = [(c, m) for c, m in _P2P if m != "expected_kept_fraction"]
    table = Table(
        f"fixed.{dataset}",
        f"One tau for all images, or a tau for each, on {dataset}",
        [
            Column(f"{column.title}, {kind}")
            for column, _ in both
            for kind in ("dynamic", "fixed")
        ],
        note="One trained model per seed; the fixed tau keeps on average what the search "
        "for the certainty δ keeps.",
    )
    pairs = [
        (f"δ = {threshold_of(s):.2f}", s, f"{FIXED}-{s}")
        for s in results.settings(dataset, "p2p")
        if s.startswith("delta=")
    ]
    for label, dynamic, fixed in [*pairs, (f"τ = {STRONG_TAU:.2f}", "", at_tau(STRONG_TAU))]:
        entries: list[Entry | PaperNumber | None] = [
            results.entry(dataset, "p2p", setting, metric)
            for _, metric in both
            for setting in (dynamic, fixed)
        ]
        if any(entries):
            table.lines.append(Line(label, entries))
    return table


def ablation_table(results: Results, dataset: str) -> Table:
    """P2P and the other methods with one thing changed (table 5, and ours).

    Parameters
    ----------
    results : Results
    dataset : str

    Returns
    -------
    Table
    """
    asked = (
        (Column("accuracy"), "", "accuracy"),
        (Column("kept"), "", "kept_fraction"),
        (Column("localization"), "", "localization"),
        (Column("localization, same area"), MATCHED, "localization"),
        (Column("insertion"), "", "insertion_fidelity"),
    )
    papers = ("accuracy", "localization")
    table = Table(
        f"ablations.{dataset}",
        f"One thing changed on {dataset}",
        [column for column, _, _ in asked] + [Column(f"{m} (paper)") for m in papers],
    )
    counts = set()
    for method in results.methods(dataset):
        changed = [
            setting
            for setting in results.settings(dataset, method)
            if not setting.startswith(("delta=", "tau=", FIXED, MATCHED))
            and ":" not in setting
            and setting != "default"
        ]
        if not changed:
            continue
        seeds = {
            seed
            for setting in changed
            for seed in results.by_seed(dataset, method, setting, "accuracy")
        }
        paired = Results(
            Row(*key[:2], seed, *key[2:], value)
            for key, values in results.values.items()
            for seed, value in values.items()
            if key[:2] == (dataset, method) and seed in seeds
        )
        for setting in ("default", *changed):
            entries: list[Entry | PaperNumber | None] = [
                paired.entry(dataset, method, _view(setting, view), metric)
                for _, view, metric in asked
            ]
            entries += [PAPER_NUMBERS.get((dataset, method, setting, m)) for m in papers]
            name = f"{LABELS.get(method, method)}, {REGIONS.get(setting, setting)}"
            table.lines.append(Line(name.replace("_", " "), entries))
        counts.add(len(seeds))
    table.note = (
        f"Seeds: {', '.join(map(str, sorted(counts)))}. Those that only the default was run "
        "with are left out of its means here."
    )
    return table


def _view(setting: str, view: str) -> str:
    if not view:
        return setting
    return view if setting == "default" else f"{setting}:{view}"
