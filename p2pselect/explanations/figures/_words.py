"""What an explanation says about one image, in words: shared by figures and report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from p2pselect._explanation_arrays import ExplanationArrays


def percent(share: float) -> str:
    """A share in [0, 1] as people read it; small shares keep a decimal.

    Examples
    --------
    >>> percent(0.123), percent(0.012), percent(0.9996), percent(1.0)
    ('12 %', '1.2 %', '> 99.9 %', '100 %')
    """
    hundred = 100 * float(share)
    if 99.9 < hundred < 100:
        return "> 99.9 %"
    if 0 < hundred < 0.1:
        return "< 0.1 %"
    whole = 9.95 <= hundred <= 99 or hundred in (0, 100)
    return f"{hundred:.0f} %" if whole else f"{hundred:.1f} %"


def label(value: Any, length: int = 28) -> str:
    """A class label on one line, shortened when it is long."""
    text = _one_line(value)
    return text if len(text) <= length else text[: length - 1] + "…"


def _one_line(value: Any) -> str:
    text = " ".join(str(value).split())
    # Bytes of a folder's name that are not UTF-8 cannot be drawn, nor written as UTF-8.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def distinct_labels(values: Sequence[Any], length: int = 28) -> list[str]:
    """Several class labels, each on one line and shortened so that they can be told apart.

    Examples
    --------
    >>> distinct_labels(["red_fish", "red_flag", "blue"], 6)
    ['re…ish', 're…lag', 'blue']
    """
    whole = [_one_line(value) for value in values]
    short = [label(value, length) for value in values]
    # Where beginnings are the same, ends may differ.
    head, tail = (length - 1) // 2, length - 1 - (length - 1) // 2
    alike = {text for text, count in Counter(short).items() if count > 1}
    told: list[str] = []
    for text, cut in zip(whole, short, strict=True):
        if cut in alike and len(text) > length:
            cut = f"{text[:head]}…{text[-tail:]}"
        candidate, number = cut, 1
        while candidate in told:
            number += 1
            end = f" #{number}"
            candidate = cut[: length - len(end)] + end
        told.append(candidate)
    return told


def certainty_words(exp: ExplanationArrays, image: int) -> str:
    """For example ``certain (98 %, asked for 95 %)``."""
    reached = "certain" if exp.certainty_reached[image] else "not certain"
    asked = percent(exp.certainty_threshold)
    return f"{reached} ({percent(exp.certainty[image])}, asked for {asked})"


def sparsity_words(exp: ExplanationArrays, image: int) -> str:
    """What was asked for and what was kept, with regions and pixels.

    The paper's cut at probability one half asks for at most ``tau`` without making sure of
    it, so that more may be kept.  A continuous mask is not bounded by ``tau`` at all.
    """
    regions = f"{exp.region_masks[image].sum()} of {exp.n_regions[image]} regions"
    tau = exp.tau[image]
    if exp.soft_region_masks is not None:
        return (
            f"saw {percent(exp.kept_fraction[image])} of the pixels, at the brightness of a "
            f"continuous mask; the highest scores within τ = {tau:.2f}: {regions}"
        )
    return (
        f"asked for at most {percent(tau)} of the pixels (τ = {tau:.2f}), "
        f"kept {percent(exp.kept_fraction[image])}: {regions}"
    )
