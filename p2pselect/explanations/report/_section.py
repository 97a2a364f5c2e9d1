"""The report's table of what the classifier looks at, class by class."""

from __future__ import annotations

import math
from html import escape
from typing import Any

import numpy as np

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.explanations._summary import explanation_summary
from p2pselect.explanations.figures._pixels import CROP_SIDE
from p2pselect.explanations.figures._words import percent
from p2pselect.explanations.report._payload import image_uri

_MOST_CLASSES = 50


def summary_section(
    exp: ExplanationArrays, y: np.ndarray | None, object_masks: Any = None
) -> str:
    """A section with one row per predicted class: figures and typical regions.

    Parameters
    ----------
    exp : Explanation
    y : ndarray of shape (n,), optional
    object_masks : array-like of shape (n, h, w), optional

    Returns
    -------
    str
        HTML, everything that comes from outside escaped.
    """
    rows = explanation_summary(exp, y, object_masks)
    n_classes = len(rows)
    rows = sorted((row for row in rows if row["n_images"]), key=lambda row: -row["n_images"])
    left_out = [
        f"{n_left:,} {what}"
        for n_left, what in (
            (len(rows[_MOST_CLASSES:]), "classes that are predicted less often"),
            (n_classes - len(rows), "classes that are never predicted"),
        )
        if n_left
    ]
    limit = f" Left out: {' and '.join(left_out)}." if left_out else ""
    rows = rows[:_MOST_CLASSES]
    columns = [("n_images", "images"), ("right", "right"), ("certain", "certain")]
    columns += [("kept_fraction", "pixels shown"), ("outside", "outside the object")]
    columns = [
        (key, name)
        for key, name in columns
        if key == "n_images" or not math.isnan(rows[0][key])
    ]
    head = "".join(f'<th scope="col" class="number">{name}</th>' for _, name in columns)
    body = "".join(_row(row, columns) for row in rows)
    return f"""<section aria-labelledby="summary-title">
<h2 id="summary-title">What it looks at, class by class</h2>
<div class="scroll"><table>
<caption>For the images of each predicted class. Typical regions: the kinds of regions that
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
    mostly = key == "outside" and row[key] > 0.5
    return f'<span class="wrong">⚠ {percent(row[key])}</span>' if mostly else percent(row[key])


def _kind(kind: dict[str, Any]) -> str:
    words = percent(kind["share"])
    if not math.isnan(kind["outside"]) and kind["outside"] > 0.5:
        words += ', <span class="wrong">not the object</span>'
    crops = "".join(
        f'<img src="{image_uri(crop, small_exact=False)}" alt="example region" '
        f'width="{CROP_SIDE}" height="{CROP_SIDE}">'
        for crop in kind["crops"]
    )
    return f'<span class="cluster">{crops}<br>{words}</span>'
