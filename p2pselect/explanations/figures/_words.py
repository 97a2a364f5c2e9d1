"""What an explanation says about one image, in words that figures and reports share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import isnan
from typing import Any

import numpy as np

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect._fill import Fill
from p2pselect.metrics._stops import answer_figures


def percent(share: float) -> str:
    """A share in [0, 1] as people read it; small shares keep a decimal.

    >>> percent(0.123), percent(0.012), percent(0.9996), percent(1.0)
    ('12%', '1.2%', '> 99.9%', '100%')
    """
    hundred = 100 * float(share)
    # Rounding must not turn "almost all" into all, nor "hardly any" into none.
    if 99.9 < hundred < 100:
        return "> 99.9%"
    if 0 < hundred < 0.1:
        return "< 0.1%"
    # From 9.95 on, one decimal would be rounded to 10.0.
    whole = 9.95 <= hundred <= 99 or hundred in (0, 100)
    return f"{hundred:.0f}%" if whole else f"{hundred:.1f}%"


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

    >>> distinct_labels(["red_fish", "red_flag", "blue"], 6)
    ['re…ish', 're…lag', 'blue']
    """
    whole = [_one_line(value) for value in values]
    short = [label(value, length) for value in values]
    # Labels that start the same may end differently.
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


def certainty_words(explanation: ExplanationArrays, image: int) -> str:
    """For example ``answered (98%, asked for 95%)``; or why not."""
    if not explanation.answered[image]:
        return f"not answered: {unanswered_words(explanation, image)}"
    asked = percent(explanation.certainty_threshold) + on_average(explanation)
    return f"answered ({percent(explanation.certainty[image])}, asked for {asked})"


def on_average(explanation: ExplanationArrays) -> str:
    """Behind the certainty that was asked for: whether it is that of all answers together.

    Calibration stops where this share of all answers is right; the least certain answers are
    right less often.
    """
    return "" if explanation.stop_certainty is None else " on average"


def unanswered_words(explanation: ExplanationArrays, image: int) -> str:
    """Why an image is not answered, for people who know no tau; empty if it is answered."""
    if explanation.answered[image]:
        return ""
    one = explanation[image]
    said = [_WHY[reason](one) for reason in one.unanswered_reasons[0]]
    sets = one.prediction_sets
    if said and sets is not None and sets.sum() > 1:
        said.append(f"it could be {' or '.join(distinct_labels(one.classes[sets[0]]))}")
    return "; ".join(said)


def _why_uncertain(one: ExplanationArrays) -> str:
    asked = percent(one.certainty_threshold)
    if one.enough > 1:
        return f"never certain enough (no certainty was shown to be right {asked} of the time)"
    reached, enough = percent(one.highest_certainty[0]), percent(one.enough)
    if reached == enough:  # rounded; and yet it was not enough
        reached, enough = f"{one.highest_certainty[0]:.4%}", f"{one.enough:.4%}"
    needed = f"asked for {enough}"
    if one.stop_certainty is not None:
        needed = f"{enough} is needed to be right {asked} of the time"
    return f"never certain enough (at most {reached}, {needed})"


def _why_unfamiliar(one: ExplanationArrays) -> str:
    found, needed = one.familiarity[0], one.lowest_familiarity
    return (
        f"unlike what it learned from (familiarity {found:.3g}, at least {needed:.3g} needed)"
    )


def _why_class(one: ExplanationArrays) -> str:
    return "answers of this class are not known to be right often enough"


_WHY = {"unfamiliar": _why_unfamiliar, "uncertain": _why_uncertain, "class": _why_class}


def answer_facts(
    explanation: ExplanationArrays, truth: np.ndarray | None
) -> list[tuple[str, str]]:
    """Names and values: what is answered, and of that and of all, right and shown."""
    right = None if truth is None else explanation._right(truth)
    found = answer_figures(explanation.answered, explanation.kept_fraction, right)
    asked = f"≥ {percent(explanation.certainty_threshold)} certain{on_average(explanation)}"
    names = {
        "coverage": f"answered ({asked})",
        "selective_accuracy": "right, of the answered",
        "accuracy": "right, of all",
        "answered_kept_fraction": "pixels shown, of the answered",
        "kept_fraction": "pixels shown, of all",
    }
    return [(name, percent(found[key])) for key, name in names.items() if not isnan(found[key])]


def fill_words(fill: Fill) -> str:
    """What stands in the place of removed pixels."""
    if isinstance(fill, str):
        return "a blur of the kept pixels" if fill == "blur" else fill
    return f"a constant color ({', '.join(f'{v:.2f}' for v in fill)} of 1)"


def sparsity_words(explanation: ExplanationArrays, image: int) -> str:
    """What was asked for and what was kept, in regions and pixels."""
    n_kept = explanation.region_masks[image].sum()
    regions = f"{n_kept} of {explanation.n_regions[image]} regions"
    saw = percent(explanation.kept_fraction[image])
    tau = explanation.tau[image]
    # tau bounds nothing for certain: the paper's cut at probability one half may keep more,
    # and a continuous mask is not bounded by tau at all.
    if explanation.soft_region_masks is not None:
        return (
            f"saw {saw} of the pixels, dimmed by a continuous mask; those with the highest "
            f"scores within τ = {tau:.2f}: {regions}"
        )
    return (
        f"asked for at most {percent(tau)} of the pixels (τ = {tau:.2f}), kept {saw}: {regions}"
    )


def sharpness_words(size: tuple[int, int]) -> str:
    """How coarsely the classifier saw what is drawn sharper, for a size (h, w) of its copy."""
    height, width = size
    return f"drawn on the photograph; the classifier saw it at {width} × {height} pixels"
