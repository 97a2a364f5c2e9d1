"""partial_fit checks what fit checks, and knows the classes that were named."""

import numpy as np
import pytest
import torch
from torch.utils.data import IterableDataset

from p2pselect import P2PClassifier
from p2pselect.exceptions import InputError


@pytest.fixture(scope="module")
def X(X):
    return X[:8]


@pytest.fixture(scope="module")
def begun(X, settings):
    names = np.array(["cat", "dog"] * 4)
    return (
        P2PClassifier()
        .set_params(**settings)
        .partial_fit(X, names, classes=["cat", "dog", "elephant"])
    )


@pytest.fixture
def fresh(settings):
    return P2PClassifier().set_params(**settings)


def test_named_classes_are_kept_whole(begun, X):
    assert begun.classes_.tolist() == ["cat", "dog", "elephant"]
    assert begun.predict_proba(X).shape == (8, 3)
    begun.partial_fit(X[:2], ["elephant"] * 2)


@pytest.mark.parametrize("classes", [[0, 1, 300], np.array([300, 1, 0], np.uint16)])
def test_numbers_beyond_the_type_of_the_first_labels(fresh, X, classes):
    fresh.partial_fit(X, np.array([0, 1] * 4, np.uint8), classes=classes)
    assert fresh.classes_.tolist() == [0, 1, 300]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": ["cat"] * 7}, "8 images and 7 labels"),
        ({"y": ["cat", "eel"] * 4}, r"y\[1\] is 'eel', which is not one of the classes"),
        ({"y": [0, 1] * 4}, "y holds numbers .* the classes are strings"),
        ({"y": ["cat", None] * 4}, r"y\[1\] is None"),
        ({"classes": ["cat", "dog"]}, "classes must be those of the first call"),
        ({"sample_weight": [-1.0] * 8}, "sample_weight"),
    ],
)
def test_refused_and_nothing_changed(begun, X, changes, message):
    given = {"X": X, "y": ["cat", "dog"] * 4, **changes}
    before = [p.clone() for p in begun.module_.parameters()]
    with pytest.raises(InputError, match=message):
        begun.partial_fit(**given)
    assert all(map(torch.equal, before, begun.module_.parameters()))


def test_first_labels_must_be_among_the_named(fresh, X):
    with pytest.raises(InputError, match=r"y\[0\] is 'eel', which is not one of the classes"):
        fresh.partial_fit(X, ["eel", "cat"] * 4, classes=["cat", "dog"])
    assert not hasattr(fresh, "classes_")


def test_class_weight(settings, X):
    y = np.array([0, 1] * 4)
    plain, even, odd = (
        P2PClassifier()
        .set_params(**settings, class_weight=weight)
        .partial_fit(X, y)
        .predict_proba(X)
        for weight in (None, {0: 3.0, 1: 3}, {0: 1.0, 1: 1000.0})
    )
    np.testing.assert_array_equal(plain, even)
    assert (plain != odd).any()


def test_weight_of_a_class_holds_where_no_other_is_seen(settings, X):
    # Images of class 1 weigh nothing: with them alone, nothing is learned.
    moved = []
    for weight in (None, {0: 1.0, 1: 0.0}):
        own = {
            "training__optimizer": torch.optim.SGD,
            "training__lr_schedule": "constant",
            "training__weight_decay": 0.0,
        }
        clf = P2PClassifier().set_params(**{**settings, **own}, class_weight=weight)
        clf.partial_fit(X, [0, 1] * 4)
        before = clf.module_.classifier.network.fc.weight.clone()
        clf.partial_fit(X[:2], [1, 1])
        moved.append((clf.module_.classifier.network.fc.weight - before).abs().sum().item())
    assert moved[0] > 0 == moved[1]


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ("balanced", "class_weight='balanced' needs all training images at once"),
        ({"0": 1.0, "1": 5.0}, "class_weight has the key '0', which is not one of the classes"),
        ({0: -1.0}, "class_weight must hold numbers from 0 on, got -1.0"),
        ({0: float("nan")}, "class_weight must hold numbers"),
    ],
)
def test_class_weight_refused(settings, X, weight, message):
    clf = P2PClassifier().set_params(**settings, class_weight=weight)
    with pytest.raises(InputError, match=message):
        clf.partial_fit(X, [0, 1] * 4)
    if isinstance(weight, dict):
        with pytest.raises(InputError, match=message):
            clf.fit(X, [0, 1] * 4)


def test_flat_rows_and_grey_images(settings, X):
    rows = X.reshape(8, -1)
    clf = (
        P2PClassifier()
        .set_params(**settings, images__image_shape=(32, 32, 3))
        .partial_fit(rows, [0, 1] * 4)
    )
    assert clf.n_features_in_ == rows.shape[1]


class Stream(IterableDataset):
    def __init__(self, X, y):
        self.pairs = [*zip(X, y, strict=True)]

    def __iter__(self):
        return iter(self.pairs)


def test_streams(fresh, X):
    fresh.partial_fit(Stream(X, ["cat", "dog"] * 4), classes=["cat", "dog", "elephant"])
    fresh.partial_fit(Stream(X, ["elephant", "dog"] * 4))
    assert fresh.classes_.tolist() == ["cat", "dog", "elephant"]
    assert len(fresh.history_) == 2
    with pytest.raises(InputError, match=r"y\[0\] is 'eel'"):
        fresh.partial_fit(Stream(X, ["eel", "dog"] * 4))


def test_a_fit_that_cannot_start_leaves_the_estimator_as_it_was(begun, X):
    before = begun.predict_proba(X)
    begun.set_params(pretrained={"classifier": "nowhere.pt", "selector": False})
    with pytest.raises(OSError, match=r"nowhere\.pt"):
        begun.fit(X, ["x", "y"] * 4)
    begun.set_params(pretrained=False)
    assert begun.classes_.tolist() == ["cat", "dog", "elephant"]
    np.testing.assert_array_equal(begun.predict_proba(X), before)


def test_score_compares_labels_by_value(settings, X):
    clf = P2PClassifier().set_params(**settings).partial_fit(X, [0, 1] * 4)
    truth = clf.predict(X)
    assert clf.score(X, truth.astype(float)) == clf.score(X, truth) == 1
    with pytest.raises(InputError, match="y holds strings"):
        clf.score(X, truth.astype(str))
    with pytest.raises(InputError, match=r"y\[0\] is nan"):
        clf.score(X, np.full(8, np.nan))
