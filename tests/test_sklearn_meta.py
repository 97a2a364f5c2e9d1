"""scikit-learn's meta-estimators around P2PClassifier, with images, labels and object masks."""

import joblib
import numpy as np
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
)
from sklearn.pipeline import make_pipeline

from p2pselect import P2PClassifier, SuperpixelTransformer, presets
from p2pselect.datasets import make_digit_scenes
from p2pselect.metrics import ExplanationScorers, get_scorer
from p2pselect.model_selection import CertaintySearchCV, cross_validate_explanations

LOCALIZATION = get_scorer("localization")


@pytest.fixture(scope="module", autouse=True)
def _routing_on_one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with sklearn.config_context(enable_metadata_routing=True):
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def scenes():
    data = make_digit_scenes(24, image_size=32, random_state=0)
    return data.images, data.target % 2, data.masks


@pytest.fixture
def clf():
    tiny = {"image_size": 32, "max_epochs": 1, "objective__warmup_epochs": 0, "random_state": 0}
    return P2PClassifier().set_params(**{**presets.SMALL, **tiny})


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_cross_validate_with_several_scores(clf, scenes, n_jobs):
    X, y, M = scenes
    with joblib.parallel_config("loky"):
        result = cross_validate(
            clf,
            X,
            y,
            cv=2,
            n_jobs=n_jobs,
            scoring={
                "accuracy": "accuracy",
                "localization": LOCALIZATION,
                "insertion": get_scorer("insertion_fidelity"),
            },
            params={"masks": M},
            error_score="raise",
        )
    serial = [
        cross_val_score(clf, X, y, cv=2, scoring=s, params=p, error_score="raise")
        for s, p in ((LOCALIZATION, {"masks": M}), ("accuracy", None))
    ]
    np.testing.assert_allclose(result["test_localization"], serial[0], atol=1e-3)
    np.testing.assert_allclose(result["test_accuracy"], serial[1])
    assert ((result["test_insertion"] > 0) & (result["test_insertion"] <= 1)).all()


def test_cross_validate_explanations(clf, scenes):
    X, y, M = scenes
    names = ["accuracy", "localization", "insertion_fidelity", "neg_kept_fraction"]
    ours = cross_validate_explanations(clf, X, y, masks=M, scoring=names, cv=2)
    assert ours["random_localization"] == pytest.approx(M.mean(), abs=0.02)
    for name in names[1:]:
        scorer = get_scorer(name)
        params = {"masks": M} if "masks" in scorer.needs else None
        theirs = cross_val_score(clf, X, y, cv=2, scoring=scorer, params=params)
        np.testing.assert_allclose(ours[f"test_{name}"], theirs, atol=1e-6)


def test_grid_search_by_accuracy_and_by_localization(clf, scenes):
    X, y, M = scenes
    search = GridSearchCV(
        clf,
        {"certainty_threshold": [0.5, 0.99], "regions__n_segments": [16, 36]},
        cv=2,
        scoring=ExplanationScorers(["accuracy", "localization"]),
        refit="localization",
        error_score="raise",
    ).fit(X, y, masks=M)
    assert search.best_score_ == search.cv_results_["mean_test_localization"].max()
    assert len(search.cv_results_["mean_test_accuracy"]) == 4
    regions = search.best_estimator_.explain(X[:4]).n_regions
    assert regions.max() <= 1.5 * search.best_params_["regions__n_segments"]
    # A search is an estimator with explanations too.
    assert search.score(X, y, masks=M) == LOCALIZATION(search, X, masks=M)


def test_grid_search_on_a_dask_cluster(clf, scenes, tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="dask is not installed")
    monkeypatch.setenv("DASK_TEMPORARY_DIRECTORY", str(tmp_path))
    X, y, M = scenes
    search = GridSearchCV(clf, {"lr": [1e-3, 1e-2]}, scoring=LOCALIZATION, cv=2, n_jobs=2)
    alone = clone(search).set_params(n_jobs=None).fit(X, y, masks=M)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        search.fit(X, y, masks=M)
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"], atol=1e-6
    )


def test_randomized_and_halving_search(clf, scenes):
    X, y, M = scenes
    grid = {"lr": [1e-3, 4e-3]}
    random = RandomizedSearchCV(
        clf, grid, n_iter=2, cv=2, scoring=LOCALIZATION, random_state=0, error_score="raise"
    ).fit(X, y, masks=M)
    assert np.isfinite(random.best_score_)
    halving = HalvingGridSearchCV(
        clf, grid, cv=2, scoring="accuracy", min_resources=12, random_state=0
    ).fit(X, y)
    assert halving.best_params_["lr"] in grid["lr"]


def test_nested_cross_validation(clf, scenes):
    X, y, M = scenes
    search = GridSearchCV(clf, {"tau": [0.2, 1.0]}, cv=2, scoring=LOCALIZATION)
    scores = cross_val_score(
        search, X, y, cv=2, scoring=LOCALIZATION, params={"masks": M}, error_score="raise"
    )
    assert np.isfinite(scores).all()


def test_pipeline_is_the_estimator_with_its_own_regions(clf, scenes):
    X, y, M = scenes
    proposer = SuperpixelTransformer(n_segments=30)
    inside = clone(clf).set_params(regions=proposer).fit(X, y)
    pipeline = make_pipeline(clone(proposer).set_params(output="images+regions"), clf).fit(X, y)
    np.testing.assert_allclose(pipeline.predict_proba(X), inside.predict_proba(X), atol=1e-6)
    score = LOCALIZATION(pipeline, X, masks=M)
    assert score == pytest.approx(LOCALIZATION(inside, X, masks=M))


