"""Scores of one's own, by public imports only: one of masks, one of the classifier."""

import pickle

import numpy as np
import pytest
import sklearn
from scipy.ndimage import binary_erosion
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.exceptions import InputError
from p2pselect.metrics import ExplanationScorers, make_explanation_scorer
from p2pselect.model_selection import CertaintySearchCV, cross_validate_explanations


def outline_recall(explanation, masks):
    """Share of the pixels on the object's outline that are kept, mean over images."""
    inner = np.stack([binary_erosion(mask) for mask in masks])
    outline = masks & ~inner
    kept = (outline & explanation.pixel_masks).sum(axis=(1, 2))
    return np.mean(kept / outline.sum(axis=(1, 2)))


def mirror_change(explanation, predict_proba):
    """Mean change of the predicted class's probability when what is kept is mirrored."""
    seen = explanation.masked_images
    column = explanation.proba.argmax(axis=1)[:, None]
    before, after = (
        np.take_along_axis(predict_proba(images), column, axis=1)
        for images in (seen, np.ascontiguousarray(seen[:, :, ::-1]))
    )
    return np.abs(before - after).mean()


on_outline = make_explanation_scorer(outline_recall)
stable = make_explanation_scorer(
    mirror_change, needs=("predict_proba",), greater_is_better=False
)


@pytest.fixture(scope="module")
def scenes():
    return datasets.make_digit_scenes(24, image_size=32, random_state=0)


@pytest.fixture(scope="module")
def clf():
    settings = {**presets.SMALL, "image_size": 32, "max_epochs": 1, "augment": None}
    return P2PClassifier(**settings, random_state=0)


@pytest.fixture(scope="module")
def fitted(clf, scenes):
    return sklearn.clone(clf).fit(scenes.images, scenes.target % 2)


def test_scores_are_those_of_the_functions(fitted, scenes):
    explanation = fitted.explain(scenes.images)
    recall = on_outline(fitted, scenes.images, masks=scenes.masks)
    assert recall == outline_recall(explanation, scenes.masks)
    change = mirror_change(explanation, fitted.predict_proba_masked)
    assert stable(fitted, scenes.images) == pytest.approx(-change) and change > 0
    both = ExplanationScorers({"outline": on_outline, "stable": stable, "accuracy": "accuracy"})
    found = both(fitted, scenes.images, scenes.target % 2, masks=scenes.masks)
    assert found["outline"] == recall and found["stable"] == pytest.approx(-change)


def test_masks_reach_the_score_through_cross_validation(clf, scenes):
    X, y, M = scenes.images, scenes.target % 2, scenes.masks
    scoring = {"outline": on_outline, "stable": stable}
    ours = cross_validate_explanations(clf, X, y, masks=M, cv=2, scoring=scoring)
    assert (ours["test_outline"] >= 0).all() and (ours["test_stable"] <= 0).all()
    with sklearn.config_context(enable_metadata_routing=True):
        theirs = cross_val_score(clf, X, y, cv=2, scoring=on_outline, params={"masks": M})
    np.testing.assert_array_equal(ours["test_outline"], theirs)


def test_a_search_decides_by_it(clf, scenes):
    grid = {"certainty_threshold": [0.01, 1.0]}  # as little as possible, and everything
    shows_all = clone(clf).set_params(search__fallback="everything")
    search = CertaintySearchCV(shows_all, grid, scoring={"outline": on_outline}, cv=2)
    search.fit(scenes.images, scenes.target % 2, masks=scenes.masks)
    assert search.best_params_ == {"certainty_threshold": 1.0}


def test_it_travels_to_other_processes(fitted, scenes):
    again = pickle.loads(pickle.dumps(stable))
    assert again(fitted, scenes.images) == stable(fitted, scenes.images)


def test_what_it_needs_is_asked_for(fitted, scenes):
    with pytest.raises(InputError, match="'outline_recall'.* needs masks"):
        on_outline(fitted, scenes.images)
    with pytest.raises(InputError, match="masks must have one entry per image"):
        on_outline(fitted, scenes.images, masks=scenes.masks[:3])
