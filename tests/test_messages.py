"""Messages stay short, whatever values a person passes by mistake."""

import re
from pathlib import Path

import numpy as np
import pytest

import p2pselect
from p2pselect import P2PClassifier, SuperpixelTransformer, datasets, metrics, presets
from p2pselect import _labels as labels
from p2pselect.exceptions import P2PSelectError
from p2pselect.model_selection import cross_validate_explanations

LONG = "x" * 100_000
X = np.zeros((4, 8, 8, 3), np.uint8)


def tiny(**settings):
    return P2PClassifier(**{**presets.SMALL, "image_size": 8, **settings})


CALLS = {
    "regions": lambda: tiny(regions=LONG).fit(X, [0, 1] * 2),
    "label maps": lambda: tiny().fit(X, [0, 1] * 2, regions=[LONG] * 4),
    "labels": lambda: labels.as_labels([LONG, 1]),
    "missing labels": lambda: labels.as_labels([LONG, None]),
    "one label": lambda: tiny().fit(X, [LONG] * 4),
    "y": lambda: labels.as_labels(LONG),
    "augment": lambda: tiny(augment=LONG).fit(X, [0, 1] * 2),
    "device": lambda: tiny(device=LONG).fit(X, [0, 1] * 2),
    "engine": lambda: SuperpixelTransformer(engine=LONG).fit(X),
    "network": lambda: tiny(classifier=LONG).fit(X, [0, 1] * 2),
    "pretrained": lambda: tiny(pretrained={LONG: LONG}).fit(X, [0, 1] * 2),
    "empty": lambda: metrics.localization_score(X[..., 0], X[..., 0], empty=LONG),
    "object masks": lambda: metrics.localization_score(X[..., 0], [[LONG]] * 4),
    "valid": lambda: metrics.localization_score(X[..., 0], X[..., 0], valid=LONG),
    "scorer": lambda: metrics.get_scorer(LONG),
    "target": lambda: datasets.make_digit_scenes(4, target=LONG),
    "scoring masks": lambda: cross_validate_explanations(tiny(), X, [0, 1] * 2, masks=LONG),
}


@pytest.mark.parametrize("call", CALLS)
def test_no_message_repeats_all_of_a_value(call):
    with pytest.raises((P2PSelectError, ValueError)) as caught:
        CALLS[call]()
    assert len(str(caught.value)) < 1500


def test_values_of_the_caller_are_shown_by_brief():
    """Where an error or a warning is made, ``brief`` is what shows a value."""
    names = r"channels|tau|name|split|k|v|self\.name|phase\.name|declared\.default"
    ours = re.compile(rf"\{{({names})!r\}}")
    found = [
        f"{file.name}: {line.strip()}"
        for file in Path(p2pselect.__file__).parent.rglob("*.py")
        if "reproduction" not in file.parts
        for line in file.read_text(encoding="utf-8").splitlines()
        if not line.strip().startswith("return")
        and re.search(r"\{[^{}]+!r(:[^{}]*)?\}", ours.sub("", line))
    ]
    assert found == []
