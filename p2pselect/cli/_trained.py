"""What a training has led to, in words and as a page for somebody who was not there."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from p2pselect.cli._answers import answers_in_words, right_answers
from p2pselect.cli._explain import short_names
from p2pselect.exceptions import P2PSelectWarning
from p2pselect.images import ImageSequence

if TYPE_CHECKING:
    from p2pselect import Explanation, P2PClassifier

#: Where nothing was held out, the model is tried on this many of its training images.
_N_TRIED = 64
#: A share of the pixels that is as good as none.
_ALMOST_NONE = 0.005


def describe_model(
    clf: P2PClassifier, images: ImageSequence, labels: np.ndarray, html: Path
) -> None:
    """Print how good the model is and how much it shows, warn of faults, write the page."""
    rows = clf.validation_rows_
    if isinstance(clf.validation, tuple):
        images, labels = clf.validation
        # Several labels have names, as in a data frame.
        labels = labels if isinstance(labels, np.ndarray) else labels.to_numpy()
        rows = np.arange(len(labels))
    held_out = len(rows) > 0
    if not held_out:
        # Evenly spaced, so that every class takes part: the images are sorted by class.
        rows = np.unique(np.linspace(0, len(labels) - 1, _N_TRIED).round().astype(int))
    images, labels = images[rows], labels[rows]
    which = (
        f"on {len(rows)} images that were held out"
        if held_out
        else f"on {len(rows)} of the images that it learned from (expect less on new ones)"
    )
    # Before the answers, which take a while: somebody is waiting.
    print(f"{which}: ", end="", flush=True)
    exp = clf.explain(images)
    right = right_answers(exp, labels)
    # The warning is for another stream: in a log of both, it comes behind.
    print(answers_in_words(exp.answered, exp.kept_fraction, right), flush=True)
    warn_of_faults(exp, labels)
    names = None if images.files is None else short_names(images.files.tolist())
    exp.to_html(html, y=labels, names=names, history=clf.history_)
    print(f"see for yourself: {html} shows what each answer is based on")


def warn_of_faults(exp: Explanation, labels: np.ndarray) -> None:
    """Warn of a model that is useless."""
    right, kept = np.mean(right_answers(exp, labels)), exp.kept_fraction.mean()
    most = np.unique(labels, axis=0, return_counts=True)[1].max() / len(labels)
    same = "the same labels" if exp.multilabel else "the same class"
    faults: Mapping[str, bool] = {
        f"is right no more often than one that always names {same} ({most:.1%})": (
            bool(right <= most)
        ),
        "shows everything, so its masks explain nothing": bool(kept > 1 - _ALMOST_NONE),
        "shows nothing, so it can only guess": bool(kept < _ALMOST_NONE),
    }
    if found := [words for words, is_so in faults.items() if is_so]:
        warnings.warn(
            f"the model {' and '.join(found)}: check the labels, then try more epochs "
            "(--epochs), larger images (--image-size) or other regions (--segments)",
            P2PSelectWarning,
            stacklevel=3,
        )
