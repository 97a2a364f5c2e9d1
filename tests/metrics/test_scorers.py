import pickle
from copy import deepcopy

import numpy as np
import pytest
import sklearn
from oracles.toy_classifier import ToyClassifier, make_toy_scenes
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from p2pselect import metrics
from p2pselect.exceptions import InputError, UnknownNameError
from p2pselect.metrics import (
    ExplanationScorers,
    get_scorer,
    get_scorer_names,
    make_explanation_scorer,
)
from p2pselect.metrics._explained import find_explainer
from p2pselect.metrics._scores import SCORES


@pytest.fixture(scope="module")
def scenes():
    return make_toy_scenes(18)


@pytest.fixture
def model(scenes):
    return ToyClassifier().fit(*scenes[:2])


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def brightness(explanation):
    return explanation.images.mean()


def test_every_scorer_gives_a_number_and_says_its_direction(model, scenes):
    X, y, M = scenes
    for name in get_scorer_names():
        scorer = get_scorer(name)
        score = scorer(model, X, y, masks=M) if "masks" in scorer.needs else scorer(model, X, y)
        assert isinstance(score, float)
        assert np.isfinite(score)
        assert (score <= 0) == name.startswith("neg_")
        assert SCORES[name][2] != name.startswith("neg_")  # also where a score is 0
        assert "greater is better" in repr(scorer)


