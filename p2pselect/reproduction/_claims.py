"""The paper's claims, each compared with the results: whether it holds, and with what numbers.

A claim is a difference that has to be above 0.  The 95 % interval of its mean over the seeds
decides, paired by seed: the claim holds if all of it is above 0, fails if all of it is below,
and is open if it contains 0.  That masks do not encode is decided by the audits of all seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student_t

from p2pselect.reproduction._auditing import GAP
from p2pselect.reproduction._score_names import FIXED, MATCHED, curve_point, view_of
from p2pselect.reproduction._scores import Results, label, own_setting
from p2pselect.reproduction._suite import DEFAULT, EQUAL_CPU

HOLDS, FAILS, OPEN = "holds", "fails", "open"


class Claim(NamedTuple):
    """A claim on one data set, its verdict, and the numbers that decide it."""

    dataset: str
    words: str
    verdict: str
    numbers: str


def claims(results: Results) -> list[Claim]:
    """Every claim that there are results for."""
    return [
        Claim(dataset, words, *found)
        for dataset in results.datasets
        for words, check in _CLAIMS
        if (found := check(results, dataset)) is not None
    ]


def interval(differences: Iterable[float]) -> tuple[float, float, float]:
    """Mean of differences, one per seed, and the ends of its 95 % interval (Student's t).

    The interval of a single seed has no ends.

    Examples
    --------
    >>> [round(float(value), 2) for value in interval([0.1, 0.2, 0.3])]
    [0.2, -0.05, 0.45]
    """
    values = np.array(list(differences))
    if len(values) < 2:
        return float(values.mean()), -np.inf, np.inf
    half = student_t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


_Found = tuple[str, str] | None
_Seeds = Mapping[int, float]


def _verdict(low: float, high: float) -> str:
    return HOLDS if low > 0 else FAILS if high < 0 else OPEN


def _percent(*values: float) -> str:
    return ", ".join(f"{100 * value:.1f}" for value in values)


def _mean(values: _Seeds) -> float:
    return float(np.mean(list(values.values())))


def _paired(a: _Seeds, b: _Seeds) -> list[float]:
    # Methods of one seed share their images, so a difference varies less than its two parts.
    return [a[seed] - b[seed] for seed in sorted(set(a) & set(b))]


def _interval_words(differences: list[float]) -> str:
    mean, low, high = interval(differences)
    if not np.isfinite(low):
        return f"{100 * mean:+.1f}, one seed"
    return f"{100 * mean:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def _above(a: _Seeds, b: _Seeds, comment: str = "", margin: float = 0.0) -> _Found:
    """Whether ``a`` is above ``b`` less a margin, over the seeds that both have."""
    differences = _paired(a, b)
    if not differences:
        return None
    _, low, high = interval([d + margin for d in differences])
    numbers = f"{_percent(_mean(a))} versus {_percent(_mean(b))}{comment}"
    return _verdict(low, high), f"{numbers}; {_interval_words(differences)}"


def _as_accurate(results: Results, dataset: str) -> _Found:
    p2p, blackbox = (
        results.by_seed(dataset, method, "default", "accuracy")
        for method in ("p2p", "blackbox")
    )
    return _above(p2p, blackbox, margin=0.02)


def _sparse(results: Results, dataset: str) -> _Found:
    kept = results.by_seed(dataset, "p2p", "default", "kept_fraction")
    if not kept:
        return None
    mean, low, high = interval(kept.values())
    ends = "one seed" if not np.isfinite(low) else f"[{_percent(low)}, {_percent(high)}]"
    # The claim is that 0.4 - kept is above 0, so the ends of the interval swap places.
    return _verdict(0.4 - high, 0.4 - low), f"{_percent(mean)}; {ends}"


def _hides(results: Results, dataset: str, method: str, setting: str) -> bool:
    """Whether a method hides anything."""
    return method != "blackbox"


def _is_binary(results: Results, dataset: str, method: str, setting: str) -> bool:
    """Whether a method competes and shows nothing but binary masks."""
    # By construction, binary masks reach full insertion at their area. Soft ones don't.
    own = results.entry(dataset, method, own_setting(method, setting), "binary_input")
    # Any mask is faithful to answers that are no better than a constant one.
    return results.competes(dataset, method, setting) and own is not None and own.mean == 1


def _is_accurate(results: Results, dataset: str, method: str, setting: str) -> bool:
    """Whether a method is P2P, or at most 3 points less accurate than the black box."""
    own, blackbox = (
        results.entry(dataset, name, own_setting(name, setting), "accuracy")
        for name in (method, "blackbox")
    )
    if own is None or blackbox is None or method == "blackbox":
        return False
    return method == "p2p" or own.mean >= blackbox.mean - 0.03


def _best(
    metric: str,
    view: str,
    counts: Callable[[Results, str, str, str], bool],
    setting: str = DEFAULT,
) -> Callable[[Results, str], _Found]:
    """Whether P2P's score is above the best one of the methods that count."""

    def check(results: Results, dataset: str) -> _Found:
        scores: dict[str, _Seeds] = {}
        for method in results.methods(dataset):
            own = view_of(own_setting(method, setting), view)
            values = results.by_seed(dataset, method, own, metric)
            if values and counts(results, dataset, method, setting):
                scores[method] = values
        if "p2p" not in scores or len(scores) < 2:
            return None
        best = max((m for m in scores if m != "p2p"), key=lambda m: _mean(scores[m]))
        return _above(scores["p2p"], scores[best], f" ({label(best)})")

    return check


def _with_delta(metric: str, sign: int) -> Callable[[Results, str], _Found]:
    def check(results: Results, dataset: str) -> _Found:
        seeds = [
            values
            for setting in results.certainty_thresholds(dataset)
            if (values := results.by_seed(dataset, "p2p", setting, metric))
        ]
        steps = [_paired(b, a) for a, b in pairwise(seeds)]
        if not steps or not all(steps):
            return None
        verdicts = {_verdict(*interval([sign * d for d in step])[1:]) for step in steps}
        # One step in the wrong direction is enough to refute a claim about all steps.
        verdict = FAILS if FAILS in verdicts else OPEN if OPEN in verdicts else HOLDS
        ends = _interval_words(_paired(seeds[-1], seeds[0]))
        return verdict, f"{_percent(*map(_mean, seeds))}; last minus first {ends}"

    return check


def _dynamic(results: Results, dataset: str) -> _Found:
    kinds = ("default", FIXED)
    kept = [results.by_seed(dataset, "p2p", s, "kept_fraction") for s in kinds]
    dynamic, fixed = (results.by_seed(dataset, "p2p", s, "accuracy") for s in kinds)
    if not all(kept):
        return None
    return _above(dynamic, fixed, f" (kept {_percent(*map(_mean, kept))})")


def _ablated(setting: str, metric: str, view: str = "") -> Callable[[Results, str], _Found]:
    """Whether a score of P2P falls when one thing is changed."""

    def check(results: Results, dataset: str) -> _Found:
        whole, changed = (
            results.by_seed(dataset, "p2p", view_of(name, view), metric)
            for name in (DEFAULT, setting)
        )
        # Ablations may have run with fewer seeds than the default.
        return _above({seed: whole[seed] for seed in whole if seed in changed}, changed)

    return check


def _watershed(results: Results, dataset: str) -> _Found:
    watershed, slic = (
        results.by_seed(dataset, "p2p", s, "accuracy") for s in ("watershed", "default")
    )
    differences = _paired(watershed, slic)
    if not differences:
        return None
    _, low, high = interval(differences)
    # An interval around 0 does not prove equality: all of it has to lie within the margin.
    within, beyond = -0.03 <= low and high <= 0.03, low > 0.03 or high < -0.03
    # Ablations may have run with fewer seeds than the default.
    both = {seed: slic[seed] for seed in slic if seed in watershed}
    numbers = f"{_percent(_mean(watershed))} versus {_percent(_mean(both))}"
    verdict = HOLDS if within else FAILS if beyond else OPEN
    return verdict, f"{numbers}; {_interval_words(differences)}"


def _does_not_encode(results: Results, dataset: str) -> _Found:
    """Whether the audits of all seeds find the evidence in the pixels."""
    encodes, pixels = (
        results.by_seed(dataset, "p2p", DEFAULT, f"audit_{verdict}")
        for verdict in ("encodes", "pixels")
    )
    if not encodes:
        return None
    # The interval of the gap is in each audit, which also tells gaps from faults of the judge.
    # One seed that encodes is enough to refute the claim about all.
    any_encodes, all_pixels = any(encodes.values()), all(pixels.values())
    verdict = FAILS if any_encodes else HOLDS if all_pixels else OPEN
    gaps = (
        f"{_interval_words([*results.by_seed(dataset, 'p2p', DEFAULT, name).values()])} "
        f"at {area:.0%} of the area"
        for area in (0.1, 0.3)
        for name in [curve_point(GAP[0], area)]
    )
    n = len(encodes)
    return verdict, (
        f"{sum(pixels.values()):.0f} of {n} seeds acquitted, {sum(encodes.values()):.0f} "
        f"convicted; model minus judge {', '.join(gaps)}"
    )


_CLAIMS: tuple[tuple[str, Callable[[Results, str], _Found]], ...] = (
    ("P2P is at most 2 points less accurate than the black box", _as_accurate),
    ("P2P keeps at most 40 % of the pixels", _sparse),
    (
        "with the same kept area, P2P localizes best of all methods",
        _best("localization", MATCHED, _hides),
    ),
    (
        "with the same kept area, P2P localizes best of all methods that are at most 3 points "
        "less accurate than the black box",
        _best("localization", MATCHED, _is_accurate),
    ),
    (
        "with the same kept area and CPU time, P2P localizes best of all methods",
        _best("localization", MATCHED, _hides, EQUAL_CPU),
    ),
    ("the mask of P2P does not encode the label", _does_not_encode),
    ("accuracy rises with the certainty threshold", _with_delta("accuracy", 1)),
    ("the kept fraction rises with the certainty threshold", _with_delta("kept_fraction", 1)),
    ("localization falls with the certainty threshold", _with_delta("localization", -1)),
    ("a dynamic tau is more accurate than one tau that keeps as much", _dynamic),
    (
        "with the same kept area, regions localize better than single pixels",
        _ablated("pixel", "localization", MATCHED),
    ),
    ("regions are more accurate than single pixels", _ablated("pixel", "accuracy")),
    (
        "with the same kept area, P2P localizes better with its covariance than without",
        _ablated("no_covariance", "localization", MATCHED),
    ),
    ("P2P is more accurate with its covariance", _ablated("no_covariance", "accuracy")),
    ("accuracy with watershed regions is within 3 points of SLIC's", _watershed),
    (
        "P2P has the largest insertion area of all methods with binary masks",
        _best("insertion_fidelity", "", _is_binary),
    ),
)


def to_markdown(made: Iterable[Claim]) -> str:
    """The claims as a pipe table."""
    lines = ["| data | claim | outcome | percent |", "|---|---|---|---|"]
    lines += [f"| {c.dataset} | {c.words} | {c.verdict} | {c.numbers} |" for c in made]
    return "\n".join(lines) + "\n"
