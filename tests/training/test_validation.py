"""Held-out images: which ones they are, and that nothing is learned from them."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    PredefinedSplit,
    ShuffleSplit,
    StratifiedKFold,
)

from p2pselect import P2PClassifier, SuperpixelTransformer, datasets, load, presets
from p2pselect.exceptions import InputError
from p2pselect.training._validation import split_rows

SETTINGS = {
    **presets.SMALL,
    "image_size": 32,
    "regions": SuperpixelTransformer(n_segments=9),
    "max_epochs": 2,
    "objective__warmup_epochs": 0,
    "batch_size": 8,
    "random_state": 0,
    "device": "cpu",
}


@pytest.fixture(scope="module")
def scenes():
    made = datasets.make_digit_scenes(20, image_size=32, random_state=0)
    return made.images, made.target % 2


def unfitted(**changes):
    return P2PClassifier().set_params(**{**SETTINGS, **changes})


def weights(clf):
    return [value.clone() for value in clf.module_.state_dict().values()]


def equal(first, second):
    return all((a == b).all() for a, b in zip(weights(first), weights(second), strict=True))


# -- which rows --------------------------------------------------------------------------------


def test_auto_holds_out_a_tenth_of_every_class():
    labels = np.repeat(["rare", "some", "most"], [1, 99, 500])
    train, held_out = split_rows("auto", labels)
    names, counts = np.unique(labels[held_out], return_counts=True)
    assert dict(zip(names, counts, strict=True)) == {"some": 10, "most": 50}
    assert sorted([*train, *held_out]) == list(range(600))
    assert (np.diff(train) > 0).all() and (np.diff(held_out) > 0).all()
    # Not the first of each class: files of one source often stand together.
    assert np.diff(held_out[10:]).max() > 1 and held_out[-1] > 550


def test_auto_holds_out_nothing_where_it_would_mean_nothing():
    for n, expected in ((480, 0), (520, 52), (100_000, 2000)):
        train, held_out = split_rows("auto", np.arange(n) % 2)
        assert (len(train), len(held_out)) == (n - expected, expected)
    # Enough images, but too few of each class to spare one.
    assert not len(split_rows("auto", np.arange(600) // 2)[1])


def test_a_share_leaves_one_image_of_every_class():
    labels = np.array([0, 1, 1, *[2] * 8])
    for share in (0.25, 0.5, 0.99):
        train, held_out = split_rows(share, labels)
        assert set(labels[train]) == {0, 1, 2}
        assert (labels[held_out] == 2).sum() == min(round(8 * share), 7)
    # The same ones every time.
    np.testing.assert_array_equal(held_out, split_rows(0.99, labels)[1])


def test_several_labels_are_held_out_by_the_set_of_them():
    sets = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 1], [1, 0, 1]])
    counts = [200, 300, 100, 4, 3]
    labels = np.repeat(sets, counts, axis=0)
    train, held_out = split_rows("auto", labels)
    found = [int((labels[held_out] == own).all(axis=1).sum()) for own in sets]
    assert found[:3] == [20, 30, 10]
    # Sets of four and three images have the rarest label in common, and hold out one together.
    assert sum(found[3:]) == 1
    assert sorted([*train, *held_out]) == list(range(607))
    assert labels[train].any(axis=0).all()


def test_no_label_is_left_out_of_training():
    labels = np.zeros((40, 3), int)
    labels[:30, 0], labels[20:, 1], labels[7, 2] = 1, 1, 1
    for share in (0.1, 0.5, 0.9):
        train, held_out = split_rows(share, labels)
        assert labels[train].any(axis=0).all() and 7 in train and len(held_out)
    first = PredefinedSplit(np.where(np.arange(40) == 7, 0, -1))
    with pytest.raises(InputError, match="no image with the label in column 2"):
        split_rows(first, labels)


def test_the_first_split_of_a_splitter():
    labels = np.arange(20) % 2
    first = next(StratifiedKFold(4).split(labels, labels))
    for expected, found in zip(first, split_rows(StratifiedKFold(4), labels), strict=True):
        np.testing.assert_array_equal(found, expected)
    some = split_rows(ShuffleSplit(1, train_size=6, test_size=4, random_state=0), labels)
    assert [len(rows) for rows in some] == [6, 4]


@pytest.mark.parametrize(
    "validation", ["auto", 0.3, GroupKFold(3), GroupShuffleSplit(1, random_state=1)]
)
def test_groups_stay_together(validation):
    groups = np.array([f"patient {i}" for i in np.arange(900) // 6])
    train, held_out = split_rows(validation, np.arange(900) % 3, groups)
    assert len(held_out) and not set(groups[train]) & set(groups[held_out])
    assert not len(split_rows("auto", np.arange(900) % 3, ["one"] * 900)[1])


class Overlapping:
    def split(self, X, y=None, groups=None):
        yield np.arange(len(y)), np.array([3])

    def get_n_splits(self, X=None, y=None, groups=None):
        return 1


@pytest.mark.parametrize(
    "validation, groups, match",
    [
        (0.01, None, "holds out none of the 20 images"),
        (GroupKFold(2), None, "cannot split these images .*groups are passed to fit"),
        (GroupKFold(2), [1, 2], "one entry per image: got 2 for 20"),
        (PredefinedSplit(np.where(np.arange(20) % 2, 0, -1)), None, "no image of class 1 to"),
        (Overlapping(), None, "trains on images that it holds out"),
    ],
)
def test_splits_that_cannot_be_used(validation, groups, match):
    with pytest.raises(InputError, match=match):
        split_rows(validation, np.arange(20) % 2, groups)


# -- what training makes of them ---------------------------------------------------------------


@pytest.mark.parametrize("validation", [0.25, StratifiedKFold(4)])
def test_nothing_is_learned_from_held_out_images(scenes, validation):
    X, y = scenes
    clf = unfitted(validation=validation, class_weight="balanced").fit(X, y)
    rows = clf.validation_rows_
    others = np.setdiff1d(np.arange(len(X)), rows)
    assert len(rows) in (4, 5) and np.isfinite(clf.history_[:, "valid_loss"]).all()
    without = unfitted(validation=None, class_weight="balanced").fit(X[others], y[others])
    assert equal(clf, without) and not len(without.validation_rows_)
    # Other pixels there change what is measured, and nothing else.
    poisoned = X.copy()
    poisoned[rows] = 255 - poisoned[rows]
    same = unfitted(validation=validation, class_weight="balanced").fit(poisoned, y)
    assert equal(clf, same)
    assert same.history_[-1, "valid_loss"] != clf.history_[-1, "valid_loss"]


def test_poisoned_labels_of_held_out_images_are_not_learned(scenes):
    X, y = scenes
    split = PredefinedSplit(np.where(np.arange(20) < 4, 0, -1))
    settings = {"validation": split, "class_weight": "balanced"}
    poisoned = np.where(np.arange(20) < 4, 1 - y, y)
    clf, same = (unfitted(**settings).fit(X, labels) for labels in (y, poisoned))
    assert equal(clf, same)
    assert same.history_[-1, "valid_loss"] != clf.history_[-1, "valid_loss"]


def test_a_pair_is_measured_as_the_same_images_held_out(scenes):
    X, y = scenes
    names = np.array(["even", "odd"])[y]
    held_out = unfitted(validation=0.25).fit(X, names)
    rows = held_out.validation_rows_
    others = np.setdiff1d(np.arange(len(X)), rows)
    pair = (list(X[rows]), names[rows].tolist())
    clf = unfitted(validation=pair).fit(X[others], names[others])
    assert equal(clf, held_out) and not len(clf.validation_rows_)
    for name in ("valid_loss", "valid_cross_entropy"):
        np.testing.assert_allclose(clf.history_[:, name], held_out.history_[:, name], rtol=1e-5)


def test_settings_with_a_pair_are_copied_compared_and_saved(scenes, tmp_path):
    X, y = scenes
    clf = clone(unfitted(validation=(X[:4], y[:4]), warm_start=True, max_epochs=1))
    clf.fit(X[4:], y[4:]).fit(X[4:], y[4:])
    clf.set_params(validation=(X[:5], y[:5])).fit(X[4:], y[4:])
    assert len(clf.history_) == 3
    clf.save(tmp_path / "model")
    assert load(tmp_path / "model").validation is None
    for kept in (0.2, "auto", None):
        clf.set_params(validation=kept).save(tmp_path / "model")
        assert load(tmp_path / "model").validation == kept


@pytest.mark.parametrize(
    "validation, match",
    [
        ("automatic", "validation"),
        (1.0, "validation"),
        (([1], [2], [3]), r"a pair \(X, y\), got a tuple of 3"),
        (([np.zeros((32, 32, 3), np.uint8)], [7]), "the y of validation.* is 7, which is not"),
        (([np.zeros((32, 32, 3), np.uint8)], [0, 1]), "validation: X and y must have the same"),
    ],
)
def test_held_out_images_that_cannot_be_used(scenes, validation, match):
    with pytest.raises(ValueError, match=match):
        unfitted(validation=validation).fit(*scenes)


def test_groups_are_asked_for_under_routing_and_kept_out_of_training(scenes):
    X, y = scenes
    groups = np.arange(20) // 2
    clf = unfitted(validation=GroupKFold(5), max_epochs=1).fit(X, y, groups=groups)
    others = np.setdiff1d(np.arange(20), clf.validation_rows_)
    assert len(others) == 16 and not set(groups[others]) & set(groups[clf.validation_rows_])
    request = clf.get_metadata_routing().fit.requests
    assert request["groups"] is True and request["sample_weight"] is None


def test_partial_fit_holds_out_no_part_of_a_part(scenes):
    X = np.concatenate([scenes[0]] * 26)
    clf = unfitted(regions="grid", batch_size=520).partial_fit(X, np.tile(scenes[1], 26))
    assert not len(clf.validation_rows_) and "valid_loss" not in clf.history_[-1]
