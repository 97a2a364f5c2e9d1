"""What an audit of the model has found, in words for people who know no audits, and a table."""

from __future__ import annotations

from html import escape
from typing import Any

from p2pselect._model_card import findings
from p2pselect.explanations.figures._words import percent

_MEANING = {
    "evidence is in the pixels": "The judge reads what this model shows about as well as the "
    "model itself does. So the answers can be had from the regions that are shown, and need no "
    "hidden message in the choice of the regions. Whether these regions are a "
    "<em>good</em> reason is for you to see.",
    "the mask encodes": "The judge reads what this model shows worse than the model itself "
    "does, although it is able to read such images. So <em>which</em> regions are shown tells "
    "the model more than there is to see in them: <strong>the pictures on this page do not "
    "show the reasons for its answers</strong>.",
    "cannot tell": "This audit neither clears the model nor convicts it. Do not take the "
    "pictures on this page for reasons until another one has.",
}
#: Rows by the name that they have in the audit, in the order of the page.
_ROWS = {
    "model": "the model",
    "judge": "the judge, same regions",
    "gap": "the model minus the judge, in points",
    "judge: objects": "the judge, regions of the object",
    "judge: contiguous": "the judge, random regions in one piece",
    "judge: scattered": "the judge, scattered random regions",
    "judge: central": "the judge, regions in the middle",
    "outline": "the outline of the regions alone",
    "retrained": "a new classifier, learned without these regions",
    "retrained: contiguous": "one without as much in one piece",
    "retrained: scattered": "one without as many scattered regions",
    "model: worst group": "the model, worst group of images",
    "judge: worst group": "the judge, worst group of images",
}
_LEVELS = {"stop": "its own regions", "whole": "whole image"}


def audit_verdict(audit: Any) -> str:
    """The verdict of an audit as one of the facts at the top of the page."""
    return str(findings(audit)["verdict"])


def audit_section(audit: Any) -> str:
    """A section with the verdict of an audit and what it rests on."""
    found = audit.to_dict()
    levels = [_LEVELS.get(name) or percent(float(name)) for name in found["levels"]]
    head = "".join(f'<th scope="col" class="number">{name}</th>' for name in levels)
    body = "".join(
        _row(name, levels, found["rows"][row], signed=row == "gap")
        for row, name in _ROWS.items()
        if row in found["rows"]
    )
    reasons = escape(" ".join(found["reasons"]))
    averaged = "" if found["n_labels"] is None else ", averaged over all labels,"
    return f"""<section aria-labelledby="audit-title">
<h2 id="audit-title">Is what is shown the reason? An audit: {escape(found["verdict"])}</h2>
<p class="lead">A model that chooses what it shows could hide the answer in the choice, as two
people do who have agreed on a code. A second classifier, the <strong>judge</strong>, has
learned from random parts of images and knows no code; it was shown what the model shows of
{found["n_images"]:,} images that neither has learned from. {_MEANING[found["verdict"]]}</p>
<p class="lead">{reasons}{_shortcut(found["rows"])}</p>
<div class="scroll"><table class="audit">
<caption>Right answers{averaged} when at most this share of each image is shown, and below them
the 95 % intervals, which say how much they could differ on other images.</caption>
<thead><tr><th scope="col">who reads what</th>{head}</tr></thead>
<tbody>{body}</tbody>
</table></div>
</section>"""


def _shortcut(rows: dict[str, dict[str, list[Any]]]) -> str:
    """How much of its own regions is outside the object, beside what chance would show."""
    if "shown outside" not in rows:
        return ""
    *_, own, whole = rows["shown outside"]["value"]
    # A method without regions of its own, or images without objects.
    if own is None or whole is None:
        return ""
    central = rows["shown outside: central"]["value"][-2]
    return (
        f" Of the regions that the model shows, {percent(own)} of the area lies outside the "
        f"objects; regions at random would have {percent(whole)} outside, and as much in the "
        f"middle of the image {percent(central)}."
    )


def _row(name: str, levels: list[str], row: dict[str, list[Any]], signed: bool) -> str:
    words = _points if signed else percent
    cells = []
    for level, value, low, high in zip(
        levels, row["value"], row["low"], row["high"], strict=True
    ):
        # An interval is missing only where the value is.
        text = (
            "–"
            if value is None
            else f"{words(value)}<br><small>{words(low)} to {words(high)}</small>"
        )
        cells.append(f'<td class="number" data-name="{level}">{text}</td>')
    return f'<tr><th scope="row">{name}</th>{"".join(cells)}</tr>'


def _points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{100 * difference:+.1f}".replace("-", "\u2212")
