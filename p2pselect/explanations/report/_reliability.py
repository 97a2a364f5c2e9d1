"""Whether the certainty can be trusted, in words and as a picture drawn without a script."""

from __future__ import annotations

import numpy as np

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.explanations.figures._reliability_display import range_of_perfect, reliability
from p2pselect.explanations.figures._words import percent

_SIDE = 220
#: Room for the names of the axes.
_LEFT, _TOP, _BOTTOM, _RIGHT = 62, 14, 44, 24


def reliability_section(explanation: ExplanationArrays, truth: np.ndarray | None) -> str:
    """A section with the share of right predictions by certainty; "" without true labels."""
    if truth is None:
        return ""
    curve, error, floor = reliability(explanation, truth)

    def at(certainty: float, share: float) -> tuple[float, float]:
        x, y = _LEFT + _SIDE * certainty, _TOP + _SIDE * (1 - share)
        return round(float(x), 1), round(float(y), 1)

    parts = []
    for value in (0.0, 0.5, 1.0):
        (x, y), (right, _) = at(0, value), at(1, value)
        parts.append(f'<line class="grid" x1="{x}" x2="{right}" y1="{y}" y2="{y}"/>')
        words = percent(value)
        parts.append(f'<text x="{x - 6}" y="{y + 4}" text-anchor="end">{words}</text>')
        x, y = at(value, 0)
        parts.append(f'<text x="{x}" y="{y + 18}" text-anchor="middle">{words}</text>')
    (x, y), (right, top) = at(0, 0), at(1, 1)
    parts.append(f'<line class="diagonal" x1="{x}" x2="{right}" y1="{y}" y2="{top}"/>')
    for certainty, low, high in zip(curve.certainty, *range_of_perfect(curve), strict=True):
        (x, bottom), (_, top) = at(certainty, low), at(certainty, high)
        parts.append(f'<line class="range" x1="{x}" x2="{x}" y1="{bottom}" y2="{top}"/>')
    for certainty, share, n in zip(*curve, strict=True):
        x, y = at(certainty, share)
        words = f"{n:,} images, {percent(certainty)} certain: {percent(share)} right"
        parts.append(f'<circle class="end-1" cx="{x}" cy="{y}" r="5"><title>{words}</title>')
        parts.append("</circle>")
    x, y = at(0.5, 0)
    parts.append(f'<text x="{x}" y="{y + 36}" text-anchor="middle">certainty</text>')
    x, y = at(0, 0.5)
    turned = f'transform="translate({x - 48} {y}) rotate(-90)"'
    parts.append(f'<text {turned} text-anchor="middle">right</text>')
    rows = "".join(
        f'<tr><td class="number" data-name="certainty">{percent(certainty)}</td>'
        f'<td class="number" data-name="right">{percent(share)}</td>'
        f'<td class="number" data-name="images">{n:,}</td></tr>'
        for certainty, share, n in reversed([*zip(*curve, strict=True)])
    )
    width, height = _LEFT + _SIDE + _RIGHT, _TOP + _SIDE + _BOTTOM
    label = f"Share of right predictions by certainty; calibration error {percent(error)}"
    return f"""<section aria-labelledby="reliability-title">
<h2 id="reliability-title">What the certainty is worth</h2>
<p class="lead">Right predictions among images of about the same certainty. On the line,
certainty means what it says; below it, the model promises too much. The calibration error, the
mean distance from the line, is <strong>{percent(error)}</strong>. Of a perfectly calibrated
model it would be <strong>{percent(floor)}</strong> on as many images; nine in ten such models
lie within the gray bars.</p>
<div class="curves reliability"><figure><svg viewBox="0 0 {width} {height}" role="img"
aria-label="{label}">{"".join(parts)}</svg></figure>
<table><thead><tr><th scope="col" class="number">certainty</th>
<th scope="col" class="number">right</th><th scope="col" class="number">images</th></tr></thead>
<tbody>{rows}</tbody></table></div>
</section>"""
