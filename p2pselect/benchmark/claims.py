"""The paper's claims, each held against the results: what holds, and with which numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import NamedTuple

from p2pselect.benchmark.measure import FIXED, MATCHED
from p2pselect.benchmark.results import LABELS, Entry, Results


class Claim(NamedTuple):
    """A claim on one data set.

    Attributes
    ----------
    dataset : str
    words : str
        What is claimed.
    holds : bool
        Whether the means over the seeds say so.
    numbers : str
        The means that decide.
    """

    dataset: str
    words: str
    holds: bool
    numbers: str


def claims(results: Results) -> list[Claim]:
    """Every claim that there are results for.

    Parameters
    ----------
    results : Results

    Returns
    -------
    list of Claim
    """
    made = []
    for dataset in results.datasets:
        for words, check in _CLAIMS:
            found = check(results, dataset)
            if found is not None:
                made.append(Claim(dataset, words, *found))
    return made


_Found = tuple[bool, str] | None


def _mean(results: Results, *key: str) -> float | None:
    entry = results.entry(*key)
    return None if entry is None else entry.mean


def _percent(*values: float) -> str:
    return ", ".join(f"{100 * value:.1f}" for value in values)


def _as_accurate(results: Results, dataset: str) -> _Found:
    p2p, blackbox = (_mean(results, dataset, m, "default", "accuracy") for m in _PAIR)
    if p2p is None or blackbox is None:
        return None
    return p2p >= blackbox - 0.02, f"{_percent(p2p)} against {_percent(blackbox)}"


_PAIR = ("p2p", "blackbox")


def _sparse(results: Results, dataset: str) -> _Found:
    kept = _mean(results, dataset, "p2p", "default", "kept_fraction")
    return None if kept is None else (kept <= 0.4, _percent(kept))


def _best(metric: str, setting: str, binary_only: bool) -> Callable[[Results, str], _Found]:
    def check(results: Results, dataset: str) -> _Found:
        scores: dict[str, Entry] = {}
        for method in results.methods(dataset):
            entry = results.entry(dataset, method, setting, metric)
            binary = _mean(results, dataset, method, setting, "binary_input")
            masked = method != "blackbox" and (binary == 1 or not binary_only)
            if entry is not None and masked:
                scores[method] = entry
        if "p2p" not in scores or len(scores) < 2:
            return None
        best = max((m for m in scores if m != "p2p"), key=lambda m: scores[m].mean)
        p2p, other = scores["p2p"].mean, scores[best].mean
        return (
            p2p > other,
            f"{_percent(p2p)} against {_percent(other)} of {LABELS.get(best, best)}",
        )

    return check


def _with_delta(metric: str, sign: int) -> Callable[[Results, str], _Found]:
    def check(results: Results, dataset: str) -> _Found:
        settings = [s for s in results.settings(dataset, "p2p") if s.startswith("delta=")]
        means = [_mean(results, dataset, "p2p", setting, metric) for setting in settings]
        values = [value for value in means if value is not None]
        if len(values) < 2:
            return None
        return all(sign * (b - a) > 0 for a, b in pairwise(values)), _percent(*values)

    return check


def _dynamic(results: Results, dataset: str) -> _Found:
    pair = [_mean(results, dataset, "p2p", s, "accuracy") for s in ("default", FIXED)]
    kept = [_mean(results, dataset, "p2p", s, "kept_fraction") for s in ("default", FIXED)]
    if None in pair or None in kept:
        return None
    dynamic, fixed = (value for value in pair if value is not None)
    at = _percent(*(value for value in kept if value is not None))
    return dynamic > fixed, f"{_percent(dynamic)} against {_percent(fixed)} (kept {at})"


def _watershed(results: Results, dataset: str) -> _Found:
    seeds = results.by_seed(dataset, "p2p", "watershed", "accuracy")
    slic = results.by_seed(dataset, "p2p", "default", "accuracy")
    both = sorted(set(seeds) & set(slic))
    if not both:
        return None
    a, b = (sum(values[s] for s in both) / len(both) for values in (seeds, slic))
    return abs(a - b) <= 0.03, f"{_percent(a)} against {_percent(b)}, {len(both)} seeds"


_CLAIMS: tuple[tuple[str, Callable[[Results, str], _Found]], ...] = (
    ("P2P is at most 2 points less accurate than the black box", _as_accurate),
    ("P2P keeps at most 40 % of the pixels", _sparse),
    (
        "at the same kept area, P2P localizes best of all methods",
        _best("localization", MATCHED, binary_only=False),
    ),
    ("accuracy rises with the certainty threshold", _with_delta("accuracy", 1)),
    ("the kept fraction rises with the certainty threshold", _with_delta("kept_fraction", 1)),
    ("localization falls with the certainty threshold", _with_delta("localization", -1)),
    ("dynamic tau is more accurate than one tau that keeps as much", _dynamic),
    ("accuracy on watershed regions is within 3 points of that on SLIC's", _watershed),
    (
        "P2P has the largest insertion area of all methods with binary masks",
        _best("insertion_fidelity", "default", binary_only=True),
    ),
)


def to_markdown(made: Iterable[Claim]) -> str:
    """The claims as a pipe table.

    Parameters
    ----------
    made : iterable of Claim

    Returns
    -------
    str
    """
    lines = ["| data | claim | holds | per cent |", "|---|---|---|---|"]
    lines += [
        f"| {c.dataset} | {c.words} | {'yes' if c.holds else 'no'} | {c.numbers} |"
        for c in made
    ]
    return "\n".join(lines) + "\n"
