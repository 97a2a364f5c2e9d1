"""Scores in long form: as a CSV file, and averaged over seeds."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from p2pselect.atomic_write import atomic_open
from p2pselect.exceptions import InputError
from p2pselect.methods import METHODS
from p2pselect.reproduction._score_names import on_thing
from p2pselect.reproduction._suite import DEFAULT


class Score(NamedTuple):
    """One value in long form.

    Parameters
    ----------
    dataset : str
        Name of the data set.
    method : str
        Name of the method.
    seed : int
        Seed of the training.
    setting : str
        The setting of the method, or of its prediction, that was measured.
    metric : str
        Name of the metric.
    value : float
        Its value.

    Examples
    --------
    >>> Score("digit_scenes", "p2p", 0, "default", "accuracy", 0.5)._asdict()["metric"]
    'accuracy'
    """

    dataset: str
    method: str
    seed: int
    setting: str
    metric: str
    value: float


def write_scores(scores: Iterable[Score], path: str | os.PathLike[str]) -> None:
    """Write scores to a CSV file, with six digits.

    Parameters
    ----------
    scores : iterable of Score
        The scores.
    path : path-like
        Its columns will be ``dataset, method, seed, setting, metric, value``.

    Examples
    --------
    >>> import tempfile
    >>> scores = [Score("digit_scenes", "p2p", 0, "default", "accuracy", 0.5)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_scores(scores, f"{folder}/scores.csv")
    ...     read_scores(f"{folder}/scores.csv") == scores
    True
    """
    with atomic_open(path, newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Score._fields)
        writer.writerows((*score[:-1], f"{score.value:.6g}") for score in scores)


def read_scores(path: str | os.PathLike[str]) -> list[Score]:
    """Read what :func:`write_scores` wrote.

    Parameters
    ----------
    path : path-like
        A CSV file.

    Returns
    -------
    list of Score
        The scores, in the order of the file.

    Raises
    ------
    InputError
        If the file has other columns.

    Examples
    --------
    >>> scores = read_scores("benchmarks/results/small.csv")  # doctest: +SKIP
    """
    with Path(path).open(newline="", encoding="utf-8") as file:
        columns, *lines = [*csv.reader(file)] or [[]]
    if tuple(columns) != Score._fields:
        raise InputError(
            f"{path} must have the columns {', '.join(Score._fields)}, got {', '.join(columns)}"
        )
    return [
        Score(dataset, method, int(seed), setting, metric, float(value))
        for dataset, method, seed, setting, metric, value in lines
    ]


def label(method: str) -> str:
    """The name of a method in print."""
    return METHODS[method].label if method in METHODS else method


#: Upper bounds and controls, whose classifiers see more than their masks show.
CONTROLS = ("blackbox", "blackbox_pixel", "comet1", "bcos")


def own_setting(method: str, setting: str) -> str:
    """The setting of a method where all of them have one in common: P2P has its default."""
    return DEFAULT if method == "p2p" else setting


class Entry(NamedTuple):
    """Mean and standard deviation over seeds (n - 1 in its denominator, None for one seed)."""

    mean: float
    sd: float | None
    n: int


class Results:
    """All scores of an evaluation, ready to be looked up.

    Examples
    --------
    >>> scores = [Score("d", "p2p", seed, "default", "accuracy", 0.5 + seed) for seed in (0, 1)]
    >>> Results(scores).entry("d", "p2p", "default", "accuracy").mean
    1.0
    """

    def __init__(self, scores: Iterable[Score]):
        self.values: dict[tuple[str, str, str, str], dict[int, float]] = {}
        for score in scores:
            key = (score.dataset, score.method, score.setting, score.metric)
            self.values.setdefault(key, {})[score.seed] = score.value
        self.datasets = sorted({key[0] for key in self.values})

    def methods(self, dataset: str) -> list[str]:
        """Methods with results on a data set: in the paper's order, unknown ones before P2P."""
        found = {key[1] for key in self.values if key[0] == dataset}
        order = [name for name in METHODS if name != "p2p"]
        place = {name: i for i, name in enumerate(order)} | {"p2p": len(order) + 1}
        return sorted(found, key=lambda name: (place.get(name, len(order)), name))

    def settings(self, dataset: str, method: str) -> list[str]:
        """Settings that a method has results for."""
        return sorted({key[2] for key in self.values if key[:2] == (dataset, method)})

    def things(self, dataset: str) -> list[str]:
        """What there are masks of, other than the evidence."""
        before = on_thing("localization", "")
        metrics = {key[3] for key in self.values if key[0] == dataset}
        return sorted(m.removeprefix(before) for m in metrics if m.startswith(before))

    def certainty_thresholds(self, dataset: str) -> list[str]:
        """Settings of P2P at other certainty thresholds, in increasing order."""
        return [name for name in self.settings(dataset, "p2p") if name.startswith("delta=")]

    def by_seed(self, dataset: str, method: str, setting: str, metric: str) -> dict[int, float]:
        """The value for each seed; empty if there is none."""
        return self.values.get((dataset, method, setting, metric), {})

    def entry(self, dataset: str, method: str, setting: str, metric: str) -> Entry | None:
        """Mean and standard deviation over the seeds; None if there is no result."""
        values = list(self.by_seed(dataset, method, setting, metric).values())
        if not values:
            return None
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
        return Entry(float(np.mean(values)), sd, len(values))

    def has_learned(self, dataset: str, method: str, setting: str = DEFAULT) -> bool:
        """Whether a method's answers are closer to the best method's than to a constant one.

        A constant answer has the accuracy ``constant_accuracy``, that of the most frequent
        label; if it was not recorded, the answer counts as always wrong.
        """
        accuracies = {
            name: entry.mean
            for name in self.methods(dataset)
            if (entry := self.entry(dataset, name, own_setting(name, setting), "accuracy"))
        }
        if method not in accuracies:
            return False
        own = own_setting(method, setting)
        constant = self.entry(dataset, method, own, "constant_accuracy")
        floor = constant.mean if constant else 0.0
        return accuracies[method] - floor >= (max(accuracies.values()) - floor) / 2

    def competes(self, dataset: str, method: str, setting: str = DEFAULT) -> bool:
        """Whether a method can be the best: no control, and not near to a constant answer."""
        return method not in CONTROLS and self.has_learned(dataset, method, setting)
