"""Several labels for each image: learned, searched, explained, scored, saved."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import accuracy_score, classification_report, f1_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from torch.utils.data import IterableDataset
from two_labels import NAMES, SETTINGS, two_labels

from p2pselect import P2PClassifier, SuperpixelTransformer, load, presets
from p2pselect.exceptions import InputError
from p2pselect.explanations import Explanation
from p2pselect.methods import METHODS

GRID = SuperpixelTransformer(n_segments=16, engine="grid")


def unfitted(**changes):
    return P2PClassifier().set_params(**{**SETTINGS, "regions": GRID, **changes})


@pytest.fixture(scope="module")
def images():
    return two_labels(256, seed=0)


@pytest.fixture(scope="module")
def new():
    return two_labels(200, seed=1)


@pytest.fixture(scope="module")
def learned(images):
    X, y = images
    # Which regions are not needed takes four times as many epochs with random masks.
    clf = unfitted(max_epochs=40, certainty_threshold=0.9, objective__random_share=0.0)
    return clf.fit(X, pd.DataFrame(y, columns=NAMES))


# -- learning ----------------------------------------------------------------------------------


def test_two_independent_labels_are_learned_from_few_regions(learned, new):
    X, y = new
    assert learned.score(X, y) >= 0.9
    exp = learned.explain(X)
    assert exp.answered.mean() >= 0.7
    assert exp.kept_fraction[exp.answered].mean() <= 0.6
    # What suffices for one label is less, and rather its own patch than that of the other.
    patches = {0: (slice(8, 16), slice(0, 8)), 1: (slice(16, 24), slice(24, 32))}
    for label, name in enumerate(NAMES):
        one = learned.explain(X, target=name)
        assert one.kept_fraction.mean() < exp.kept_fraction.mean()
        assert (one.predicted[:, label] == y[:, label]).mean() >= 0.9
        there = y[:, label] == 1
        own = one.pixel_masks[there][:, *patches[label]].mean()
        assert own >= 0.8


def test_every_label_is_decided_where_the_search_stops(learned, new):
    exp = learned.explain(new[0])
    proba = exp.proba[exp.answered]
    assert (np.maximum(proba, 1 - proba) >= 0.9).all()
    assert (exp.certainty[~exp.answered] < 0.9).all()
    before = exp.path_proba[exp.answered]
    for path, tau in zip(before, exp.tau[exp.answered], strict=True):
        undecided = np.minimum(path, 1 - path)[exp.path_tau < tau - 1e-9].max(axis=1)
        assert (undecided > 0.1).all()


def test_one_label_is_decided_where_the_search_for_it_stops(learned, new):
    exp = learned.explain(new[0], target="blue")
    own = np.maximum(exp.proba[:, 1], 1 - exp.proba[:, 1])
    np.testing.assert_array_equal(exp.answered, own >= 0.9)
    np.testing.assert_allclose(exp.certainty, own)
    assert exp.target == "blue" and exp[:3].target == "blue"
    assert (exp.tau <= learned.explain(new[0]).tau).all()


def test_predictions_have_the_forms_of_scikit_learn(learned, new):
    X, y = new
    predicted, proba = learned.predict(X), learned.predict_proba(X)
    assert predicted.shape == proba.shape == y.shape
    assert predicted.dtype == np.int64 and proba.dtype == np.float32
    np.testing.assert_array_equal(predicted, proba > 0.5)
    assert learned.score(X, y) == accuracy_score(y, predicted)
    assert learned.classes_.tolist() == NAMES and learned.multilabel_ is True
    assert learned.class_counts_["trained"] == two_labels(256, seed=0)[1].sum(axis=0).tolist()
    report = classification_report(y, predicted, target_names=NAMES, zero_division=0)
    assert "micro avg" in report
    assert f1_score(y, predicted, average="macro") >= 0.9
    rejected = learned.predict(X, reject=-1)
    answered = learned.explain(X).answered
    np.testing.assert_array_equal(rejected[~answered], -1)
    np.testing.assert_array_equal(rejected[answered], predicted[answered])


def test_the_classifier_says_the_same_of_what_it_saw(learned, new):
    exp = learned.explain(new[0][:20])
    seen = learned.predict_proba_masked(exp.masked_images)
    np.testing.assert_allclose(seen, exp.proba, atol=1e-6)


def test_scikit_learns_searches_score_it(images):
    X, y = images[0][:40], images[1][:40]
    search = GridSearchCV(
        unfitted(max_epochs=1), {"lr": [0.01, 0.02]}, scoring="f1_macro", cv=2
    )
    search.fit(X, y)
    assert 0 <= search.best_score_ <= 1
    assert search.predict(X).shape == (40, 2)
    assert len(cross_val_score(unfitted(max_epochs=1), X, y, cv=2)) == 2


def test_kept_by_files(images, tmp_path):
    X, y = images[0][:24], pd.DataFrame(images[1][:24], columns=NAMES)
    own = {"image_size": 32, "regions": "grid", "max_epochs": 1, "random_state": 0}
    clf = P2PClassifier().set_params(**{**presets.SMALL, **own}).fit(X, y)
    clf.save(tmp_path / "model")
    card = (tmp_path / "model" / "README.md").read_text()
    assert "predicts the labels of an image" in card and "any number of 2 labels" in card
    assert ", 2 labels, kept " in repr(clf.explain(X))
    again = load(tmp_path / "model")
    assert again.classes_.tolist() == NAMES and again.multilabel_ is True
    for other in (again, pickle.loads(pickle.dumps(clf))):
        np.testing.assert_array_equal(other.predict_proba(X), clf.predict_proba(X))
        np.testing.assert_array_equal(other.predict(X), clf.predict(X))
    exp = clf.explain(X, target="blue")
    exp.save(tmp_path / "exp.npz")
    stored = Explanation.load(tmp_path / "exp.npz")
    assert stored.multilabel is True and stored.target == "blue"
    np.testing.assert_array_equal(stored.certainty, exp.certainty)


# -- training ----------------------------------------------------------------------------------


def test_balanced_weights_count_presence_as_much_as_absence(images):
    X, y = images
    rare = np.flatnonzero((y[:, 0] == 0) | (np.arange(256) % 8 == 0))
    clf = unfitted(max_epochs=1, class_weight="balanced").fit(X[rare], y[rare])
    weight, share = clf.net_.label_weight.numpy(), y[rare].mean(axis=0)
    np.testing.assert_allclose(weight[:, 1] * share, 0.5, rtol=1e-5)
    np.testing.assert_allclose(weight[:, 0] * (1 - share), 0.5, rtol=1e-5)
    plain = unfitted(max_epochs=1).fit(X[rare], y[rare])
    assert clf.predict_proba(X)[:, 0].mean() > plain.predict_proba(X)[:, 0].mean() + 0.02


def test_measured_on_images_that_are_held_out(images):
    X, y = images
    held_out = pd.DataFrame(y[200:], columns=NAMES)
    labels = pd.DataFrame(y[:200], columns=NAMES)
    clf = unfitted(max_epochs=2, validation=(X[200:], held_out)).fit(X[:200], labels)
    assert clf.history_[-1, "valid_acc"] <= 1
    assert clf.class_counts_["held_out"] == y[200:].sum(axis=0).tolist()
    swapped = held_out[NAMES[::-1]]
    with pytest.raises(InputError, match="the y of validation has the columns"):
        clone(clf).set_params(validation=(X[200:], swapped)).fit(X[:200], labels)
    with pytest.raises(InputError, match="the y of validation must be an indicator matrix"):
        clone(clf).set_params(validation=(X[200:], y[200:, 0])).fit(X[:200], labels)


def test_training_continues_with_the_same_labels(images):
    X, y = images[0][:32], images[1][:32]
    clf = unfitted()
    for start in (0, 16):
        rows = slice(start, start + 16)
        clf.partial_fit(X[rows], y[rows], classes=NAMES)
    assert clf.classes_.tolist() == NAMES and len(clf.history_) == 2
    clf.partial_fit(X, y)
    with pytest.raises(InputError, match="indicator matrix"):
        clf.partial_fit(X, y[:, 0])
    other = unfitted(max_epochs=0, warm_start=True).fit(X, y[:, 0])
    with pytest.raises(InputError, match="warm_start=True continues"):
        other.fit(X, y)
    with pytest.raises(InputError, match="one label per image"):
        other.partial_fit(X, y)


#: Their losses are made for one class per image; of all others, the contract has a check.
UNABLE = {"bcos", "diet", "amortized_diet", "rbaem"}


def test_the_other_methods_say_that_they_cannot_learn_labels(images):
    X, y = images[0][:4], images[1][:4]
    for name, row in METHODS.items():
        assert row.cls().__sklearn_tags__().classifier_tags.multi_label == (name not in UNABLE)
        if name in UNABLE:
            with pytest.raises(InputError, match=f"{row.cls.__name__} cannot learn"):
                row.cls().fit(X, y)


# -- calibration -------------------------------------------------------------------------------


def test_a_calibrated_certainty_is_that_of_all_labels_being_right(learned, new):
    X, y = new
    clf = pickle.loads(pickle.dumps(learned)).calibrate(X, y)
    path = learned.explain(X, whole_path=True)
    answers = path.path_proba > 0.5
    np.testing.assert_array_equal(clf.calibration_.correct, (answers == y[:, None]).all(axis=2))
    exp = clf.explain(X)
    np.testing.assert_allclose(exp.proba, clf.predict_proba(X), atol=1e-6)
    right = (exp.predicted == y).all(axis=1)
    assert right[exp.answered].mean() >= 0.88
    found = clf.calibrate(X, y, mean_kept=0.4).explain(X)
    assert 0.2 <= found.kept_fraction.mean() <= 0.4 + 1e-6
    bounded = clf.calibrate(X, y, max_error=0.2).explain(X)
    assert 1 - (bounded.predicted == y).all(axis=1)[bounded.answered].mean() <= 0.2
    for option in ({"set_error": 0.1}, {"per_class": True, "max_error": 0.2}):
        with pytest.raises(
            InputError, match="one class per image, this one has several labels"
        ):
            clf.calibrate(X, y, **option)


# -- streams -----------------------------------------------------------------------------------


class Stream(IterableDataset):
    def __init__(self, X, y, later=None):
        self.X, self.y, self.later = X, y, y if later is None else later

    def set_epoch(self, epoch):
        self.y = self.later

    def __iter__(self):
        return iter(zip(self.X, self.y, strict=True))


def test_labels_of_a_stream_are_learned(images, new):
    X, y = images
    rows = [y[0].tolist(), torch.tensor(y[1]), *y[2:]]
    clf = unfitted(max_epochs=40, certainty_threshold=0.9).fit(Stream(X, rows))
    assert clf.multilabel_ is True and clf.classes_.tolist() == [0, 1]
    assert clf.class_counts_["trained"] == y.sum(axis=0).tolist()
    assert clf.score(*new) >= 0.9


def test_labels_of_a_stream_weigh_as_those_of_arrays(images):
    X, y = images
    rare = np.flatnonzero((y[:, 0] == 0) | (np.arange(256) % 8 == 0))
    settings = {"max_epochs": 1, "class_weight": "balanced", "batch_size": len(rare)}
    listed = unfitted(**settings).fit(X[rare], y[rare])
    streamed = unfitted(**settings).fit(Stream(X[rare], y[rare]))
    np.testing.assert_array_equal(streamed.net_.label_weight, listed.net_.label_weight)
    # One batch of everything.
    losses = [clf.history_[-1]["train_loss"] for clf in (streamed, listed)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: np.pad(y, [(0, 0), (0, 1)]), "indicator matrix .* 2 labels"),
        (lambda y: y[:, 0], "indicator matrix .* 2 labels"),
        (lambda y: y + 1, "or a matrix of 0 and 1"),
    ],
)
def test_labels_of_a_stream_do_not_change(images, change, message):
    X, y = images[0][:32], images[1][:32]
    with pytest.raises(InputError, match=f"the stream's labels must .*{message}"):
        unfitted(max_epochs=1).fit(Stream(X, y, later=change(y)))
    with pytest.raises(InputError, match="the stream's labels must have one label per image"):
        unfitted(max_epochs=1).fit(Stream(X, y[:, 0], later=y))


# -- what is refused ---------------------------------------------------------------------------


def test_what_cannot_be_learned(images):
    X, y = images[0][:32], images[1][:32]
    with pytest.raises(InputError, match='class_weight must be None or "balanced"'):
        unfitted(class_weight={0: 2.0}).fit(X, y)
    with pytest.raises(InputError, match="same labels in every row"):
        unfitted().fit(X, np.ones_like(y))
    with pytest.raises(InputError, match=r"target must be one of .*red.*blue.*got 'green'"):
        unfitted(max_epochs=0).fit(X, pd.DataFrame(y, columns=NAMES)).explain(X, target="green")
    with pytest.raises(InputError, match="fitted with one class per image"):
        unfitted(max_epochs=0).fit(X, y[:, 0]).explain(X, target=1)
