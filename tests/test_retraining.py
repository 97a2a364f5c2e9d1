"""Remove and retrain: the regions that go, and what classifiers learn from the others."""

from dataclasses import replace

import numpy as np
import pytest
from two_patches import SETTINGS, two_patches

from p2pselect import P2PClassifier, audit, presets
from p2pselect.explanations import example_explanation
from p2pselect.methods import JudgeClassifier
from p2pselect.metrics._encoding import first_within, region_orders
from p2pselect.model_selection import _retraining
from p2pselect.model_selection._retraining import retrained_without, without_first


@pytest.mark.parametrize("share", [0.001, 0.1, 0.37])
def test_the_first_regions_that_fit_are_black_and_the_others_as_they_were(share):
    exp = example_explanation(n_images=4).explanation
    order = region_orders(exp, None, 0)["scattered"]
    images = without_first(exp, order, share)
    assert images.dtype == exp.images.dtype
    for image, left, regions, ranks in zip(exp.images, images, exp.regions, order, strict=True):
        expected, removed = image.copy(), 0.0
        for label in ranks:
            removed += (regions == label).mean()
            if removed > share + 1e-9 and label != ranks[0]:
                break
            expected[regions == label] = 0
        np.testing.assert_array_equal(left, expected)


def test_what_stands_in_their_place_is_what_the_model_has_there():
    exp = replace(example_explanation(n_images=2).explanation, fill="blur")
    order = region_orders(exp, None, 0)["selected"]
    removed = first_within(exp, order, 0.2)
    np.testing.assert_array_equal(without_first(exp, order, 0.2), exp.masked_by(~removed))
    assert (without_first(exp, order, 0.2)[removed] > 0).any()


class Recorder(JudgeClassifier):
    """Says nothing but the first class, and notes what it was given."""

    given = []

    def fit(self, X, y, regions):
        assert not regions.any() and regions.shape == X.shape[:3]
        self.classes_ = np.unique(y)
        self.given.append([X, y])
        return self

    def predict_proba_masked(self, images):
        self.given[-1].append(images)
        return np.eye(len(self.classes_))[np.zeros(len(images), int)]


def test_training_and_test_images_lose_the_same_of_the_same_order():
    old, new = (example_explanation(n_images=n).explanation for n in (5, 3))
    y, truth, shares = np.arange(5) % 2, np.array([0, 1, 0]), np.array([0.1, 0.4])
    Recorder.given.clear()
    rows = retrained_without(Recorder(), old, y, new, truth, shares, random_state=0)
    given = iter(Recorder.given)
    for (images, labels, asked), (expected, asked_expected) in zip(
        given,
        [
            (old.images, new.images),
            *(
                [
                    without_first(exp, region_orders(exp, None, 0)[kind], share)
                    for exp in (old, new)
                ]
                for kind in ("selected", "scattered", "contiguous")
                for share in shares
            ),
        ],
        strict=True,
    ):
        np.testing.assert_array_equal(images, expected)
        np.testing.assert_array_equal(asked, asked_expected)
        assert labels is y
    assert [*rows] == ["retrained", "retrained: scattered", "retrained: contiguous"]
    for right in rows.values():
        # No value at the stop; the classifier always says 0.
        np.testing.assert_array_equal(
            right[:, [0, 1, 3]], np.repeat([[1], [0], [1]], 3, axis=1)
        )
        assert np.isnan(right[:, 2]).all()


# -- what is learned ---------------------------------------------------------------------------

HONEST, CODE = np.array([4, 11]), np.array([0, 15])


def clf_and_judge(X, y, n_epochs, **settings):
    clf = P2PClassifier(**SETTINGS, max_epochs=0).fit(X, y)
    settings = {"training__ema_decay": 0.9, "training__patience": None, **settings}
    return clf, JudgeClassifier.like(clf, random_state=0, max_epochs=n_epochs, **settings)


def retrained(first, n_epochs):
    """Accuracies without the two regions (of 16) that `first` names for labels, by row."""
    (X, y), (X_test, y_test) = two_patches(1024, seed=0), two_patches(400, seed=1)
    clf, judge = clf_and_judge(X, y, n_epochs)

    def explained(images, labels):
        exp = clf.explain(images, tau=1.0)
        scores = np.zeros_like(exp.selection_logits)
        np.put_along_axis(scores, first(labels), 1.0, axis=1)
        return replace(exp, selection_logits=scores)

    old, new = explained(X, y), explained(X_test, y_test)
    rows = retrained_without(judge, old, y, new, y_test, np.array([2 / 16]), 0)
    return {name: right.mean(axis=0)[[0, -1]] for name, right in rows.items()}


def test_nothing_is_learned_without_the_evidence():
    found = retrained(lambda y: np.tile(HONEST, (len(y), 1)), n_epochs=8)
    lost, whole = found["retrained"]
    assert whole > 0.97 and lost < 0.6
    # Two of 16 patches at random leave both of them in three images of four.
    assert found["retrained: scattered"][0] > 0.75 < found["retrained: contiguous"][0]


def test_holes_that_tell_the_label_are_learned(monkeypatch):
    """The criticism of the method, which is why no verdict rests on it."""
    monkeypatch.setattr(_retraining, "_KINDS", ("selected",))
    lost, whole = retrained(lambda y: CODE[y][:, None], n_epochs=2)["retrained"]
    assert lost > 0.95 and whole < 0.9


def test_an_audit_has_the_rows_if_asked():
    X, y = two_patches(40, seed=0)
    clf, judge = clf_and_judge(X, y, n_epochs=0)
    found, plain = (
        audit(clf, X, y, X, y, judge=judge, areas=[0.125], roar=roar) for roar in (True, False)
    )
    more = found.values.keys() - plain.values.keys()
    assert more == {"retrained", "retrained: scattered", "retrained: contiguous"}
    for name in more:
        right = found.values[name]
        assert right.shape == (40, 3) and np.isnan(right).all(axis=0).tolist() == [0, 1, 0]
    assert found.verdict == plain.verdict
    assert all(len(line) <= 80 for line in str(found).splitlines()[3:])


def test_values_are_those_of_the_grid_whatever_the_images_had(monkeypatch):
    """Images with a range of their own, and borders on the grid."""
    monkeypatch.setattr(_retraining, "_KINDS", ())
    X = np.random.default_rng(0).integers(0, 4000, (20, 16, 24, 2), np.uint16)
    y = np.arange(20) % 2
    settings = {**presets.SMALL, "image_size": 16, "max_epochs": 0}
    clf = P2PClassifier().set_params(
        **settings, images__n_channels=2, images__value_range=(0, 4095)
    )
    exp = clf.fit(X, y).explain(X)
    given = []

    class Spy(JudgeClassifier):
        def fit(self, X, y, regions):
            given.append((X, self.images.n_channels, self.images.value_range))
            return super().fit(X, y, regions=regions)

    retrained_without(Spy.like(clf), exp, y, exp, y, np.array([0.3]), 0)
    assert given == [(exp.images, 2, None)] and exp.images.max() <= 1
