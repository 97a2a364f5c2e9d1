"""Calibrated certainty: what changes (the stop and its words) and what does not."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from p2pselect import P2PClassifier, load
from p2pselect._answering import FALLBACKS
from p2pselect._model_folder import CONFIG, config_digest
from p2pselect.exceptions import InputError, ModelFileError, P2PSelectWarning
from p2pselect.methods import BlackboxClassifier
from p2pselect.selection import StopCalibration
from tests.oracles.stop_calibration import conformal_set, stop


@pytest.fixture(scope="module")
def paths(clf, X):
    """What the classifier says at every tau, however certain it is."""
    return clf.explain(X, whole_path=True).path_proba


@pytest.fixture(scope="module")
def truth(paths):
    """Labels with which the classifier is mostly right once it sees much, and never always."""
    labels = paths[:, -3].argmax(axis=1)
    doubtful = np.argsort(paths.max(axis=(1, 2)))[:6]
    labels[doubtful] = 1 - labels[doubtful]
    return labels


@pytest.fixture
def calibrated(clf, X, truth):
    return copy.deepcopy(clf).set_params(certainty_threshold=0.6).calibrate(X, truth)


def test_it_holds_whole_paths(calibrated, paths, truth):
    np.testing.assert_allclose(calibrated.calibration_.certainty, paths.max(axis=2), atol=1e-6)
    np.testing.assert_array_equal(
        calibrated.calibration_.correct, paths.argmax(axis=2) == truth[:, None]
    )


def test_the_search_stops_where_the_share_is_met(calibrated, clf, X, paths, truth):
    exp = calibrated.explain(X)
    threshold = calibrated.calibration_.threshold(0.6)
    assert exp.stop_certainty == threshold and np.isfinite(threshold)
    assert exp.certainty_threshold == 0.6
    slow = [stop(path, threshold) for path in paths.max(axis=2)]
    assert exp.answered.tolist() == [answered for _, answered in slow]
    stopped = exp.answered
    level = np.array([level for level, _ in slow])
    np.testing.assert_array_equal(exp.tau[stopped], exp.path_tau[level][stopped])
    assert (exp.predicted == truth)[stopped].mean() >= 0.6
    # The ranking, and the words of the classifier along the path, are as they were.
    before = clf.explain(X)
    np.testing.assert_array_equal(exp.selection_logits, before.selection_logits)
    seen = ~np.isnan(exp.path_proba)
    np.testing.assert_allclose(exp.path_proba[seen], paths[seen], atol=1e-6)


@pytest.mark.parametrize("fallback", FALLBACKS)
def test_a_whole_path_changes_nothing_but_what_is_known(clf, X, truth, fallback):
    model = copy.deepcopy(clf).set_params(search__fallback=fallback, certainty_threshold=0.6)
    for _ in range(2):
        short, whole = model.explain(X), model.explain(X, whole_path=True)
        assert not np.isnan(whole.path_proba).any()
        for name in ("region_masks", "tau", "answered", "predicted"):
            np.testing.assert_array_equal(getattr(whole, name), getattr(short, name))
        np.testing.assert_allclose(whole.proba, short.proba, atol=1e-6)
        model.calibrate(X, truth)


def test_all_ways_to_ask_give_the_same(calibrated, X, truth):
    exp = calibrated.explain(X)
    np.testing.assert_array_equal(exp.proba, calibrated.predict_proba(X))
    np.testing.assert_allclose(
        exp.proba, calibrated.predict_proba_masked(exp.masked_images), atol=1e-5
    )
    np.testing.assert_array_equal(exp.predicted, calibrated.predict(X))
    np.testing.assert_array_equal(exp.pixel_masks, calibrated.transform(X))
    assert calibrated.score(X, truth) == pytest.approx((exp.predicted == truth).mean())
    np.testing.assert_allclose(exp.proba.sum(axis=1), 1, atol=1e-5)


def test_the_probability_is_that_of_being_right(calibrated, X, truth):
    exp = calibrated.explain(X)
    stopped = exp.answered
    right = exp.predicted == truth
    assert exp.certainty[stopped].mean() == pytest.approx(right[stopped].mean(), abs=0.05)


def test_another_threshold_needs_no_other_calibration(calibrated, X):
    shares = [
        calibrated.explain(X, certainty_threshold=asked).answered.mean()
        for asked in (0.5, 0.75, 1.0)
    ]
    assert shares == sorted(shares, reverse=True)


def test_a_mean_share_of_the_pixels(calibrated, X, truth):
    whole = calibrated.explain(X, whole_path=True)
    np.testing.assert_allclose(
        calibrated.calibration_.kept, whole.path_kept_fraction, atol=1e-6
    )
    calibrated.calibrate(X, truth, mean_kept=0.4)
    exp = calibrated.explain(X)
    assert exp.kept_fraction.mean() <= 0.4 + 1e-6
    assert exp.stop_certainty == calibrated.calibration_.bound
    answered, right = calibrated.calibration_.answers(exp.stop_certainty)
    assert exp.certainty_threshold == pytest.approx((right + 1) / (answered + 2))
    with pytest.raises(InputError, match="pass one"):
        calibrated.calibrate(X, truth, mean_kept=0.4, max_error=0.1)


def test_a_fixed_tau_is_the_classifiers_own_word(calibrated, clf, X):
    exp = calibrated.explain(X, tau=0.3)
    assert exp.stop_certainty is None
    np.testing.assert_array_equal(exp.proba, clf.explain(X, tau=0.3).proba)


def test_what_is_not_answered_can_be_rejected(calibrated, X):
    answered = calibrated.explain(X).answered
    labels = calibrated.predict(X, reject=-1)
    np.testing.assert_array_equal(labels == -1, ~answered)
    np.testing.assert_array_equal(labels[answered], calibrated.predict(X)[answered])
    assert labels.dtype == calibrated.classes_.dtype
    words = calibrated.predict(X, reject="not answered")
    assert set(words.tolist()) <= {0, 1, "not answered"}
    assert ("not answered" in words.tolist()) == (not answered.all())


def test_a_bound_on_the_error(calibrated, X, truth):
    calibrated.calibrate(X, truth, max_error=0.45, alpha=0.2)
    bound = calibrated.calibration_.bound
    exp = calibrated.explain(X)
    assert exp.stop_certainty == bound and exp.certainty_threshold == pytest.approx(0.55)
    # An explicit threshold is another question.
    assert calibrated.explain(X, certainty_threshold=1.0).stop_certainty >= bound
    on_average = copy.deepcopy(calibrated).calibrate(X, truth, max_error=0.45, alpha=None)
    assert on_average.explain(X).answered.mean() >= exp.answered.mean()
    with pytest.raises(InputError, match="max_error=0.01 with alpha=0.1 needs at least 230"):
        calibrated.calibrate(X, truth, max_error=0.01)
    assert calibrated.calibration_.bound == bound  # it is as it was


def test_silent_classes_are_not_answered(clf, X, y, paths):
    model = copy.deepcopy(clf)
    # So that both classes are named; this one learned too little for that.
    logits = np.log(paths[:, 0])
    with torch.no_grad():
        bias = model.module_.classifier.network.get_classifier().bias
        bias[1] += float(np.median(logits[:, 0] - logits[:, 1]))
    model.calibrate(X, y)
    model.calibration_ = replace(
        model.calibration_, bound=1e-3, answered_classes=np.array([False, True])
    )
    for exp in (model.explain(X), model.explain(X, whole_path=True)):
        named = exp.path_proba[:, 0].argmax(axis=1)
        assert exp.answered.tolist() == (named == 1).tolist()
        assert 5 <= exp.answered.sum() <= 35
        assert exp.unanswered_reasons == [[] if n == 1 else ["class"] for n in named]
    np.testing.assert_array_equal(model.predict(X, reject=-1) == -1, ~exp.answered)
    assert model.explain(X, certainty_threshold=1e-6).answered.all()  # no bound was asked for


def test_a_bound_by_class(calibrated, X, truth):
    labels = np.where(truth == 0, 0, 5)
    asked = {"max_error": 0.6, "alpha": 0.4, "per_class": True}
    with pytest.warns(P2PSelectWarning, match="1 of 2 classes are not answered"):
        calibrated.calibrate(X, labels, **asked)
    assert calibrated.calibration_.answered_classes.tolist() == [True, False]
    for wrong in ({"alpha": None}, {"max_error": None}):
        with pytest.raises(InputError, match="per_class=True bounds errors"):
            calibrated.calibrate(X, labels, **{**asked, **wrong})


def test_what_is_unfamiliar_is_not_answered(calibrated, X, truth, tmp_path):
    before = calibrated.explain(X)
    calibrated.calibrate(X, truth, max_unfamiliar=0.25, set_error=0.2)
    exp = calibrated.explain(X)
    # Of 40 images and a new one, 10 are a quarter or less; the lowest of the others passes.
    low = np.argsort(exp.familiarity)[:10]
    assert calibrated.calibration_.lowest_familiarity == exp.familiarity[low[-1]]
    certain = [
        stop(path, exp.stop_certainty)[1] for path in np.nan_to_num(exp.path_proba).max(axis=2)
    ]
    familiar = ~np.isin(np.arange(40), low[:-1])
    np.testing.assert_array_equal(exp.answered, np.array(certain) & familiar)
    assert exp.answered.sum() < np.sum(certain)
    for i, reasons in enumerate(exp.unanswered_reasons):
        expected = {"unfamiliar": not familiar[i], "uncertain": not certain[i]}
        assert reasons == [name for name, holds in expected.items() if holds]
    rest = calibrated.calibration_
    assert len(rest) + len(rest.sets.certainty) == 30
    np.testing.assert_array_equal(exp.familiarity, before.familiarity)
    np.testing.assert_array_equal(calibrated.predict(X, reject=-1) == -1, ~exp.answered)
    calibrated.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").explain(X).answered, exp.answered)
    with pytest.raises(InputError, match="max_unfamiliar=0.02 needs at least 49 held-out"):
        calibrated.calibrate(X, truth, max_unfamiliar=0.02)


def test_methods_that_select_nothing_find_all_images_equally_familiar(X, y):
    black_box = BlackboxClassifier(
        classifier="test_resnet", pretrained=False, image_size=32, max_epochs=1, random_state=0
    ).fit(X, y)
    black_box.calibrate(X, y, max_unfamiliar=0.2)
    exp = black_box.explain(X, certainty_threshold=0.1)
    certain = exp.path_proba[:, 0].max(axis=1) >= exp.stop_certainty
    assert np.ptp(exp.familiarity) == 0 and certain.any()
    np.testing.assert_array_equal(exp.answered, certain)


def test_prediction_sets(calibrated, clf, X, paths, truth, tmp_path):
    assert calibrated.explain(X).prediction_sets is None
    calibrated.calibrate(X, truth, set_error=0.2)
    exp = calibrated.explain(X)
    assert len(calibrated.calibration_) == len(X) / 2
    own = paths[1::2]
    places = [stop(path, exp.stop_certainty) for path in own.max(axis=2)]
    known = {True: [], False: []}
    for path, label, (level, answered) in zip(own, truth[1::2], places, strict=True):
        known[answered].append(path[level, label])
    said = clf.explain(X, certainty_threshold=exp.stop_certainty)
    slow = [
        conformal_set(known[answered], proba, 0.2)
        for answered, proba in zip(exp.answered.tolist(), said.proba, strict=True)
    ]
    assert exp.prediction_sets.tolist() == slow
    np.testing.assert_array_equal(exp[:3].prediction_sets, exp.prediction_sets[:3])
    assert calibrated.explain(X, max_kept=0.3).prediction_sets is None
    exp.save(tmp_path / "exp.npz")
    again = type(exp).load(tmp_path / "exp.npz")
    np.testing.assert_array_equal(again.prediction_sets, exp.prediction_sets)


@pytest.mark.parametrize("change", [{"selection": "budget"}, {"search__tau_step": 0.1}])
def test_it_ends_with_another_search(calibrated, X, change):
    before = {name: calibrated.get_params()[name] for name in change}
    with pytest.raises(InputError, match="was set after calibrate"):
        calibrated.set_params(**change).predict(X)
    calibrated.set_params(**before).predict(X)


def test_it_ends_with_another_training(calibrated, X, y):
    assert not hasattr(calibrated.partial_fit(X, y), "calibration_")


def test_it_is_saved_with_the_model(calibrated, X, truth, tmp_path):
    calibrated.calibrate(X, truth, max_error=0.45, alpha=0.2).save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert isinstance(again.calibration_, StopCalibration)
    assert again.calibration_.bound == calibrated.calibration_.bound
    np.testing.assert_array_equal(again.predict_proba(X), calibrated.predict_proba(X))
    assert again.explain(X).stop_certainty == calibrated.explain(X).stop_certainty


@pytest.mark.filterwarnings("ignore:1 of 2 classes")
def test_sets_and_silent_classes_are_saved_with_the_model(calibrated, X, truth, tmp_path):
    labels = np.where(truth == 0, 0, 5)
    asked = {"max_error": 0.6, "alpha": 0.4, "per_class": True, "set_error": 0.2}
    calibrated.calibrate(X, labels, **asked).save(tmp_path / "model")
    again, exp = load(tmp_path / "model").explain(X), calibrated.explain(X)
    np.testing.assert_array_equal(again.answered, exp.answered)
    np.testing.assert_array_equal(again.prediction_sets, exp.prediction_sets)
    assert exp.answered.any() and not exp.answered.all()


@pytest.mark.parametrize(
    "damage",
    [
        {"certainty": [[2.0]], "correct": [[True]], "kept": [[0.5]]},
        {"certainty": [[0.5]], "correct": [[1.0]], "kept": [[0.5]]},
        {"certainty": [[0.5, 0.6]], "correct": [[True]], "kept": [[0.5]]},
        {"certainty": [[0.5]], "correct": [[True]], "kept": [[0.5, 1.0]]},
        {"bound": "0.9"},
        {"answered_classes": [True]},
        {"answered_classes": [1, 0]},
        {"sets": {"certainty": [[0.5]], "true_proba": [[0.5, 0.1]], "set_error": 0.1}},
        {"settings": None},
        {"unknown": 1},
    ],
)
def test_a_damaged_calibration_is_refused(calibrated, tmp_path, damage):
    calibrated.save(tmp_path / "model")
    config = json.loads((tmp_path / "model" / CONFIG).read_text())
    config["calibration"].update(damage)
    config["config_sha256"] = config_digest(config)
    (tmp_path / "model" / CONFIG).write_text(json.dumps(config))
    with pytest.raises(ModelFileError):
        load(tmp_path / "model")


def test_methods_without_a_search_can_abstain(X, y):
    black_box = BlackboxClassifier(
        classifier="test_resnet", pretrained=False, image_size=32, max_epochs=1, random_state=0
    ).fit(X, y)
    certainty = black_box.predict_proba(X).max(axis=1)
    black_box.calibrate(X, black_box.predict(X)).set_params(certainty_threshold=0.9)
    assert black_box.calibration_.certainty.shape == (len(X), 1)
    exp = black_box.explain(X)
    np.testing.assert_array_equal(exp.answered, certainty >= exp.stop_certainty)


def test_what_cannot_be_used_is_refused(clf, X, truth):
    other = copy.deepcopy(clf)
    with pytest.raises(InputError, match="same length: got 40 images and 3 labels"):
        other.calibrate(X, truth[:3])
    for bad in ({"max_error": 1.0}, {"max_error": 0.1, "alpha": 0}, {"set_error": 0.0}):
        with pytest.raises(InputError, match="must be"):
            other.calibrate(X, truth, **bad)
    assert not hasattr(other, "calibration_")


def test_a_label_of_no_class_is_never_right(clf, X, truth):
    strange = truth.copy()
    strange[1:] = 9
    other = copy.deepcopy(clf).calibrate(X, strange)
    assert not other.calibration_.correct[1:].any()


def test_fit_can_calibrate_on_what_it_holds_out(X, y, settings):
    own = {**settings, "max_epochs": 1, "search__calibration": "held_out"}
    clf = P2PClassifier().set_params(**own, validation=0.4).fit(X, y)
    assert len(clf.calibration_) == len(clf.validation_rows_) == 16
    other = copy.deepcopy(clf)
    rows = clf.validation_rows_
    other.calibrate(X[rows], y[rows])
    np.testing.assert_array_equal(other.calibration_.correct, clf.calibration_.correct)
    np.testing.assert_allclose(
        other.calibration_.certainty, clf.calibration_.certainty, atol=1e-6
    )
    sparse = {**own, "search__mean_kept": 0.3, "validation": 0.4}
    assert P2PClassifier().set_params(**sparse).fit(X, y).calibration_.mean_kept == 0.3
    with pytest.warns(P2PSelectWarning, match="too few for validation='auto'"):
        few = P2PClassifier().set_params(**own).fit(X, y)
    assert not hasattr(few, "calibration_")
