"""How an explanation shows itself in a notebook: pictures in plain HTML, without scripts."""

from __future__ import annotations

from html import escape

import numpy as np

from p2pselect._docstrings import shared_docs
from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.explanations.figures._photographs import (
    Photograph,
    photograph,
    seen,
    warn_of_lost,
)
from p2pselect.explanations.figures._words import (
    certainty_words,
    label,
    percent,
    sharpness_words,
    sparsity_words,
)
from p2pselect.explanations.report._payload import image_uri

_MOST_PAIRS = 6
_SIDE = 144


@shared_docs
def repr_html(explanation: ExplanationArrays) -> str:
    """Return HTML for a notebook: one image with its words, or the first few of a batch.

    Parameters
    ----------
    %(explanation)s

    Returns
    -------
    str
        HTML without scripts and outside references; labels are escaped.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> repr_html(example_explanation(n_images=1).explanation).count("<img")
    2
    """
    n = len(explanation)
    # Twice as many pixels as the size at which they are shown, for screens that have them.
    side = 2 * _SIDE if n == 1 else _SIDE
    pictures = [photograph(explanation, i, 2 * side) for i in range(min(_MOST_PAIRS, n))]
    warn_of_lost(picture.lost for picture in pictures)
    pairs = "".join(
        _pair(explanation[i], picture, side, n == 1) for i, picture in enumerate(pictures)
    )
    more = f" The first {_MOST_PAIRS}:" if n > _MOST_PAIRS else ""
    head = "" if n == 1 else f"<p><code>{escape(repr(explanation))}</code>{more}</p>"
    return f'<div>{head}<div style="display:flex;flex-wrap:wrap;gap:14px">{pairs}</div></div>'


def _pair(one: ExplanationArrays, picture: Photograph, side: int, alone: bool) -> str:
    """The image and what the classifier saw of it, with a caption."""
    answer = f"<strong>{escape(label(one.predicted_names[0]))}</strong>"
    if alone:
        words = (
            f"{answer}, {escape(certainty_words(one, 0))}<br>{escape(sparsity_words(one, 0))}"
        )
        if picture.is_sharp:
            words += f"<br>{sharpness_words(picture.content.size)}"
    else:
        unsure = "" if one.answered[0] else ", not answered"
        words = f"{answer}, {percent(one.certainty[0])}{unsure}"
        words += f"<br>saw {percent(one.kept_fraction[0])}"
    pictures = _picture(picture.pixels, "the image", side)
    pictures += _picture(seen(one, picture), "what the classifier saw", side)
    return (
        '<figure style="margin:0"><div style="display:flex;gap:4px">'
        f'{pictures}</div><figcaption style="font-size:90%">{words}</figcaption></figure>'
    )


def _picture(picture: np.ndarray, alt: str, side: int) -> str:
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    return (
        f'<img src="{image_uri(picture)}" alt="{alt}" width="{round(scale * width)}" '
        f'height="{round(scale * height)}">'
    )
