"""What the records of photographs.py say together: scores, bars, and whether to quote them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from recorded_tables import markdown, table_of

Figures = dict[str, Any]
Record = Mapping[str, Any]
N_RESAMPLES, LEVEL = 4000, 0.95
#: What P2P is held to: its accuracy less that of a rival, its kept area, its cost.
LEAST_DIFFERENCE = {"probe": 0.0, "probe@C=0.01": 0.0, "blackbox": -0.01}
MOST_KEPT, MOST_CPU_SECONDS = 0.4, 600.0
FEWEST_SEEDS = 3


def figures_of(records: Sequence[Record]) -> Figures:
    """All figures of a run, by name: ``SET/PART:ROW_COLUMN``."""
    figures: Figures = {}
    places = dict.fromkeys((r["cell"]["set"], part) for r in records for part in r["rows"])
    for name, part in places:
        own = [r for r in records if r["cell"]["set"] == name and part in r["rows"]]
        place = f"{name}/{part}"
        rows = dict.fromkeys(row for record in own for row in record["rows"][part])
        by_row = {row: [r for r in own if row in r["rows"][part]] for row in rows}
        for row, of_row in by_row.items():
            figures |= prefixed(f"{place}:{row}", scores(of_row, part, row))
        for row, bar in bars(by_row, part).items():
            figures |= prefixed(f"{place}:{row}", bar)
        for row, found in localizations(own, part).items():
            figures |= prefixed(f"{place}:{row}", found)
    return figures


def prefixed(prefix: str, figures: Figures) -> Figures:
    return {f"{prefix}_{name}": value for name, value in figures.items()}


def scores(records: Sequence[Record], part: str, row: str) -> Figures:
    """Means over the seeds, and the range of the accuracy."""
    rows = [record["rows"][part][row] for record in records]
    accuracy = [float(np.mean(one["right"])) for one in rows]
    found: Figures = {
        "accuracy": float(np.mean(accuracy)),
        "lowest": min(accuracy),
        "highest": max(accuracy),
    }
    if "kept" in rows[0]:
        found["kept"] = float(np.mean([one["kept"] for one in rows]))
        answered, right, kept = (
            np.concatenate([np.array(one[name], float) for one in rows])
            for name in ("certain", "right", "kept")
        )
        some = answered.any()
        found["answered"] = float(answered.mean())
        for name, values in (("right", right), ("kept", kept)):
            of_these = float(values[answered > 0].mean()) if some else None
            found[f"{name} of the answered"] = of_these
    found["CPU seconds"] = float(
        np.mean([record["costs"]["CPU seconds"] for record in records])
    )
    return found


def bars(by_row: Mapping[str, Sequence[Record]], part: str) -> dict[str, Figures]:
    """What P2P is held to, with the interval of each value, and whether the value is met.

    Differences have a bootstrap interval over images, the others the range over seeds.
    """
    if "p2p" not in by_row:
        return {}
    found = {}
    for rival, least in LEAST_DIFFERENCE.items():
        if rival in by_row:
            value, low, high = paired_difference(by_row["p2p"], by_row[rival], part, rival)
            bar = {"value": value, "from": low, "to": high, "bar": f"at least {least:g}"}
            found[f"p2p-{rival}"] = bar | {"met": "yes" if value >= least else "no"}
    kept = [float(np.mean(r["rows"][part]["p2p"]["kept"])) for r in by_row["p2p"]]
    seconds = [float(r["costs"]["CPU seconds"]) for r in by_row["p2p"]]
    for name, values, most in (("kept", kept, MOST_KEPT), ("cpu", seconds, MOST_CPU_SECONDS)):
        value = float(np.mean(values))
        found[f"p2p-{name}"] = {
            "value": value,
            "from": min(values),
            "to": max(values),
            "bar": f"at most {most:g}",
            "met": "yes" if value <= most else "no",
        }
    return found


def paired_difference(
    ours: Sequence[Record], theirs: Sequence[Record], part: str, rival: str
) -> tuple[float, float, float]:
    """Mean difference of accuracy on the same images, and its bootstrap interval over images.

    An image that several seeds have answered counts with its mean, so the interval is that of
    other images, with these seeds.
    """
    differences: dict[str, list[float]] = defaultdict(list)
    other = {record["cell"]["seed"]: record for record in theirs}
    for record in ours:
        paired = other[record["cell"]["seed"]]
        if record["images"][part] != paired["images"][part]:
            raise ValueError(f"{part}: p2p and {rival} were measured on different images")
        for image, mine, its in zip(
            record["images"][part],
            record["rows"][part]["p2p"]["right"],
            paired["rows"][part][rival]["right"],
            strict=True,
        ):
            differences[image].append(mine - its)
    each = np.array([np.mean(values) for values in differences.values()])
    n = len(each)
    drawn = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), N_RESAMPLES) @ each / n
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(each.mean()), float(low), float(high)


def localizations(records: Sequence[Record], part: str) -> dict[str, Figures]:
    """Means over the seeds, by kind of masks and certainty."""
    found: dict[tuple[str, str], list[Figures]] = defaultdict(list)
    for record in records:
        for row, by_kind in record["localization"].get(part, {}).items():
            for kind, of_kind in by_kind.items():
                found[kind, row].append(of_kind)
    return {
        f"{kind}:{row}": {name: mean([one[name] for one in many]) for name in many[0]}
        for (kind, row), many in found.items()
    }


def mean(values: Sequence[float]) -> float | int:
    """The mean; a number of things that is always the same stays whole."""
    return values[0] if all(v == values[0] for v in values) else float(np.mean(values))


def tables(figures: Figures) -> dict[str, list[str]]:
    """Rows of the three tables: of scores, of bars, of localization."""
    found: dict[str, list[str]] = {"scores": [], "bars": [], "localization": []}
    for key in figures:
        for column, table in (
            ("accuracy", "scores"),
            ("bar", "bars"),
            ("center row", "localization"),
        ):
            if key.endswith(f"_{column}"):
                found[table].append(key.removesuffix(f"_{column}"))
    return found


def as_markdown(figures: Figures) -> str:
    """The three tables."""
    parts = [
        f"{title}\n\n{markdown(table_of({'photographs': figures}, rows))}"
        for title, rows in tables(figures).items()
        if rows
    ]
    return "\n\n".join(parts)


def objections(records: Sequence[Record], expected: Mapping[str, Sequence[Any]]) -> list[str]:
    """Why the figures of a run may not be quoted; empty if they may."""
    found = []
    there = {tuple(r["cell"][k] for k in ("set", "method", "seed")) for r in records}
    missing = [
        f"{name} {method} seed {seed}"
        for name in expected["set"]
        for method in expected["method"]
        for seed in expected["seed"]
        if (name, method, seed) not in there
    ]
    if missing:
        found.append(f"{len(missing)} cells have not been run: {', '.join(missing)}")
    if len(expected["seed"]) < FEWEST_SEEDS:
        found.append(f"fewer than {FEWEST_SEEDS} seeds")
    if {r["cell"]["split"] for r in records} - {"test"}:
        found.append("measured on validation images")
    if not all(r["is_pretrained"] for r in records):
        found.append("the networks had random weights")
    if any(r["facts"].get("other settings") for r in records):
        found.append("the command has trained with other settings than those of the records")
    if any(r["about"]["changed"] for r in records):
        found.append("the code had changes that were not committed")
    for method in expected["method"]:
        commits = {str(r["about"]["commit"]) for r in records if r["cell"]["method"] == method}
        if len(commits) > 1:
            found.append(
                f"cells of {method} are of different code: {', '.join(sorted(commits))}"
            )
    return found


def about_methods(records: Sequence[Record]) -> dict[str, Any]:
    """Which code ran each method: that of its last cell, all being of one commit."""
    return {record["cell"]["method"]: record["about"] for record in records}
