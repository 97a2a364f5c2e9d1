"""Numbers and labels as people read them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pselect.explanations.figures._words import (
    answer_facts,
    certainty_words,
    distinct_labels,
    label,
    percent,
    sparsity_words,
    unanswered_words,
)


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0, "0%"),
        (0.0004, "< 0.1%"),
        (0.004, "0.4%"),
        (0.0999, "10%"),
        (0.5, "50%"),
        (0.993, "99.3%"),
        (0.99999, "> 99.9%"),
        (1, "100%"),
    ],
)
def test_percent(share, words):
    assert percent(share) == words


def test_nothing_but_one_is_a_hundred_percent():
    assert percent(1 - 1e-12) == "> 99.9%"
    assert percent(1e-12) == "< 0.1%"


def test_label_is_one_short_line():
    assert label("a\nb\t c") == "a b c"
    assert len(label("x" * 100, 10)) == 10


@given(st.lists(st.text("ab… \n#2", max_size=40), max_size=12), st.integers(8, 20))
def test_any_labels_are_told_apart(values, length):
    told = distinct_labels(values, length)
    assert len(set(told)) == len(values)
    assert all(len(text) <= length and "\n" not in text for text in told)


def test_labels_that_are_not_utf8_can_be_written():
    names = ["caf\udce9", "caf\udcea", "café"]
    assert label(names[0]) == "caf\\udce9"
    assert distinct_labels(names) == ["caf\\udce9", "caf\\udcea", "café"]


def test_labels_are_told_apart_by_their_ends():
    assert distinct_labels(["x", "x", "x #2"], 14) == ["x", "x #2", "x #2 #2"]
    names = [f"common_prefix_of_the_class_{letter}" for letter in "AB"]
    assert distinct_labels([*names, "cat"], 14) == ["common…class_A", "common…class_B", "cat"]
    assert distinct_labels(["a" * 40, "b"], 14) == [label("a" * 40, 14), "b"]


def test_words_tell_answered_from_not_answered(made):
    exp = made.explanation
    for i, reached in enumerate(exp.answered):
        assert certainty_words(exp, i).startswith("answered" if reached else "not answered")
        assert f"{exp.region_masks[i].sum()} of {exp.n_regions[i]} regions" in sparsity_words(
            exp, i
        )


def test_a_calibrated_certainty_is_one_on_average(made):
    exp = made.explanation
    row = int(exp.answered.argmax())
    assert certainty_words(exp, row).endswith(", asked for 95%)")
    calibrated = replace(exp, stop_certainty=0.99)
    assert certainty_words(calibrated, row).endswith(", asked for 95% on average)")
    for one, name in (
        (exp, "answered (≥ 95% certain)"),
        (calibrated, "answered (≥ 95% certain on average)"),
    ):
        assert answer_facts(one, None)[0][0] == name


def unanswered(made, highest=0.62, **changed):
    """One image that is not answered, whose classifier was that certain at most."""
    exp = made.explanation[0]
    path = np.full_like(exp.path_proba, np.nan)
    path[0, :3] = 0.1
    path[0, 1, 4] = highest
    given = {"answered": np.array([False]), "path_proba": path, **changed}
    return replace(exp, **given)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "never certain enough (at most 62%, asked for 95%)"),
        (
            {"highest": 0.9496, "certainty_threshold": 0.9501},
            "never certain enough (at most 94.9600%, asked for 95.0100%)",
        ),
        (
            {"stop_certainty": 0.97},
            "never certain enough (at most 62%, 97% is needed to be right 95% of the time)",
        ),
        (
            {"stop_certainty": 1.5},
            "never certain enough (no certainty was shown to be right 95% of the time)",
        ),
        (
            {"highest": 0.96, "answered_classes": np.zeros(10, bool)},
            "answers of this class are not known to be right often enough",
        ),
    ],
)
def test_words_say_why_an_image_is_not_answered(made, changed, words):
    exp = unanswered(made, **changed)
    assert unanswered_words(exp, 0) == words
    assert certainty_words(exp, 0) == f"not answered: {words}"
    assert unanswered_words(replace(exp, answered=np.array([True])), 0) == ""


def test_words_say_what_is_unfamiliar_and_what_is_possible(made):
    exp = unanswered(made, highest=0.96)
    found = exp.familiarity[0]
    far = replace(exp, lowest_familiarity=float(found) + 1)
    expected = f"unlike what it learned from (familiarity {found:.3g}, at least {found + 1:.3g}"
    assert unanswered_words(far, 0).startswith(expected)
    sets = np.zeros((1, 10), bool)
    sets[0, [2, 7]] = True
    words = unanswered_words(replace(unanswered(made), prediction_sets=sets), 0)
    assert words.endswith(f"; it could be {exp.classes[2]} or {exp.classes[7]}")
    sets[0, 7] = False
    assert "could" not in unanswered_words(replace(exp, prediction_sets=sets), 0)
