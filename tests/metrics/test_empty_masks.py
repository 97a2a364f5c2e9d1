"""Images of which nothing is kept have no localization, and are counted wherever they lack."""

from dataclasses import replace

import numpy as np
import pytest
from oracles.toy_classifier import ToyClassifier, make_toy_scenes

from p2pselect import metrics
from p2pselect.exceptions import InputError, P2PSelectWarning
from p2pselect.explanations import example_explanation
from p2pselect.explanations._summary import explanation_summary
from p2pselect.explanations.figures._plots import plot_page
from p2pselect.explanations.report._page import _facts
from p2pselect.metrics import get_scorer
from p2pselect.model_selection import cross_validate_explanations


class OftenEmpty(ToyClassifier):
    """Keeps nothing of every third image."""

    def explain(self, X):
        exp = super().explain(X)
        exp.region_masks[::3] = False
        return exp


@pytest.fixture(scope="module")
def made():
    made = example_explanation(n_images=6)
    masks = made.explanation.region_masks.copy()
    masks[[1, 4]] = False
    return made, replace(made.explanation, region_masks=masks)


def test_the_number_of_masks_that_keep_nothing():
    masks = np.zeros((4, 3, 5), bool)
    assert metrics.n_empty_masks(masks) == 4
    masks[2, 1, 1] = True
    assert metrics.n_empty_masks(masks) == 3
    assert metrics.n_empty_masks(np.ones((2, 3, 5), bool)) == 0
    with pytest.raises(InputError, match="shape"):
        metrics.n_empty_masks(masks[0])


def test_the_warning_tells_what_is_missing():
    kept, objects = np.zeros((5, 2, 2), bool), np.ones((5, 2, 2), bool)
    kept[3:] = True
    objects[4] = False
    with pytest.warns(P2PSelectWarning, match=r"\(3 keep no pixel, 1 have no object\): 4 of 5"):
        assert metrics.localization_score(kept, objects) == 1


@pytest.mark.filterwarnings("ignore:.*have no score")
def test_scorer_and_cross_validation_count():
    X, y, M = make_toy_scenes(24)
    clf = OftenEmpty().fit(X, y)
    assert get_scorer("neg_n_empty")(clf, X) == -8
    results = cross_validate_explanations(OftenEmpty(), X, y, masks=M, cv=2)
    assert results["empty"].tolist() == [4, 4]
    assert "test_empty" not in results
    whole = cross_validate_explanations(ToyClassifier(), X, y, masks=M, cv=2)
    assert whole["empty"].tolist() == [0, 0]


def test_a_summary_counts_them_and_leaves_them_out(made):
    made, exp = made
    rows = explanation_summary(exp, made.y, made.object_masks)
    assert sum(row["empty"] for row in rows) == 2
    for row in rows:
        some = (exp.predicted == row["class"]) & exp.region_masks.any(axis=1)
        if some.any():
            own = metrics.localization_score(exp.pixel_masks[some], made.object_masks[some])
            assert row["outside"] == pytest.approx(1 - own)
    bare = explanation_summary(replace(exp, region_masks=exp.region_masks & False), made.y,
                               made.object_masks)  # fmt: skip
    assert all(np.isnan(row["outside"]) for row in bare)


def test_pictures_and_reports_say_how_many(made):
    made, exp = made
    figure = plot_page(exp, made.y, object_masks=made.object_masks)
    foot = figure._supxlabel.get_text()
    own = exp.region_masks.any(axis=1)
    share = metrics.localization_score(exp.pixel_masks[own], made.object_masks[own])
    assert "nothing kept of 2 images" in foot and f"{share:.0%}".rstrip("%") in foot
    assert "images of which nothing is shown</dt><dd>2<" in _facts(exp, None, None)
    assert "nothing is shown" not in _facts(made.explanation, None, None)