def test_images_are_scored_as_they_reach_the_estimator(model, scenes):
    X = scenes[0]
    darker = FunctionTransformer(lambda images: images // 2)
    found, images = find_explainer(make_pipeline(darker, model), X, asked_by="a test")
    assert found is model
    np.testing.assert_array_equal(images, X // 2)


def test_scorers_equal_the_functions(model, scenes):
    X, y, M = scenes
    exp, proba = model.explain(X), model.predict_proba_masked
    right = exp.predicted == y
    expected = {
        "localization": metrics.localization_score(exp.pixel_masks, M),
        "mask_iou": metrics.mask_iou_score(exp.pixel_masks, M),
        "mask_recall": metrics.mask_recall_score(exp.pixel_masks, M),
        "pointing_game": metrics.pointing_game_score(exp.heat_maps, M),
        "pixel_average_precision": metrics.pixel_average_precision_score(exp.heat_maps, M),
        "random_localization": metrics.random_localization(M),
        "center_localization": metrics.center_localization(exp.pixel_masks, M),
        "insertion_fidelity": metrics.insertion_fidelity_curve(exp, proba).area,
        "neg_deletion_fidelity": -metrics.deletion_fidelity_curve(exp, proba).area,
        "insertion_auc": metrics.insertion_probability_curve(exp, proba).area,
        "neg_deletion_auc": -metrics.deletion_probability_curve(exp, proba).area,
        "full_image_agreement": metrics.full_image_agreement(exp, proba),
        "complement_disagreement": metrics.complement_disagreement(exp, proba),
        "neg_kept_fraction": -metrics.kept_fraction(exp.pixel_masks),
        "neg_n_selected_regions": -metrics.n_selected_regions(exp.region_masks),
        "neg_n_empty": -metrics.n_empty_masks(exp.pixel_masks),
        "coverage": exp.answered.mean(),
        "selective_accuracy": right[exp.answered].mean(),
        "neg_calibration_error": -metrics.expected_calibration_error(right, exp.certainty),
        "neg_aurc": -metrics.aurc(right, exp.certainty),
    }
    assert sorted(expected) == get_scorer_names()
    together = ExplanationScorers(get_scorer_names())(model, X, y, masks=M)
    for name, value in expected.items():
        assert together[name] == pytest.approx(value, abs=1e-12), name


def test_several_scores_take_one_explanation_and_share_masked_images(model, scenes):
    X, y, M = scenes
    seen = []
    original = model.predict_proba_masked
    model.predict_proba_masked = lambda images: seen.append(len(images)) or original(images)
    before = model.n_explained_
    names = ["accuracy", "neg_log_loss", "localization", "insertion_fidelity"]
    scores = ExplanationScorers([*names, "neg_deletion_fidelity"])(model, X, y, masks=M)
    assert model.n_explained_ == before + 1
    # 4 kept patches: 3 partial masks each way, x_m, one black image (explain makes one call).
    assert sum(seen[1:]) == len(X) * 7 + 1
    assert scores["accuracy"] == np.mean(model.predict(X) == y)


def test_valid_leaves_pixels_out(model, scenes):
    X, y, M = scenes
    valid = np.zeros_like(M)
    valid[:, :8] = True
    scorer = get_scorer("localization")
    kept = model.explain(X).pixel_masks
    expected = metrics.localization_score(kept, M, valid=valid)
    assert scorer(model, X, y, masks=M, valid=valid) == expected
    assert expected != metrics.localization_score(kept, M)


def test_masks_of_another_size_are_resized(model, scenes):
    X, y, M = scenes
    scorer = get_scorer("localization")
    large = M.repeat(3, axis=1).repeat(3, axis=2).astype(np.uint8) * 255
    assert scorer(model, X, y, masks=large) == scorer(model, X, y, masks=M)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_masks_reach_scorers_through_cross_validation(scenes, routing, n_jobs):
    X, y, M = scenes
    scoring = {name: get_scorer(name) for name in ("localization", "insertion_fidelity")}
    scoring["accuracy"] = "accuracy"
    result = cross_validate(
        ToyClassifier(), X, y, scoring=scoring, cv=3, n_jobs=n_jobs, params={"masks": M}
    )
    single = cross_val_score(
        ToyClassifier(), X, y, scoring=scoring["localization"], cv=3, params={"masks": M}
    )
    np.testing.assert_array_equal(result["test_localization"], single)
    fold = np.sort(np.concatenate([np.flatnonzero(y == c)[:2] for c in np.unique(y)]))
    rest = np.setdiff1d(np.arange(len(y)), fold)
    by_hand = ToyClassifier().fit(X[rest], y[rest])
    expected = get_scorer("localization")(by_hand, X[fold], masks=M[fold])
    assert single[0] == expected


def test_masks_under_another_name(scenes, routing):
    X, y, M = scenes
    scorer = get_scorer("localization").set_score_request(masks="object_masks")
    score = cross_val_score(
        ToyClassifier(), X, y, scoring=scorer, params={"object_masks": M}, error_score="raise"
    )
    assert np.isfinite(score).all()
    with pytest.raises(InputError, match=r"takes \['masks', 'valid'\], got \['weights'\]"):
        scorer.set_score_request(weights=True)


def test_grid_search_and_pipeline_are_unwrapped(scenes, routing):
    X, y, M = scenes
    scorer = get_scorer("localization")
    pipeline = make_pipeline(FunctionTransformer(np.ascontiguousarray), ToyClassifier())
    search = GridSearchCV(
        pipeline, {"toyclassifier__tau": [0.25, 1.0]}, scoring=scorer, cv=2, error_score="raise"
    ).fit(X, y, masks=M)
    assert search.best_params_ == {"toyclassifier__tau": 0.25}
    alone = ToyClassifier(tau=0.25).fit(X, y)
    assert search.score(X, y, masks=M) == scorer(alone, X, masks=M)
    nested = cross_val_score(
        search, X, y, scoring=scorer, cv=2, params={"masks": M}, error_score="raise"
    )
    assert np.isfinite(nested).all()


def test_dictionary_of_scores_in_a_search(scenes, routing):
    X, y, M = scenes
    search = GridSearchCV(
        ToyClassifier(),
        {"tau": [0.25, 1.0]},
        scoring=ExplanationScorers(["localization", "accuracy"]),
        refit="localization",
        cv=2,
        error_score="raise",
    ).fit(X, y, masks=M)
    assert search.best_params_ == {"tau": 0.25}
    assert "mean_test_accuracy" in search.cv_results_


def test_sample_weights_for_a_search_are_not_for_these_scorers():
    assert not get_scorer("localization")._accept_sample_weight()


@pytest.mark.parametrize("name", get_scorer_names())
def test_scorers_survive_pickle_and_copy(name, model, scenes):
    X, y, M = scenes
    scorer = get_scorer(name)
    arguments = {"masks": M} if "masks" in scorer.needs else {}
    for again in (pickle.loads(pickle.dumps(scorer)), deepcopy(scorer)):
        assert again(model, X, y, **arguments) == scorer(model, X, y, **arguments)


def test_own_scorers(model, scenes):
    X, y, M = scenes
    scorer = make_explanation_scorer(brightness, needs=(), greater_is_better=False)
    assert scorer(model, X) == -X.mean()
    assert repr(scorer) == (
        "<explanation scorer 'neg_brightness', minus sign: greater is better>"
    )
    with pytest.raises(UnknownNameError, match=r"needs must be among .* got \['mask'\]"):
        make_explanation_scorer(brightness, needs="mask")


def test_own_scorer_objects_beside_names(model, scenes):
    X, y, M = scenes
    scoring = {"light": make_explanation_scorer(brightness, needs=()), "own": lambda e, X, y: 3}
    assert ExplanationScorers(scoring)(model, X, y) == {"light": X.mean(), "own": 3.0}
    assert list(ExplanationScorers("accuracy").scorers) == ["accuracy"]
    with pytest.raises(InputError, match="at least one"):
        ExplanationScorers([])


def test_unknown_names_list_near_matches():
    with pytest.raises(UnknownNameError, match="did you mean 'localization'"):
        get_scorer("localisation")  # codespell:ignore localisation
    with pytest.raises(UnknownNameError, match="there are"):
        ExplanationScorers(["no such score at all"])


def test_missing_masks_tell_the_line_to_write(model, scenes):
    X, y, _ = scenes
    scorer = get_scorer("localization")
    with pytest.raises(InputError) as error:
        scorer(model, X, y)
    assert "metadata routing is switched off" in str(error.value)
    line = 'cross_val_score(estimator, X, y, scoring=get_scorer("localization"), params={"masks'
    assert line in str(error.value)
    with sklearn.config_context(enable_metadata_routing=True):
        with pytest.raises(InputError) as error:
            cross_val_score(ToyClassifier(), X, y, scoring=scorer, error_score="raise")
    assert "switched off" not in str(error.value)
    assert "cross_validate_explanations" in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"masks": np.ones((17, 16, 16), bool)}, "masks must have one entry .* 17 for 18"),
        ({"valid": np.ones((17, 16, 16), bool)}, "valid must have one entry .* 17 for 18"),
        ({"masks": np.full((18, 16, 16), 0.5)}, r"masks\[0\] must be bool.*>= 0.5"),
        ({"masks": np.zeros((18, 16, 16), bool)}, "no object pixel in any of the 18 images"),
    ],
)
def test_bad_masks_are_named(model, scenes, change, message):
    X, y, M = scenes
    with pytest.raises(InputError, match=message):
        get_scorer("localization")(model, X, y, **{"masks": M, **change})


def test_estimators_that_cannot_explain_and_missing_labels_are_named(model, scenes):
    X, y, M = scenes
    flat = LogisticRegression(max_iter=2)
    with pytest.raises(InputError, match=r"needs an estimator with explain\(X\).*LogisticReg"):
        get_scorer("localization")(flat, X, y, masks=M)
    with pytest.raises(InputError, match="needs y, the labels"):
        get_scorer("neg_calibration_error")(model, X)

    class Explains(LogisticRegression):
        def explain(self, X):
            return model.explain(X)

    with pytest.raises(InputError, match="predict_proba_masked.*Explains does not predict"):
        get_scorer("insertion_fidelity")(Explains(), X)
