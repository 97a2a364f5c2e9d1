import warnings

import numpy as np
import pytest
import sklearn
from oracles.toy_classifier import ToyClassifier, make_toy_scenes
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from p2pselect.exceptions import InputError, UnknownNameError
from p2pselect.metrics import get_scorer
from p2pselect.model_selection import CertaintySearchCV, cross_validate_explanations


class CountingClassifier(ToyClassifier):
    """Counts its trainings."""

    fits = 0

    def fit(self, X, y):
        CountingClassifier.fits += 1
        return super().fit(X, y)


class SizedToy(ToyClassifier):
    """Has two settings of prediction."""

    def _prediction_parameters(self):
        return {"tau", "soft"}


@pytest.fixture(scope="module")
def scenes():
    return make_toy_scenes(24)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_equals_scikit_learns_cross_validation(scenes, n_jobs):
    X, y, M = scenes
    names = ["localization", "insertion_fidelity", "accuracy"]
    ours = cross_validate_explanations(
        ToyClassifier(), X, y, masks=M, scoring=names, cv=3, n_jobs=n_jobs
    )
    assert not sklearn.get_config()["enable_metadata_routing"]
    with sklearn.config_context(enable_metadata_routing=True):
        theirs = cross_validate(
            ToyClassifier(),
            X,
            y,
            scoring={n: get_scorer(n) for n in names[:2]} | {"accuracy": "accuracy"},
            cv=3,
            params={"masks": M},
        )
    for name in names:
        np.testing.assert_allclose(ours[f"test_{name}"], theirs[f"test_{name}"], atol=1e-12)
    assert len(ours["random_localization"]) == len(ours["center_localization"]) == 3
    assert ours["random_localization"] == pytest.approx([0.25] * 3)


def test_one_explanation_per_fold(scenes):
    X, y, M = scenes
    result = cross_validate_explanations(
        ToyClassifier(), X, y, masks=M, cv=3, return_estimator=True
    )
    assert [fitted.n_explained_ for fitted in result["estimator"]] == [1, 1, 1]
    assert {"test_accuracy", "test_localization", "test_insertion_fidelity"} < set(result)


def test_without_masks_no_localization(scenes):
    X, y, _ = scenes
    result = cross_validate_explanations(ToyClassifier(), X, y, cv=2)
    assert "test_localization" not in result
    assert "random_localization" not in result


def test_groups_stay_together(scenes):
    X, y, M = scenes
    groups = np.arange(24) // 6
    by_number = cross_validate_explanations(
        ToyClassifier(), X, y, masks=M, cv=2, groups=groups, scoring="accuracy"
    )
    by_splitter = cross_validate_explanations(
        ToyClassifier(), X, y, cv=GroupKFold(4), groups=groups, scoring="accuracy"
    )
    assert len(by_number["test_accuracy"]) == 2
    assert len(by_splitter["test_accuracy"]) == 4


def test_a_number_of_folds_never_divides_a_group(scenes):
    X, y, _ = scenes
    groups = np.arange(24) // 3
    marked = X.copy()
    marked[:, -1, -1] = groups[:, None]  # in a corner that no image keeps

    class Remembering(ToyClassifier):
        def fit(self, X, y):
            self.groups_ = set(X[:, -1, -1, 0].tolist())
            return super().fit(X, y)

        def explain(self, X):
            assert self.groups_.isdisjoint(X[:, -1, -1, 0].tolist())
            return super().explain(X)

    result = cross_validate_explanations(
        Remembering(), marked, y, cv=3, groups=groups, scoring="accuracy", return_estimator=True
    )
    assert all(0 < len(fitted.groups_) < 8 for fitted in result["estimator"])


