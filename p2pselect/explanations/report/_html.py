"""The interactive report: one file that works offline and asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Sequence
from html import escape
from importlib import resources
from typing import Any

import numpy as np

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.atomic_write import atomic_open, check_writable_file
from p2pselect.exceptions import InputError
from p2pselect.explanations.figures._display import check_truth
from p2pselect.explanations.figures._words import percent
from p2pselect.explanations.report._payload import image_payload
from p2pselect.explanations.report._section import summary_section

_LEAD = (
    "Each pair shows an image and, beside it, <strong>all that the classifier saw of it"
    "</strong>: everything black was removed before it looked, so nothing there can have "
    "influenced the answer."
)
_LEAD_OF_SOFT_MASKS = (
    "Each pair shows an image and, beside it, <strong>what the classifier saw of it</strong>: "
    "this method shows every region at a brightness of its own, and only what is fully black "
    "cannot have influenced the answer."
)
_SCRIPTS = ("picture.js", "gallery.js", "detail.js")


def write_html(
    exp: ExplanationArrays,
    path: str | os.PathLike[str],
    y: Any = None,
    *,
    title: str = "What the classifier saw",
    names: Sequence[str] | None = None,
    max_images: int = 200,
    object_masks: np.ndarray | None = None,
) -> None:
    """Write a self-contained interactive page about an explanation.

    A gallery that can be filtered and sorted; every image opens beside what the
    classifier saw of it, with a slider over ``tau`` along which the regions light up in
    the order in which they are chosen; and a table of what is looked at, class by class.

    Parameters
    ----------
    exp : Explanation
    path : path-like
        File to write; replaced in one step, so that no half-written page is ever seen.
    y : array-like of shape (n,), optional
        True labels; right and wrong answers are then told apart.
    title : str, default="What the classifier saw"
    names : sequence of n str, optional
        What to call the images, for example their file names.
    max_images : int, default=200
        Of more images, this many are shown: all wrong answers, where ``y`` tells which those
        are and however many there are, and evenly spaced others.  The page says what it
        leaves out; the figures at the top and the table count all images.
    object_masks : ndarray of shape (n, h, w), bool, optional
        Where the object is: the table then says how much was looked at outside.

    Raises
    ------
    InputError
        If there is no image, or ``y``, ``names`` or ``object_masks`` do not fit.

    Notes
    -----
    The page makes no request: pictures and data are part of the file, and its content
    security policy forbids everything except its own script.  Labels and names are data
    to that script, never markup.

    Examples
    --------
    >>> import tempfile
    >>> from p2pselect.explanations import example_explanation
    >>> made = example_explanation(n_images=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_html(made.explanation, f"{folder}/report.html", made.y)
    """
    check_writable_file(path)
    truth = None if y is None else check_truth(exp, y)
    if not len(exp):
        raise InputError("a report needs at least one image, the explanation has none")
    if names is not None and len(names) != len(exp):
        raise InputError(f"names must have {len(exp)} entries, got {len(names)}")
    if max_images < 1:
        raise InputError(f"max_images must be at least 1, got {max_images}")
    chosen, sample = _choose(exp, truth, max_images)
    script = "".join(_resource(name) for name in _SCRIPTS)
    style = _resource("page.css")
    page = _fill(
        _resource("page.html"),
        POLICY=_policy(script, style),
        TITLE=escape(title),
        STYLE=style,
        SCRIPT=script,
        LEAD=_LEAD if exp.soft_region_masks is None else _LEAD_OF_SOFT_MASKS,
        FACTS=_facts(exp, truth),
        SUMMARY=summary_section(exp, truth, object_masks),
        FOOT=_foot(sample),
        DATA=_script_json({**_data(exp, truth, names, chosen), "sample": sample}),
    )
    # Names of files may hold bytes that are not text; those are shown as "?".
    with atomic_open(path, errors="replace") as file:
        file.write(page)


def _choose(
    exp: ExplanationArrays, truth: np.ndarray | None, max_images: int
) -> tuple[np.ndarray, str]:
    """Which images the page shows, in their order, and which ones those are, in words."""
    n = len(exp)
    if n <= max_images:
        return np.arange(n), ""
    is_wrong = np.zeros(n, bool) if truth is None else exp.predicted != truth
    wrong, others = np.flatnonzero(is_wrong), np.flatnonzero(~is_wrong)
    count = min(max(0, max_images - len(wrong)), len(others))
    spaced = others[np.linspace(0, len(others) - 1, count).round().astype(int)]
    kind = f"{count:,} of {len(others):,} {{}}, evenly spaced"
    if truth is None:
        words = kind.format("images")
    else:
        words = f"all {len(wrong):,} wrong answers and {kind.format('right ones')}"
    return np.union1d(wrong, spaced), words


def _data(
    exp: ExplanationArrays,
    truth: np.ndarray | None,
    names: Sequence[str] | None,
    chosen: np.ndarray,
) -> dict[str, Any]:
    labels = exp.classes.tolist()
    if truth is not None:
        # Labels that the model does not know are listed behind those that it does.
        labels += [value for value in np.unique(truth).tolist() if value not in labels]
    place = {value: i for i, value in enumerate(labels)}
    codes = None if truth is None else [place[value] for value in truth.tolist()]
    images = []
    for i in chosen.tolist():
        item = image_payload(exp, i)
        item["name"] = f"Image {i}" if names is None else str(names[i])
        if codes is not None:
            item["truth"] = codes[i]
        images.append(item)
    return {
        "height": exp.regions.shape[1],
        "width": exp.regions.shape[2],
        "threshold": float(exp.certainty_threshold),
        "labels": [str(value) for value in labels],
        "classes": len(exp.classes),
        "hasTruth": truth is not None,
        "named": names is not None,
        "images": images,
    }


def _facts(exp: ExplanationArrays, truth: np.ndarray | None) -> str:
    facts = [("images", f"{len(exp):,}")]
    if truth is not None:
        facts.append(("right answers", percent(np.mean(exp.predicted == truth))))
    facts += [
        (
            f"certain (≥ {percent(exp.certainty_threshold)})",
            percent(exp.certainty_reached.mean()),
        ),
        ("pixels shown, on average", percent(exp.kept_fraction.mean())),
    ]
    if not (some := exp.region_masks.any(axis=1)).all():
        facts.append(("images of which nothing is shown", f"{(~some).sum():,}"))
    return "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)


def _foot(sample: str) -> str:
    part = f"Shown: {sample}. " if sample else ""
    return f"{part}Made with p2pselect. This file works offline and sends nothing anywhere."


def _resource(name: str) -> str:
    return (resources.files("p2pselect.explanations.report") / name).read_text(encoding="utf-8")


def _policy(script: str, style: str) -> str:
    """Allow exactly the script and the style of this file, and pictures that are in it."""
    code, look = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (script, style)
    )
    return (
        f"default-src 'none'; img-src data:; script-src 'sha256-{code}'; "
        f"style-src 'sha256-{look}'; base-uri 'none'; form-action 'none'"
    )


def _script_json(data: Any) -> str:
    """JSON that cannot end the script element that holds it."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _fill(template: str, **parts: str) -> str:
    # In one pass, so that a placeholder inside inserted text stays text.
    return re.sub(r"<!--([A-Z]+)-->", lambda found: parts[found[1]], template)
