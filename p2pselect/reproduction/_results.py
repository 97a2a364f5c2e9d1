"""Results in long form, averaged over seeds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from p2pselect.methods import METHODS
from p2pselect.reproduction._records import Row

#: Names in print, in the paper's order; other methods come before P2P.
LABELS = {name: method.label for name, method in METHODS.items()}


class Entry(NamedTuple):
    """Mean and standard deviation over seeds.

    Attributes
    ----------
    mean : float
    sd : float or None
        With n - 1 in the denominator; None for one seed.
    n : int
        Number of seeds.
    """

    mean: float
    sd: float | None
    n: int


class Results:
    """Results in long form, ready to be asked.

    Parameters
    ----------
    rows : iterable of Row

    Examples
    --------
    >>> rows = [Row("d", "p2p", seed, "default", "accuracy", 0.5 + seed) for seed in (0, 1)]
    >>> Results(rows).entry("d", "p2p", "default", "accuracy").mean
    1.0
    """

    def __init__(self, rows: Iterable[Row]):
        self.values: dict[tuple[str, str, str, str], dict[int, float]] = {}
        for row in rows:
            key = (row.dataset, row.method, row.setting, row.metric)
            self.values.setdefault(key, {})[row.seed] = row.value
        self.datasets = sorted({key[0] for key in self.values})

    def methods(self, dataset: str) -> list[str]:
        """Methods that a data set has results of, in the order of the paper."""
        there = {key[1] for key in self.values if key[0] == dataset}
        order = list(LABELS)
        place = {m: order.index(m) if m in order else len(order) - 1.5 for m in there}
        return sorted(there, key=lambda m: (place[m], m))

    def settings(self, dataset: str, method: str) -> list[str]:
        """Settings that a method has results of."""
        return sorted({key[2] for key in self.values if key[:2] == (dataset, method)})

    def by_seed(self, dataset: str, method: str, setting: str, metric: str) -> dict[int, float]:
        """Value of every seed; empty where there is none."""
        return self.values.get((dataset, method, setting, metric), {})

    def has_learned(self, dataset: str, method: str) -> bool:
        """Whether a method's answers are closer to the best method's than to a constant one.

        Without a recorded ``constant_accuracy``, that of the most frequent label, a constant
        answer counts as always wrong.
        """
        found = {
            name: self.entry(dataset, name, "default", "accuracy")
            for name in self.methods(dataset)
        }
        own, best = found.get(method), max((e.mean for e in found.values() if e), default=0.0)
        constant = self.entry(dataset, method, "default", "constant_accuracy")
        floor = constant.mean if constant else 0.0
        return own is not None and own.mean - floor >= (best - floor) / 2

    def entry(self, dataset: str, method: str, setting: str, metric: str) -> Entry | None:
        """Mean and standard deviation over the seeds; None where there is no result."""
        values = list(self.by_seed(dataset, method, setting, metric).values())
        if not values:
            return None
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
        return Entry(float(np.mean(values)), sd, len(values))


def threshold_of(setting: str) -> float:
    """The number in the name of a setting: 0.8 of ``delta=080``."""
    return int(setting.rpartition("=")[2]) / 100
