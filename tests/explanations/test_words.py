"""Numbers and labels as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pselect.explanations.figures._words import (
    certainty_words,
    distinct_labels,
    label,
    percent,
    sparsity_words,
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