def test_masks_as_a_list_of_unequal_sizes(scenes):
    X, y, M = scenes
    unequal = [m.repeat(1 + i % 2, axis=0) for i, m in enumerate(M)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours = cross_validate_explanations(ToyClassifier(), X, y, masks=unequal, cv=2)
    same = cross_validate_explanations(ToyClassifier(), X, y, masks=M, cv=2)
    np.testing.assert_array_equal(ours["test_localization"], same["test_localization"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scoring": ["localization"]}, r"\['localization'\] need object masks.*masks=M"),
        ({"masks": np.ones((3, 16, 16), bool)}, "got 3 masks for 24 images"),
        ({"masks": np.full((24, 16, 16), 0.5)}, "pass masks >= 0.5"),
        ({"masks": np.ones((24, 16, 16), bool), "valid": np.ones((1, 2, 2), bool)}, "valid"),
    ],
)
def test_bad_masks_stop_before_any_training(scenes, options, message):
    X, y, _ = scenes
    before = CountingClassifier.fits
    with pytest.raises(InputError, match=message):
        cross_validate_explanations(CountingClassifier(), X, y, **options)
    assert CountingClassifier.fits == before


def test_certainty_search_equals_grid_search_with_one_training_per_fold(scenes):
    X, y, M = scenes
    grid = {"tau": [0.1, 0.25, 0.6, 1.0]}
    CountingClassifier.fits = 0
    search = CertaintySearchCV(CountingClassifier(), grid, scoring="localization", cv=3)
    search.fit(X, y, masks=M)
    assert CountingClassifier.fits == 3 + 1
    with sklearn.config_context(enable_metadata_routing=True):
        slow = GridSearchCV(ToyClassifier(), grid, scoring=get_scorer("localization"), cv=3)
        slow.fit(X, y, masks=M)
    assert search.best_params_ == slow.best_params_
    assert search.best_score_ == pytest.approx(slow.best_score_)
    ours, theirs = search.cv_results_, slow.cv_results_
    assert ours["params"] == theirs["params"]
    for ending in ("mean_test_{}", "std_test_{}", "rank_test_{}", "split2_test_{}"):
        np.testing.assert_allclose(
            ours[ending.format("localization")], theirs[ending.format("score")]
        )
    np.testing.assert_array_equal(search.predict(X), slow.predict(X))
    np.testing.assert_array_equal(search.predict_proba(X), slow.predict_proba(X))
    assert search.explain(X).tau[0] == search.best_params_["tau"]
    assert get_scorer("localization")(search, X, masks=M) == get_scorer("localization")(
        slow, X, masks=M
    )


def test_candidates_of_several_grids_start_from_the_same_settings(scenes):
    X, y, M = scenes
    model = SizedToy(tau=0.25)
    both = CertaintySearchCV(
        model, [{"tau": [1.0]}, {"soft": [False]}], scoring="localization", cv=2
    ).fit(X, y, masks=M)
    alone = CertaintySearchCV(model, {"tau": [0.25]}, scoring="localization", cv=2)
    alone.fit(X, y, masks=M)
    found = both.cv_results_["mean_test_localization"]
    assert found[1] == alone.cv_results_["mean_test_localization"][0] != found[0]


def test_certainty_search_inside_cross_validation_and_around_a_pipeline(scenes):
    X, y, M = scenes
    pipeline = make_pipeline(FunctionTransformer(np.ascontiguousarray), ToyClassifier())
    search = CertaintySearchCV(
        pipeline,
        {"toyclassifier__tau": [0.25, 1.0]},
        scoring=["accuracy", "localization"],
        refit="localization",
        cv=2,
    )
    with sklearn.config_context(enable_metadata_routing=True):
        scores = cross_val_score(
            clone(search),
            X,
            y,
            scoring=get_scorer("localization"),
            cv=2,
            params={"masks": M},
            error_score="raise",
        )
    assert np.isfinite(scores).all()
    search.fit(X, y, masks=M)
    assert search.best_params_ == {"toyclassifier__tau": 0.25}
    assert "mean_test_accuracy" in search.cv_results_


def test_certainty_search_refuses_what_needs_training(scenes):
    X, y, _ = scenes
    CountingClassifier.fits = 0
    with pytest.raises(UnknownNameError, match="patch of CountingClassifier is not a setting"):
        CertaintySearchCV(CountingClassifier(), {"patch": [2, 4]}).fit(X, y)
    pipeline = make_pipeline(FunctionTransformer(np.ascontiguousarray), CountingClassifier())
    with pytest.raises(UnknownNameError, match="countingclassifier__patch of CountingClass"):
        CertaintySearchCV(pipeline, {"countingclassifier__patch": [2, 4]}).fit(X, y)
    with pytest.raises(UnknownNameError, match="wrong__tau of no step 'wrong' is not a set"):
        CertaintySearchCV(pipeline, {"wrong__tau": [0.5]}).fit(X, y)
    assert CountingClassifier.fits == 0
    with pytest.raises(UnknownNameError, match="refit must be one of"):
        CertaintySearchCV(ToyClassifier(), {"tau": [0.5]}, refit="localization").fit(X, y)
    with pytest.raises(InputError, match="need object masks"):
        CertaintySearchCV(ToyClassifier(), {"tau": [0.5]}, scoring="localization").fit(X, y)