def count_and_propose(image):
    from skimage.util import view_as_blocks

    with open(count_and_propose.log, "a") as log:  # noqa: PTH123
        log.write("x")
    h, w = image.shape[:2]
    labels = np.zeros((h, w), int)
    view_as_blocks(labels, (8, 8))[:] = np.arange(16).reshape(4, 4, 1, 1)
    return labels


def test_pipeline_with_memory_proposes_regions_once_per_fold(clf, scenes, tmp_path):
    X, y, M = scenes
    log = tmp_path / "calls"
    count_and_propose.log = str(log)
    pipeline = make_pipeline(
        SuperpixelTransformer(engine=count_and_propose, output="images+regions"),
        clf,
        memory=str(tmp_path / "cache"),
    )
    grid = {"p2pclassifier__lr": [1e-3, 2e-3, 4e-3]}
    GridSearchCV(pipeline, grid, cv=2, scoring="accuracy", refit=False).fit(X, y)
    # Training halves once (12 + 12); the other halves are for scoring, once a candidate.
    assert len(log.read_text()) == 24 + 3 * 24


def test_calibration_and_voting(clf, scenes):
    X, y, _ = scenes
    calibrated = CalibratedClassifierCV(clf, cv=2, method="sigmoid").fit(X, y)
    assert calibrated.predict_proba(X).shape == (24, 2)
    other = clone(clf).set_params(random_state=1)
    voting = VotingClassifier([("a", clf), ("b", other)], voting="soft").fit(X, y)
    mean = (clone(clf).fit(X, y).predict_proba(X) + clone(other).fit(X, y).predict_proba(X)) / 2
    np.testing.assert_allclose(voting.predict_proba(X), mean, atol=1e-5)


def test_learning_curve_permutation_test_and_cross_val_predict(clf, scenes):
    X, y, M = scenes
    _, _, test = learning_curve(
        clf,
        X,
        y,
        cv=2,
        train_sizes=[0.7, 1.0],
        scoring=LOCALIZATION,
        params={"masks": M},
        error_score="raise",
    )
    assert np.isfinite(test).all()
    score, permuted, p = permutation_test_score(
        clf, X, y, cv=2, n_permutations=2, scoring=LOCALIZATION, params={"masks": M}
    )
    assert np.isfinite([score, *permuted, p]).all()
    proba = cross_val_predict(clf, X, y, cv=2, method="predict_proba")
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)


def test_groups_and_weights_are_routed_beside_masks(clf, scenes):
    X, y, M = scenes
    groups = np.arange(24) // 4
    weighted = clone(clf).set_fit_request(sample_weight=True)
    params = {"masks": M, "groups": groups, "sample_weight": np.arange(24) + 1.0}
    scoring = ExplanationScorers(["localization", "neg_log_loss"])
    options = {"cv": GroupKFold(3), "scoring": scoring, "error_score": "raise"}
    with_weights = cross_validate(weighted, X, y, params=params, **options)
    assert np.isfinite(with_weights["test_localization"]).all()
    del params["sample_weight"]
    without = cross_validate(clf, X, y, params=params, **options)
    assert (with_weights["test_neg_log_loss"] != without["test_neg_log_loss"]).all()


def test_certainty_search_needs_one_training_per_fold(clf, scenes, monkeypatch):
    X, y, M = scenes
    fits = []
    original = P2PClassifier.fit
    monkeypatch.setattr(
        P2PClassifier, "fit", lambda self, *a, **k: fits.append(1) or original(self, *a, **k)
    )
    clf = clone(clf).set_params(objective__tau_training="uniform")
    grid = {"certainty_threshold": [0.5, 0.9], "tau": ["dynamic", 0.3]}
    search = CertaintySearchCV(clf, grid, scoring=["accuracy", "localization"], cv=2)
    search.fit(X, y, masks=M)
    assert len(fits) == 3
    slow = GridSearchCV(
        clf, grid, cv=2, scoring=ExplanationScorers(["accuracy"]), refit="accuracy"
    ).fit(X, y)
    for name in ("mean_test_accuracy", "rank_test_accuracy"):
        np.testing.assert_allclose(search.cv_results_[name], slow.cv_results_[name])


def test_masks_without_routing_get_an_error_that_helps(clf, scenes):
    X, y, M = scenes
    clf.fit(X, y)
    with sklearn.config_context(enable_metadata_routing=False):
        with pytest.raises(ValueError, match="metadata routing is switched off") as error:
            LOCALIZATION(clf, X, y)
        # Without routing, what is passed goes to fit alone.
        with pytest.raises(ValueError, match="fit does not learn from valid") as unrouted:
            cross_validate(clf, X, y, cv=2, params={"valid": M}, error_score="raise")
    for message in (str(error.value), str(unrouted.value)):
        assert 'params={"masks": M}' in message


def test_masks_stay_arrays_whatever_output_is_asked_for(clf, scenes):
    X, y, _ = scenes
    clf.fit(X, y)
    with sklearn.config_context(transform_output="pandas"):
        assert clf.transform(X).dtype == bool
        assert SuperpixelTransformer().fit_transform(X[:2]).dtype == np.int32
    # A table has no place for masks and label maps.
    assert not hasattr(clf, "set_output") and not hasattr(SuperpixelTransformer(), "set_output")
