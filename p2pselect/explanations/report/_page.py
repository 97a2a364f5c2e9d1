"""The interactive report: one file that works offline and sends nothing anywhere."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from p2pselect._docstrings import shared_docs
from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.atomic_write import atomic_open, check_writable_file
from p2pselect.exceptions import InputError
from p2pselect.explanations._summary import explanation_summary
from p2pselect.explanations.figures._display import number_labels
from p2pselect.explanations.figures._photographs import LONGEST, photograph, warn_of_lost
from p2pselect.explanations.figures._words import answer_facts, on_average, percent
from p2pselect.explanations.report._audit import audit_section, audit_verdict
from p2pselect.explanations.report._confusion import confusion_section
from p2pselect.explanations.report._curves import learning_curves
from p2pselect.explanations.report._lead import lead
from p2pselect.explanations.report._payload import (
    card_payload,
    detail_payload,
    image_uri,
    packed,
)
from p2pselect.explanations.report._reliability import reliability_section
from p2pselect.explanations.report._template import fact_list, whole_page
from p2pselect.metrics._explained import check_true_labels

_MOST_CLASSES = 50
_MOST_SHARP = 500
_SHOWN_CROP = 64


@shared_docs
def write_html(
    explanation: ExplanationArrays,
    path: str | os.PathLike[str],
    y: Any = None,
    *,
    title: str = "What the classifier saw",
    names: Sequence[str] | None = None,
    max_images: int = 200,
    max_side: int | None = None,
    object_masks: np.ndarray | None = None,
    history: Sequence[Mapping[str, Any]] | None = None,
    audit: Any = None,
) -> None:
    """Write a self-contained interactive page about an explanation.

    The page has a gallery that can be filtered and sorted.  If the true labels are known, each
    number of a confusion matrix shows its images.  Every image opens beside what the classifier
    saw of it, with a slider over ``tau`` along which the regions light up in the order in which
    they are chosen.  A table says what the classifier looks at, class by class.

    The images are photographs as they were given, where they can still be read: sharper than
    the classifier saw them, which the page says, and shows on request.  An explanation that was
    loaded has only the model's copies.

    Parameters
    ----------
    %(explanation)s
    path : path-like
        File to write; replaced in one step, so that nobody ever sees half a page.
    y : array-like of shape (n,), optional
        True labels; if they are given, right and wrong answers are told apart.
    title : str, default="What the classifier saw"
        Title of the page.
    names : sequence of n str, optional
        What to call the images, for example their file names.
    max_images : int, default=200
        If there are more images, this many are shown: all wrong predictions (however many
        there are, if `y` is given), then those that are not answered, then others, the last
        two evenly spaced where there are too many.  The page says what it leaves out; the
        figures at the top and the table count all images.
    max_side : int, optional
        Length in pixels of the longer side of the photographs on the page; smaller ones are not
        enlarged.  By default 512, or less where the page has more than 500 images, so that
        2,000 of them stay below about 40 MB.
    %(optional_object_masks)s
    history : list of dict, optional
        How the model was trained, epoch by epoch: ``clf.history_``, or what
        ``p2pselect fit --json`` has written.  Its losses, and accuracy and kept share on
        held-out images (``valid_acc``, ``valid_kept``), are drawn as curves.
    audit : Audit, optional
        What :func:`p2pselect.audit` has found of the model: its verdict, what that means, and
        the accuracies behind it with their intervals.

    Raises
    ------
    InputError
        If there are no images, or `y`, `names` or `object_masks` do not fit them, or an option
        is out of its range or of another kind.

    Notes
    -----
    The page makes no requests: pictures and data are part of the file, and its content
    security policy forbids everything except its own script.  Labels and names are data
    to that script, never markup.

    Examples
    --------
    >>> import tempfile
    >>> from p2pselect.explanations import example_explanation
    >>> example = example_explanation(n_images=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_html(example.explanation, f"{folder}/report.html", example.y)
    """
    # Before the work, which would be lost if the file could not be written.
    check_writable_file(path)
    truth = None if y is None else check_true_labels(explanation, y)
    if not len(explanation):
        raise InputError("a report needs at least one image, the explanation has none")
    if names is not None and len(names) != len(explanation):
        raise InputError(f"names must have {len(explanation)} entries, got {len(names)}")
    if max_images < 1:
        raise InputError(f"max_images must be at least 1, got {max_images}")
    if max_side is not None and max_side < 1:
        raise InputError(f"max_side must be at least 1, got {max_side}")
    verdict = None if audit is None else audit_verdict(audit)
    chosen, sample = _choose(explanation, truth, max_images)
    if max_side is None:
        # As many pixels in all as _MOST_SHARP images of the usual size have.
        max_side = round(LONGEST * min(1.0, (_MOST_SHARP / len(chosen)) ** 0.5))
    data = {**_data(explanation, truth, names, chosen, max_side), "sample": sample}
    page = whole_page(
        title,
        data,
        LEAD=lead(explanation, any(item["sharp"] for item in data["images"])),
        FACTS=_facts(explanation, truth, verdict),
        CONFUSION=confusion_section(explanation, truth, sample),
        AUDIT="" if audit is None else audit_section(audit),
        CURVES="" if history is None else learning_curves(history),
        SUMMARY=class_table(explanation, truth, object_masks),
        RELIABILITY=reliability_section(explanation, truth),
        FOOT=_footer(sample),
    )
    # File names may contain bytes that are not text; those are shown as "?".
    with atomic_open(path, errors="replace") as file:
        file.write(page)


def _choose(
    explanation: ExplanationArrays, truth: np.ndarray | None, max_images: int
) -> tuple[np.ndarray, str]:
    """Which images the page shows, in their order, and which ones those are, in words."""
    n = len(explanation)
    if n <= max_images:
        return np.arange(n), ""
    is_wrong = np.zeros(n, bool) if truth is None else ~explanation._right(truth)
    answered = explanation.answered
    if truth is None:
        names = ("", "images that are not answered", "answered images")
    else:
        names = ("wrong predictions", "right ones that are not answered", "right answers")
    kinds = (is_wrong, ~is_wrong & ~answered, ~is_wrong & answered)
    room = max(max_images, int(is_wrong.sum()))
    chosen, words = [], []
    for name, kind in zip(names, kinds, strict=True):
        rows = np.flatnonzero(kind)
        count = min(room, len(rows))
        room -= count
        chosen.append(rows[np.linspace(0, len(rows) - 1, count).round().astype(int)])
        if len(rows) == count > 0:
            words.append(f"all {count:,} {name}")
        elif count:
            words.append(f"{count:,} of {len(rows):,} {name} (evenly spaced)")
        elif len(rows):
            words.append(f"none of {len(rows):,} {name}")
    said = ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else words[0]
    return np.sort(np.concatenate(chosen)), said


def _data(
    explanation: ExplanationArrays,
    truth: np.ndarray | None,
    names: Sequence[str] | None,
    chosen: np.ndarray,
    max_side: int,
) -> dict[str, Any]:
    labels, codes = number_labels(explanation, truth)
    images, lost = [], []
    for i in chosen.tolist():
        # An explanation of this image alone, because it computes everything for all its images.
        one = explanation[i]
        picture = photograph(one, 0, max_side)
        lost.append(picture.lost)
        item = {
            **card_payload(one, picture),
            "src": image_uri(picture.pixels),
            "packed": packed(detail_payload(one, picture)),
            "name": f"Image {i}" if names is None else str(names[i]),
            "number": i,
        }
        if truth is not None:
            item["truth"] = codes[i]
        images.append(item)
    warn_of_lost(lost)
    own = {"named": names is not None, "images": images}
    return {**of_all_images(explanation, labels, truth is not None), **own}


def of_all_images(
    explanation: ExplanationArrays, labels: Sequence[Any], has_truth: bool
) -> dict[str, Any]:
    """What the script of a page needs to know beside its images."""
    asked = float(explanation.certainty_threshold)
    return {
        "threshold": asked,
        "onAverage": on_average(explanation),
        # What the classifier said at the steps of a search has this scale.
        "enough": min(explanation.enough, 1),
        "labels": [str(value) for value in labels],
        "classes": len(explanation.classes),
        "multilabel": explanation.multilabel,
        "hasTruth": has_truth,
    }


def _facts(
    explanation: ExplanationArrays, truth: np.ndarray | None, verdict: str | None
) -> str:
    facts = [("images", f"{len(explanation):,}"), *answer_facts(explanation, truth)]
    if not (some := explanation.region_masks.any(axis=1)).all():
        facts.append(("images of which nothing is shown", f"{(~some).sum():,}"))
    if explanation.n_masks_seen:
        facts.append(("masks that it was taught by", f"{explanation.n_masks_seen:,}"))
    if verdict is not None:
        facts.append(("audit", verdict))
    return fact_list(facts)


def _footer(sample: str) -> str:
    part = f"Shown: {sample}. " if sample else ""
    return f"{part}Made with p2pselect. This file works offline and sends nothing anywhere."


def class_table(
    explanation: ExplanationArrays, y: np.ndarray | None, object_masks: Any = None
) -> str:
    """A section with one row per predicted class, everything from outside escaped."""
    summary = explanation_summary(explanation, y, object_masks)
    predicted = sorted((r for r in summary if r["n_images"]), key=lambda r: -r["n_images"])
    rows = predicted[:_MOST_CLASSES]
    one, many = "label" if explanation.multilabel else "class", explanation._kind.called
    left_out = [
        f"{count:,} {f'{one} that is' if count == 1 else f'{many} that are'} {what}"
        for count, what in (
            (len(predicted) - len(rows), "predicted less often"),
            (len(summary) - len(predicted), "never predicted"),
        )
        if count
    ]
    limit = f" Left out: {' and '.join(left_out)}." if left_out else ""
    if explanation.n_masks_seen and object_masks is not None:
        limit += (
            f" The masks of {explanation.n_masks_seen:,} images have taught the model where "
            "the evidence is: what lies outside the object says how well it has learned them."
        )
    columns = [
        ("n_images", "images"),
        ("right", "right"),
        ("answered", "answered"),
        ("answered_right", "right, if answered"),
        ("answered_kept_fraction", "shown, if answered"),
        ("kept_fraction", "shown"),
        ("outside", "outside the object"),
    ]
    columns = [
        (key, name)
        for key, name in columns
        if key == "n_images" or not all(math.isnan(row[key]) for row in rows)
    ]
    head = "".join(f'<th scope="col" class="number">{name}</th>' for _, name in columns)
    body = "".join(_row(row, columns) for row in rows)
    return f"""<section aria-labelledby="summary-title">
<h2 id="summary-title">What it looks at, {one} by {one}</h2>
<div class="scroll"><table>
<caption>For the images of each predicted {one}. Typical regions: the kinds of regions that
make up most of what was shown, with their share of it and examples.{limit}</caption>
<thead><tr><th scope="col">predicted</th>{head}<th scope="col">typical regions</th></tr></thead>
<tbody>{body}</tbody>
</table></div>
</section>"""


def _row(row: dict[str, Any], columns: list[tuple[str, str]]) -> str:
    cells = "".join(
        f'<td class="number" data-name="{name}">{_cell(row, key)}</td>' for key, name in columns
    )
    kinds = "".join(_kind(kind) for kind in row["typical_regions"])
    name = escape(str(row["class"]))
    return f'<tr><th scope="row">{name}</th>{cells}<td class="crops">{kinds}</td></tr>'


def _cell(row: dict[str, Any], key: str) -> str:
    if key == "n_images":
        return f"{row[key]:,}"
    if math.isnan(row[key]):  # a class of which nothing is shown has no share of it
        return "–"
    mostly = key == "outside" and row[key] > 0.5
    return f'<span class="wrong">⚠ {percent(row[key])}</span>' if mostly else percent(row[key])


def _kind(kind: dict[str, Any]) -> str:
    words = percent(kind["share"])
    if not math.isnan(kind["outside"]) and kind["outside"] > 0.5:
        words += ', <span class="wrong">not the object</span>'
    # Shown at their own size, at which nobody sees the blocks of JPEG.
    crops = "".join(
        f'<img src="{image_uri(crop, small_exact=False)}" alt="example region" '
        f'width="{_SHOWN_CROP}" height="{_SHOWN_CROP}">'
        for crop in kind["crops"]
    )
    return f'<span class="cluster">{crops}<br>{words}</span>'
