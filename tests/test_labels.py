"""Labels: every kind that fit takes, what it refuses, and which labels are the same."""

import enum

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from p2pselect._labels import (
    as_labels,
    as_true_labels,
    encode_known,
    encode_labels,
    find_classes,
)
from p2pselect.exceptions import InputError

NAMES = ["cat", "dog", "cat"]


class Animal(enum.StrEnum):
    CAT = "cat"
    DOG = "dog"


SAME = {
    "list": NAMES,
    "tuple": tuple(NAMES),
    "numpy strings": np.array(NAMES),
    "objects": np.array(NAMES, dtype=object),
    "series": pd.Series(NAMES, index=[7, 5, 3]),
    "nullable strings": pd.Series(NAMES, dtype="string"),
    "categories, one unused": pd.Categorical(NAMES, categories=["eel", "dog", "cat"]),
    "series of categories": pd.Series(NAMES, dtype="category"),
    "enumeration": [Animal.CAT, Animal.DOG, Animal.CAT],
    "list of numpy strings": [np.str_(name) for name in NAMES],
}


@pytest.mark.parametrize("kind", SAME)
def test_strings_of_every_kind(kind):
    labels = as_labels(SAME[kind])
    assert labels.tolist() == NAMES
    assert all(type(label) is str for label in labels.tolist())


@pytest.mark.parametrize(
    ("y", "dtype"),
    [
        (np.array([0, 1], np.uint8), "uint8"),
        (np.array([0, 2**64 - 1], np.uint64), "uint64"),
        ([0, 1], "int64"),
        ([False, True], "bool"),
        ([0.0, 1.0], "float64"),
        (pd.Series([0, 1], dtype="Int64"), "int64"),
        (pd.Series([False, True], dtype="boolean"), "bool"),
        (pd.Series([0, 1], dtype=object), "int64"),
        (torch.tensor([0, 1]), "int64"),
        (torch.tensor([False, True]), "bool"),
        (list(torch.tensor([0, 1])), "int64"),
    ],
)
def test_numbers_keep_their_type(y, dtype):
    labels = as_labels(y)
    assert labels.dtype == dtype
    assert labels.tolist() == [*map(int, y)]


@pytest.mark.parametrize(
    "y", [[["a"], ["b"]], np.array([["a"], ["b"]]), pd.DataFrame(["a", "b"])]
)
@pytest.mark.filterwarnings("ignore:A column-vector")
def test_one_column(y):
    assert as_labels(y).tolist() == ["a", "b"]


HOLES = {
    "None": ["a", "b", None],
    "NaN among strings": ["a", "b", float("nan")],
    "objects": np.array(["a", "b", np.nan], dtype=object),
    "floats": np.array([0.0, 1.0, np.nan]),
    "nullable strings": pd.Series(["a", "b", None], dtype="string"),
    "nullable integers": pd.Series([1, 2, None], dtype="Int64"),
    "categories": pd.Categorical(["a", "b", None]),
}


@pytest.mark.parametrize("kind", HOLES)
def test_a_hole_is_named(kind):
    with pytest.raises(InputError, match=r"missing labels: y\[2\] is"):
        as_labels(HOLES[kind])


def test_holes_are_counted():
    with pytest.raises(InputError, match=r"y\[1\] is None, and 2 more are missing"):
        as_labels(["a", None, "b", None, float("nan")])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([("a", 1), ("b", 2)], r"y\[0\] is a tuple"),
        ([{"a"}, {"b"}], r"y\[0\] is a set"),
        (
            np.array(["2020-01-01", "2021-01-01"], "datetime64[ns]"),
            r"y\[0\] is a (datetime64|int)",
        ),
        (pd.Series(pd.to_datetime(["2020-01-01", "2021-01-01"])), r"y\[0\] is a"),
        ([b"a", b"b"], r"y\[0\] is a bytes"),
        (np.array([1j, 2j]), r"y\[0\] is a complex"),
        (["a", 1], r"mixes strings and numbers: y\[0\] is 'a', y\[1\] is 1"),
        (np.eye(2), r"got shape \(2, 2\); for one-hot rows, pass y.argmax"),
        (np.ones((2, 3)), r"got shape \(2, 3\)$"),
        ([["a", "b"], ["c"]], r"y\[0\] is a list"),
        ("catdog", "must be a sequence of labels"),
        ({"a": 1}, "must be a sequence of labels"),
        (3, "must be a sequence of labels"),
        (None, "requires y to be passed"),
    ],
)
def test_refused(y, message):
    with pytest.raises(InputError, match=message):
        as_labels(y)


@pytest.mark.parametrize(
    ("first", "second"), [("cat", "cat "), ("caf\u00e9", "cafe\u0301"), ("cat", "\tcat")]
)
def test_classes_that_look_the_same(first, second):
    with pytest.raises(InputError, match="look the same"):
        find_classes(as_labels([first, second]))


def test_classes_differ_in_capitals():
    assert find_classes(as_labels(["cat", "Cat"])).tolist() == ["Cat", "cat"]


@pytest.mark.parametrize("y", [["a", "a"], [1], np.array([], int)])
def test_too_few_classes(y):
    with pytest.raises(InputError, match="at least two classes"):
        find_classes(as_labels(y))


labels = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1),
    st.lists(st.text(st.characters(exclude_characters="\0"))),
    st.lists(st.booleans(), min_size=1),
)


@given(labels, st.randoms())
def test_numbers_of_classes_lead_back_to_the_labels(y, chance):
    classes = np.unique(as_labels(y))
    chance.shuffle(y)
    found = encode_labels(as_labels(y), classes)
    assert classes[found].tolist() == y


def test_labels_are_compared_by_value():
    classes = np.array([0, 1, 2**53 + 1])
    for y in (np.array([1], np.uint8), [True], [1.0], np.array([1], np.uint64)):
        assert encode_known(as_labels(y), classes).tolist() == [1]
    # To a 64-bit float, 2**53 + 1 is the number before it.
    assert encode_labels(np.array([2**53], np.uint64), classes).tolist() == [-1]
    assert encode_labels(np.array(["elephant"]), np.array(["ele"])).tolist() == [-1]


@pytest.mark.parametrize("y", [["0", "1"], np.array(["0"], object)])
def test_strings_are_not_numbers(y):
    with pytest.raises(InputError, match=r"y holds strings .* the classes are numbers"):
        as_true_labels(y, np.array([0, 1]))
    with pytest.raises(InputError, match="y holds strings"):
        encode_known(as_labels(y), np.array([0, 1]))
    with pytest.raises(InputError, match=r"y holds numbers .* the classes are strings"):
        as_true_labels([0], np.array(["0", "1"]))


@pytest.mark.parametrize("label", ["dog ", "Dog", " DOG"])
def test_another_spelling(label):
    with pytest.raises(InputError, match=rf"y\[1\] is '{label}', but .* knows 'dog'"):
        as_true_labels(["cat", label], np.array(["cat", "dog"]))


def test_classes_in_another_spelling():
    with pytest.raises(InputError, match=r"y\[1\] is 'dog', but .* knows 'Dog '"):
        as_true_labels(["cat", "dog"], np.array(["cat", "Dog "]))


def test_truth_may_hold_classes_that_are_not_known():
    classes = np.array(["cat", "dog"])
    assert as_true_labels(["cat", "eel"], classes).tolist() == ["cat", "eel"]
    with pytest.raises(InputError, match="none of the classifier's classes"):
        as_true_labels(["eel", "bat"], classes)
    with pytest.raises(InputError, match=r"y\[1\] is 'eel', which is not one of the classes"):
        encode_known(np.array(["cat", "eel"]), classes)
