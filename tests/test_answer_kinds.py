"""One class or several labels: what each kind makes of labels and probabilities."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from p2pselect._answer_kinds import LABEL_SET, ONE_CLASS, LabelSet
from p2pselect._labels import read_labels
from p2pselect._targets import find_targets, true_targets
from p2pselect.exceptions import InputError, P2PSelectWarning

Y = [[0, 1], [1, 1], [0, 0]]
NAMES = np.array(["miner", "rust"])


@pytest.mark.parametrize(
    "y",
    [
        Y,
        tuple(map(tuple, Y)),
        np.array(Y),
        np.array(Y, bool),
        np.array(Y, float),
        np.array(Y, object),
        [np.array(row) for row in Y],
        list(torch.tensor(Y)),
        torch.tensor(Y),
        sparse.csr_matrix(Y),
        pd.DataFrame(Y),
        pd.DataFrame(Y, dtype="Int64"),
    ],
)
def test_an_indicator_matrix_of_every_kind(y):
    labels, columns = read_labels(y)
    assert labels.dtype == np.int64 and labels.tolist() == Y and columns is None


def test_the_columns_of_a_data_frame_have_names():
    labels, columns = read_labels(pd.DataFrame(Y, columns=NAMES, dtype="boolean"))
    assert labels.tolist() == Y and columns.tolist() == NAMES.tolist()


@pytest.mark.parametrize("y", [[0, 1, 1], ["a", "b"], [["a"], ["b"]], np.array([[1], [0]])])
@pytest.mark.filterwarnings("ignore:A column-vector")
def test_one_label_per_image_is_as_it_was(y):
    labels, columns = read_labels(y)
    assert labels.ndim == 1 and columns is None


@pytest.mark.parametrize(
    ("y", "match"),
    [
        ([[0, 2], [1, 1]], r"matrix of 0 and 1.*shape \(2, 2\), and y\[0, 1\] is 2"),
        (np.array([[0.5, 1], [1, 1]]), r"y\[0, 0\] is 0.5"),
        (np.array([[0, np.nan], [1, 1]]), r"y\[0, 1\] is nan"),
        (pd.DataFrame({"a": [1, None], "b": [0, 1]}), r"y\[1, 0\] is nan"),
        (pd.DataFrame({"a": [True, pd.NA], "b": [0, 1]}), r"y\[1, 0\] is <NA>"),
        (np.array([["a", "b"]]), r"y\[0, 0\] is 'a'"),
        ([["a"], ["a", "b"]], "MultiLabelBinarizer"),
        ([["a", "b"], ["b", "c"]], "MultiLabelBinarizer"),
        ([{"a", "b"}, {"c"}], "MultiLabelBinarizer"),
        (pd.Series([["a"], ["a", "b"]]), "MultiLabelBinarizer"),
        (pd.Series([("a", "b"), ("b", "c")]), "MultiLabelBinarizer"),
        (np.fromiter([["a", "b"], ["b", "c"]], dtype=object), "MultiLabelBinarizer"),
        (pd.DataFrame([[0, 1]], columns=["a", "a"]), "several columns of one name"),
    ],
)
def test_what_is_no_indicator_matrix(y, match):
    with pytest.raises(InputError, match=match):
        read_labels(y)


def test_true_labels_have_the_columns_of_the_training():
    assert true_targets(pd.DataFrame(Y, columns=NAMES), NAMES, LABEL_SET).tolist() == Y
    assert true_targets(np.array(Y), NAMES, LABEL_SET).tolist() == Y
    with pytest.raises(InputError, match="rust.*but the classifier knows.*miner.*this order"):
        true_targets(pd.DataFrame(Y, columns=NAMES[::-1]), NAMES, LABEL_SET)
    with pytest.raises(InputError, match=r"a column for each of the 2 labels.*shape \(3,\)"):
        true_targets([0, 1, 1], NAMES, LABEL_SET)
    with pytest.raises(InputError, match=r"shape \(3, 3\)"):
        true_targets(np.zeros((3, 3), int), NAMES, LABEL_SET)


def test_the_same_labels_everywhere_teach_nothing():
    with pytest.raises(InputError, match="same labels in every row"):
        find_targets(np.ones((4, 2), int), None)


def test_a_matrix_that_may_not_be_meant_is_warned_of():
    with pytest.warns(P2PSelectWarning, match=r"exactly one label .* y.argmax\(axis=1\)"):
        assert find_targets(np.eye(3, dtype=int), None).tolist() == [0, 1, 2]
    with pytest.warns(P2PSelectWarning, match=r"labels \['miner'\] are the same for all"):
        find_targets(np.array([[1, 0], [1, 1]]), NAMES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_targets(np.array(Y), NAMES) is NAMES


def test_what_a_set_of_labels_says():
    proba = np.array([[0.9, 0.2], [0.5, 0.51], [0.3, 0.1]], np.float32)
    kind = LabelSet()
    answers = kind.answers(proba)
    assert answers.tolist() == [[1, 0], [0, 1], [0, 0]]
    np.testing.assert_allclose(kind.certainty(proba), [0.8, 0.5, 0.7])
    np.testing.assert_allclose(LabelSet(1).certainty(proba), [0.8, 0.51, 0.9])
    np.testing.assert_allclose(kind.proba_of(proba, answers), [0.72, 0.255, 0.63], rtol=1e-5)
    assert kind.names(answers, NAMES).tolist() == ["miner", "rust", "none"]
    assert kind.names(np.array([[1, 1]]), NAMES).tolist() == ["miner, rust"]
    truth = np.array([[1, 0], [1, 1], [0, 0]])
    assert kind.right(answers, truth).tolist() == [True, False, True]
    assert LabelSet(1).right(answers, truth).all()
    # In the middle of a search, the steps stand between the images and the labels.
    steps = np.stack([proba, proba], axis=1)
    assert kind.certainty(steps).shape == (3, 2) and kind.answers(steps).shape == (3, 2, 2)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**31 - 1),
    n_classes=st.integers(2, 6),
    wanted=st.floats(0.51, 0.999),
    kind=st.sampled_from([ONE_CLASS, LabelSet()]),
)
def test_another_certainty_changes_no_answer_and_no_order(seed, n_classes, wanted, kind):
    logits = np.random.default_rng(seed).normal(size=(5, n_classes), scale=3)
    proba = kind.probabilities(torch.tensor(logits)).numpy()
    new = kind.with_certainty(proba, np.full(5, wanted))
    np.testing.assert_array_equal(kind.answers(new), kind.answers(proba))
    np.testing.assert_allclose(kind.certainty(new), wanted, atol=1e-3)
    order = np.argsort(proba, axis=1)
    assert (np.diff(np.take_along_axis(new, order, axis=1), axis=1) >= -1e-9).all()


@pytest.mark.parametrize("certainty", [0.0, 0.3, 0.5])
def test_a_label_is_never_less_certain_than_a_coin(certainty):
    proba = np.array([[1.0, 0.0, 0.5, 0.7]])
    new = LabelSet().with_certainty(proba, np.array([certainty]))
    assert LabelSet().answers(new).tolist() == [[1, 0, 0, 1]]
    assert LabelSet().certainty(new)[0] == pytest.approx(0.5, abs=1e-3)
