"""How a training went, as pictures in the report: plain SVG, drawn without a script."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from numbers import Real
from typing import Any

from p2pselect.exceptions import InputError, brief
from p2pselect.explanations.figures._words import percent

_WIDTH, _HEIGHT = 460, 210
#: Room for the numbers of the vertical axis, the names of the curves, and the epochs.
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 140, 12, 30
#: Height that the name of a curve needs.
_LINE = 16


def learning_curves(history: Sequence[Mapping[str, Any]]) -> str:
    """A section with the losses, and with accuracy and kept share on held-out images.

    ``history`` has a row for each epoch; what it does not have is not drawn, and without
    anything to draw the section is empty.
    """
    if isinstance(history, str) or not all(isinstance(row, Mapping) for row in history):
        raise InputError(
            "history must be a list of one dict for each epoch, such as clf.history_, "
            f"got {brief(history)}"
        )
    losses = {"train_loss": "training", "valid_loss": "held out"}
    scores = {"valid_acc": "right answers", "valid_kept": "pixels shown"}
    charts = [
        _chart("Loss", history, losses, "{:.3g}".format, None),
        _chart("Held-out images", history, scores, percent, 1.0),
    ]
    drawn = "".join(chart for chart in charts if chart)
    if not drawn:
        return ""
    return f"""<section aria-labelledby="curves-title">
<h2 id="curves-title">How the training went</h2>
<div class="curves">{drawn}</div>
</section>"""


def _chart(
    title: str,
    history: Sequence[Mapping[str, Any]],
    names: Mapping[str, str],
    words: Callable[[float], str],
    top: float | None,
) -> str:
    """Curves over the epochs with their names at their ends; "" if there is nothing to draw."""
    curves = {
        name: [
            (epoch, row[key]) for epoch, row in enumerate(history, 1) if _is_number(row, key)
        ]
        for key, name in names.items()
    }
    curves = {name: points for name, points in curves.items() if points}
    if not curves:
        return ""
    highest = top or max(value for points in curves.values() for _, value in points)
    lowest = min(0.0, *(value for points in curves.values() for _, value in points))
    span = (highest - lowest) or 1.0

    def at(epoch: float, value: float) -> tuple[float, float]:
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * (epoch - 1) / max(1, len(history) - 1)
        y = _TOP + (_HEIGHT - _TOP - _BOTTOM) * (highest - value) / span
        return round(x, 1), round(y, 1)

    parts = [
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{words(value)}</text>'
        for value in (lowest, lowest + span / 2, highest)
        for _, y in [at(1, value)]
    ]
    for epoch in sorted({1, len(history)}):
        x, _ = at(epoch, lowest)
        parts.append(f'<text x="{x}" y="{_HEIGHT - 10}" text-anchor="middle">{epoch}</text>')
    middle, _ = at((1 + len(history)) / 2, lowest)
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 10}" text-anchor="middle">epoch</text>')
    # Names one below another, in the order of the ends of their curves.
    ends = sorted(curves.items(), key=lambda curve: -curve[1][-1][1])
    before = -math.inf
    for name, points in ends:
        number = list(curves).index(name) + 1
        places = [at(*point) for point in points]
        line = " ".join(f"{x},{y}" for x, y in places)
        x, y = places[-1]
        before = max(y, before + _LINE)
        parts.append(f'<polyline class="curve curve-{number}" points="{line}"/>')
        parts.append(f'<circle class="end-{number}" cx="{x}" cy="{y}" r="3"/>')
        parts.append(
            f'<text class="name-{number}" x="{_WIDTH - _RIGHT + 8}" y="{before + 4}">'
            f"{name} {escape(words(points[-1][1]))}</text>"
        )
    said = ", ".join(f"{name} {words(points[-1][1])}" for name, points in curves.items())
    label = escape(f"{title} after {len(history)} epochs: {said}")
    return (
        f'<figure><figcaption>{title}</figcaption><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'role="img" aria-label="{label}">{"".join(parts)}</svg></figure>'
    )


def _is_number(row: Mapping[str, Any], key: str) -> bool:
    value = row.get(key)
    # Infinite in epochs that only prepare for the last phase.
    return isinstance(value, Real) and math.isfinite(value)
