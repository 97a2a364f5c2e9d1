"""What was said about the images of every class: numbers that filter the images of a page."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.explanations.figures._display import number_labels
from p2pselect.explanations.figures._words import percent

#: As many columns fit onto a page; with more classes, a row lists what was said instead.
_MOST_COLUMNS = 12
_SHADES = 4
#: Whether images have a label, and whether it was said.
_OUTCOMES = {
    ("1", "1"): "have it, named",
    ("1", "0"): "have it, not named",
    ("0", "1"): "do not have it, named",
    ("0", "0"): "do not have it, not named",
}

#: How often each answer was given, by what is true.
_Counts = dict[Any, Counter[Any]]


def confusion_section(
    explanation: ExplanationArrays, truth: np.ndarray | None, sample: str = ""
) -> str:
    """A section with a confusion matrix; "" without true labels.

    ``sample`` says which images the page has, if they are not all of those that are counted.
    """
    if truth is None:
        return ""
    labels, codes = number_labels(explanation, truth)
    names = [escape(str(name)) for name in labels]
    kind = explanation._kind
    pairs = list(zip(codes, kind.codes(kind.answers(explanation.proba)), strict=True))
    title = "Which classes it confuses"
    row = "images of one class, and what they were taken for"
    if explanation.multilabel:
        title, row = "Which labels it misses", "images that have a label, or do not"
        table = _of_labels(names, pairs)
    elif len({code for pair in pairs for code in pair}) <= _MOST_COLUMNS:
        table = _of_few_classes(names, _counts(pairs))
    else:
        table = _of_many_classes(names, _counts(pairs))
    part = f" All {len(pairs):,} images are counted; the page has {sample}." if sample else ""
    return f"""<section id="confusion" aria-labelledby="confusion-title">
<h2 id="confusion-title">{title}</h2>
<a class="skip" href="#images">Skip to the images</a>
<div class="scroll"><table>
<caption>In each row, {row}. <span class="on-screen">Choose a number to see only these
images.</span>{part}</caption>
{table}
</table></div>
</section>"""


def _counts(pairs: Iterable[tuple[Any, Any]]) -> _Counts:
    counts: _Counts = defaultdict(Counter)
    for true, said in pairs:
        counts[true][said] += 1
    return counts


def _of_few_classes(names: Sequence[str], counts: _Counts) -> str:
    """A matrix, with a row and a column for each class that occurs."""
    used = sorted(counts.keys() | {said for answers in counts.values() for said in answers})
    rows = [
        _head_of_row(names, true, counts[true])
        + "".join(_cell(names[said], _class(names, true, said, counts[true])) for said in used)
        for true in used
    ]
    return _table("is", ["right", *(names[said] for said in used)], rows)


def _of_many_classes(names: Sequence[str], counts: _Counts) -> str:
    """A row for each class that has images, those with most errors first."""
    rows = []
    wrong = {true: answers.total() - answers[true] for true, answers in counts.items()}
    for true in sorted(counts, key=lambda true: (-wrong[true], true)):
        answers = counts[true]
        # What is right first, and of the others the most frequent.
        order = sorted(answers, key=lambda said: (said != true, -answers[said]))
        listed = " ".join(_class(names, true, said, answers, named=True) for said in order)
        rows.append(f'{_head_of_row(names, true, answers)}<td class="listed">{listed}</td>')
    return _table("is", ["right"], rows, '<th scope="col">taken for</th>')


def _of_labels(names: Sequence[str], pairs: Sequence[tuple[str, str]]) -> str:
    """A row for each label that the model was asked about, with its four outcomes."""
    rows = []
    for column, name in enumerate(names):
        counts = _counts((true[column], said[column]) for true, said in pairs)
        if any("-" in answers for answers in counts.values()):
            continue
        cells = []
        for (true, said), words in _OUTCOMES.items():
            codes = f"{true}{column}", f"{said}{column}"
            button = _button(counts[true], said, true == said, codes, f"{name}: {words}")
            cells.append(_cell(words, button))
        rows.append(f'<th scope="row">{name}</th>{"".join(cells)}')
    return _table("label", _OUTCOMES.values(), rows)


def _class(
    names: Sequence[str], true: int, said: int, answers: Counter[int], named: bool = False
) -> str:
    words = f"{names[true]} taken for {names[said]}"
    before = f"{names[said]}: " if named else ""
    return _button(answers, said, true == said, (true, said), words, before)


def _button(
    answers: Counter[Any],
    said: Any,
    is_right: bool,
    codes: tuple[Any, Any],
    words: str,
    before: str = "",
) -> str:
    """What picks out the images with an answer; nothing if there are none."""
    if not (n := answers[said]):
        return ""
    shade = math.ceil(_SHADES * n / answers.total())
    return (
        f'<button type="button" class="{"right" if is_right else "wrong"} shade-{shade}" '
        f'data-truth="{codes[0]}" data-predicted="{codes[1]}" aria-pressed="false" '
        f'aria-label="{n:,} {"image" if n == 1 else "images"}, {words}">{before}{n:,}</button>'
    )


def _head_of_row(names: Sequence[str], true: int, answers: Counter[int]) -> str:
    share = percent(answers[true] / answers.total()) if answers else "–"
    return f'<th scope="row">{names[true]}</th>{_cell("right", share)}'


def _cell(column: str, content: str) -> str:
    return f'<td class="number" data-name="{column}">{content}</td>'


def _table(first: str, columns: Iterable[str], rows: Iterable[str], last: str = "") -> str:
    head = "".join(f'<th scope="col" class="number">{name}</th>' for name in columns)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return (
        f'<thead><tr><th scope="col">{first}</th>{head}{last}</tr></thead><tbody>{body}</tbody>'
    )
