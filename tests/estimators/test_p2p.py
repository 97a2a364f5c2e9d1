"""P2PClassifier: training, prediction, explanation."""

import gc
import pickle
import warnings
import weakref

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, EarlyStopping

from p2pselect import P2PClassifier, SuperpixelTransformer
from p2pselect._answering import FALLBACKS
from p2pselect.exceptions import InputError, P2PSelectWarning


def test_faithful_by_construction(clf, X):
    clf = pickle.loads(pickle.dumps(clf)).set_params(tau=0.3, selection="budget")
    exp = clf.explain(X)
    assert 0.05 <= exp.kept_fraction.min() and exp.kept_fraction.max() <= 0.3
    proba = clf.predict_proba(X)
    np.testing.assert_allclose(clf.predict_proba_masked(exp.masked_images), proba, atol=1e-6)
    assert abs(clf.predict_proba_masked(exp.images) - proba).max() > 0.01
    np.testing.assert_array_equal(clf.transform(X), exp.pixel_masks)
    np.testing.assert_array_equal(exp.proba, proba)
    np.testing.assert_array_equal(exp.predicted, clf.predict(X))


def test_what_is_no_region_of_an_image_is_ranked_last(clf, X):
    exp = clf.explain(X)
    padding = exp.region_areas == 0
    assert padding.any() and np.isneginf(exp.selection_logits[padding]).all()
    assert np.isfinite(exp.selection_logits[~padding]).all()


def test_a_budget_of_pixels_is_answered_as_certainly_as_it_can_be(clf, X):
    clf = pickle.loads(pickle.dumps(clf)).set_params(search__fallback="everything")
    free = clf.explain(X, certainty_threshold=1.0)
    for max_kept in (0.15, 0.4, 1.0):
        exp = clf.explain(X, certainty_threshold=1.0, max_kept=max_kept)
        one_region = exp.region_masks.sum(axis=1) == 1
        assert (exp.kept_fraction[~one_region] <= max_kept + 1e-6).all()
        shown = clf.predict_proba_masked(exp.masked_images)
        np.testing.assert_allclose(shown, exp.proba, atol=1e-6)
        # The slow way: every mask of the free search that fits, and its probabilities.
        for n in range(len(X)):
            n_regions = exp.selection_logits.shape[1]
            area = np.bincount(exp.regions[n].ravel(), minlength=n_regions)
            order = np.argsort(-exp.selection_logits[n], kind="stable")
            fits = (area[order].cumsum() <= max_kept * exp.regions[n].size + 1e-6).sum()
            seen = {}
            for count in np.minimum(free.path_counts[n], max(fits, 1)):
                mask = np.isin(exp.regions[n], order[:count])
                seen[count] = exp.images[n] * mask[..., None]
            best = clf.predict_proba_masked(np.stack(list(seen.values()))).max(axis=1)
            assert exp.proba[n].max() >= best.max() - 1e-5
    sure = clf.explain(X, certainty_threshold=0.01, max_kept=0.9)
    np.testing.assert_array_equal(sure.tau, clf.explain(X, certainty_threshold=0.01).tau)
    with pytest.raises(InputError, match=r"max_kept must be a number in \(0, 1\], got 2"):
        clf.explain(X, max_kept=2)


def test_seeded_training_is_exact_and_leaves_the_global_generators_alone(clf, X, y, settings):
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    again = P2PClassifier().set_params(**settings).fit(X, y)
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    other = P2PClassifier().set_params(**{**settings, "random_state": 1}).fit(X, y)
    assert not np.allclose(other.predict_proba(X), clf.predict_proba(X))


def test_workers_change_nothing(clf, X, y, settings):
    worked = P2PClassifier().set_params(**{**settings, "training__num_workers": 2}).fit(X, y)
    np.testing.assert_array_equal(worked.predict_proba(X), clf.predict_proba(X))


def test_prediction_ignores_batch_size_and_order(clf, X):
    whole = clf.explain(X)
    order = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_allclose(
        clf.predict_proba(X[order]), whole.proba[order], atol=1e-5, rtol=0
    )
    single = pickle.loads(pickle.dumps(clf)).set_params(batch_size=1)
    np.testing.assert_allclose(single.predict_proba(X), whole.proba, atol=1e-5, rtol=0)


def test_one_image(clf, X):
    assert clf.predict(X[:1]).shape == (1,)
    assert clf.explain(X[:1]).pixel_masks.shape == (1, 32, 32)


def test_masks_are_constant_within_regions_and_never_empty(clf, X):
    for tau in (0.05, 0.5, 1.0):
        exp = clf.explain(X, tau=tau)
        assert exp.region_masks.any(axis=1).all()
        assert (exp.tau == tau).all()
        for regions, mask in zip(exp.regions, exp.pixel_masks, strict=True):
            kept = np.unique(regions[mask])
            np.testing.assert_array_equal(np.isin(regions, kept), mask)


def test_empty_masks_where_they_are_allowed(clf, X):
    lenient = pickle.loads(pickle.dumps(clf)).set_params(search__allow_empty=True)
    lenient.module_.selector.raw_slope.data.fill_(30.0)  # small tau: nothing above .5
    assert not lenient.explain(X, tau=0.05).pixel_masks.any()
    assert (
        lenient.set_params(search__allow_empty=False)
        .explain(X, tau=0.05)
        .pixel_masks.any(axis=(1, 2))
        .all()
    )


def test_masks_are_nested_in_tau(clf, X):
    masks = [clf.explain(X, tau=tau).pixel_masks for tau in (0.05, 0.2, 0.5, 0.8, 1.0)]
    for smaller, larger in zip(masks, masks[1:], strict=False):
        assert (larger | ~smaller).all()


def test_a_budget_is_a_guarantee(clf, X):
    budget = pickle.loads(pickle.dumps(clf)).set_params(selection="budget")
    for tau in (0.1, 0.35, 0.9, 1.0):
        exp = budget.explain(X, tau=tau)
        alone = exp.region_masks.sum(axis=1) == 1
        assert (alone | (exp.kept_fraction <= tau + 1e-9)).all()
        assert (exp.kept_fraction > 0).all()
    assert exp.kept_fraction.tolist() == [1.0] * len(X)


@pytest.mark.parametrize("fallback", FALLBACKS)
def test_dynamic_tau_is_the_smallest_certain_one(clf, X, fallback):
    clf = pickle.loads(pickle.dumps(clf)).set_params(search__fallback=fallback)
    # Some images reach it, and some do not, whatever the model has learned.
    best = clf.explain(X, whole_path=True).path_proba.max(axis=(1, 2))
    threshold = float(np.median(best))
    exp = clf.set_params(certainty_threshold=threshold).explain(X)
    fixed = [clf.explain(X, tau=float(tau)) for tau in exp.path_tau]
    certain = np.stack([f.certainty >= threshold for f in fixed], axis=1)
    assert 0 < certain.any(axis=1).mean() < 1
    last = len(fixed) - 1
    if fallback != "everything":
        last = np.stack([f.certainty for f in fixed], axis=1).argmax(axis=1)
    if fallback == "settled":
        said = np.stack([f.predicted for f in fixed], axis=1)
        for i, row in enumerate(said):
            while last[i] and row[last[i] - 1] == row[last[i]]:
                last[i] -= 1
    first = np.where(certain.any(axis=1), certain.argmax(axis=1), last)
    np.testing.assert_allclose(exp.tau, exp.path_tau[first])
    # All ways to ask agree, and what was shown is what was answered.
    np.testing.assert_array_equal(clf.transform(X), exp.pixel_masks)
    np.testing.assert_allclose(clf.predict_proba(X), exp.proba, atol=1e-6)
    np.testing.assert_allclose(
        clf.predict_proba_masked(exp.masked_images), exp.proba, atol=1e-6
    )
    np.testing.assert_array_equal(exp.answered, certain.any(axis=1))


def test_prediction_parameters_do_not_retrain(clf, X):
    strict = clf.explain(X, certainty_threshold=1.0)
    loose = clf.explain(X, certainty_threshold=0.5)
    assert (loose.tau == 0.05).all() and loose.answered.all()
    assert (strict.tau >= loose.tau).all()


def test_string_and_bool_labels(X, y, settings):
    names = np.array(["<b>even</b>", "odd"])[y]
    named = P2PClassifier().set_params(**settings).fit(X, names)
    assert set(named.predict(X)) <= set(names) and named.classes_.tolist() == sorted(set(names))
    assert P2PClassifier().set_params(**settings).fit(X, y == 1).predict(X).dtype == bool


def test_sample_weight_zero_is_leaving_out(X, y, settings):
    # With one batch an epoch the images of weight 0 can have no part in any gradient.
    settings = {**settings, "batch_size": 40, "augment": None}
    wrong = y.copy()
    wrong[:10] = 1 - wrong[:10]
    weight = np.r_[np.zeros(10), np.ones(30)]
    one = P2PClassifier().set_params(**settings).fit(X, y, sample_weight=weight)
    other = P2PClassifier().set_params(**settings).fit(X, wrong, sample_weight=weight)
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


def test_class_weight_is_sample_weight(X, y, settings):
    settings = {**settings, "class_weight": {0: 3.0, 1: 1.0}}
    by_class = P2PClassifier().set_params(**settings).fit(X, y)
    settings["class_weight"] = None
    by_sample = (
        P2PClassifier()
        .set_params(**settings)
        .fit(X, y, sample_weight=np.where(y == 0, 3.0, 1.0))
    )
    np.testing.assert_allclose(by_class.predict_proba(X), by_sample.predict_proba(X), atol=1e-5)


def test_history_validation_and_callbacks(X, y, settings):
    settings = {
        **settings,
        "validation": 0.25,
        "max_epochs": 6,
        "training__callbacks": [
            EarlyStopping(monitor="valid_loss", patience=1, threshold=10.0)
        ],
    }
    stopped = P2PClassifier().set_params(**settings).fit(X, y)
    assert len(stopped.history_) < 6
    row = stopped.history_[-1]
    assert {"train_sparsity", "valid_loss", "valid_covariance"} <= set(row)
    terms = row["train_cross_entropy"] + row["train_sparsity"] + row["train_covariance"]
    assert row["train_loss"] == pytest.approx(terms, rel=1e-4)
    assert stopped.history_[0]["phase"] == "warmup" and row["phase"] == "joint"


def test_warmup_leaves_the_selector_alone(X, y, settings):
    before = P2PClassifier().set_params(**{**settings, "max_epochs": 0}).fit(X, y)
    after = (
        P2PClassifier()
        .set_params(**{**settings, "max_epochs": 2, "objective__warmup_epochs": 2})
        .fit(X, y)
    )
    selector = [m.module_.selector.state_dict() for m in (before, after)]
    assert all(torch.equal(selector[0][k], selector[1][k]) for k in selector[0])
    classifier = [m.module_.classifier.state_dict() for m in (before, after)]
    assert not all(torch.equal(classifier[0][k], classifier[1][k]) for k in classifier[0])


def test_an_interrupt_keeps_what_was_learned(X, y, settings):
    class Interrupt(Callback):
        def on_batch_end(self, net, **kwargs):
            if len(net.history) == 2:
                raise KeyboardInterrupt

    with pytest.warns(P2PSelectWarning, match="interrupted after 1 full epochs"):
        clf = (
            P2PClassifier()
            .set_params(**{**settings, "training__callbacks": [Interrupt()]})
            .fit(X, y)
        )
    assert len(clf.history_) == 1 and clf.predict_proba(X).shape == (40, 2)


def test_warm_start_and_partial_fit_continue(X, y, settings):
    warm = P2PClassifier().set_params(**settings, warm_start=True).fit(X, y)
    first = warm.predict_proba(X)
    warm.fit(X, y)
    assert len(warm.history_) == 4 and not np.allclose(first, warm.predict_proba(X))
    with pytest.raises(InputError, match="continues with the classes"):
        warm.fit(X, y + 1)
    part = (
        P2PClassifier().set_params(**settings).partial_fit(X[:10], y[:10] * 0, classes=[0, 1])
    )
    part.partial_fit(X, y)
    assert len(part.history_) == 2 and part.predict_proba(X).shape == (40, 2)
    with pytest.raises(InputError, match=r"y\[1\] is 7, which is not one of the classes"):
        part.partial_fit(X[:2], [1, 7])


def test_given_regions_are_used(clf, X, y, settings):
    quarters = np.zeros((32, 32), int)
    quarters[16:] += 2
    quarters[:, 16:] += 1
    maps = np.tile(quarters, (40, 1, 1))
    exp = (
        P2PClassifier().set_params(**settings).fit(X, y, regions=maps).explain(X, regions=maps)
    )
    np.testing.assert_array_equal(exp.regions, maps)
    larger = np.kron(maps, np.ones((1, 2, 2), int))
    large = np.kron(X, np.ones((1, 2, 2, 1), np.uint8))
    np.testing.assert_array_equal(clf.explain(large, regions=larger).regions, maps)
    one_region = clf.explain(X, regions=maps * 0)
    assert one_region.pixel_masks.all()


@pytest.mark.parametrize("regions", ["grid", lambda image: np.zeros(image.shape[:2], int)])
def test_regions_by_name_or_function(X, y, settings, regions):
    exp = (
        P2PClassifier().set_params(**{**settings, "regions": regions}).fit(X, y).explain(X[:2])
    )
    assert len(exp) == 2


def test_nested_settings_reach_the_regions(settings):
    clf = P2PClassifier().set_params(**{**settings, "regions": SuperpixelTransformer()})
    clf.set_params(regions__n_segments=7)
    assert clf.regions.n_segments == 7


@pytest.mark.parametrize("augment", [None, "flip", "paper"])
@pytest.mark.parametrize(
    "variant", [{"networks__tau_input": "additive"}, {"networks__embedding_dim": 0}]
)
def test_variants_train(X, y, settings, augment, variant):
    clf = (
        P2PClassifier()
        .set_params(**{**settings, "augment": augment, **variant})
        .fit(X[:20], y[:20])
    )
    exp = clf.explain(X[:4])
    assert (exp.region_embeddings is None) == ("networks__embedding_dim" in variant)


def test_a_callable_augmentation_sees_the_regions(X, y, settings):
    seen = []

    def augment(images, regions, rng):
        seen.append((images.shape[1:], regions.shape[1:], rng.random()))
        return images, regions

    P2PClassifier().set_params(**{**settings, "augment": augment}).fit(X, y)
    assert {s[:2] for s in seen} == {((32, 32, 3), (32, 32))}
    assert len({s[2] for s in seen}) == len(seen)


def test_memory_is_given_back_at_once(clf, X, y, settings):
    clf.explain(X[:2])  # the first time, imports leave references behind
    few = {**settings, "max_epochs": 1, "objective__warmup_epochs": 0}
    gc.collect()
    gc.disable()
    try:
        made = P2PClassifier().set_params(**few).fit(X, y)
        made.explain(X[:2])
        left = [weakref.ref(part) for part in (made, made.net_, made.module_)]
        del made
        assert [part() for part in left] == [None, None, None]
    finally:
        gc.enable()


def test_other_image_sizes_are_resized(clf):
    odd = np.random.default_rng(0).integers(0, 256, (3, 50, 41, 3), dtype=np.uint8)
    assert clf.explain(odd).images.shape == (3, 32, 32, 3)


@pytest.mark.slow
def test_the_defaults_work_on_20_small_images_without_a_network(X, y):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clf = P2PClassifier(max_epochs=1, random_state=0).fit(X[:20], y[:20])
    words = [str(w.message) for w in caught if issubclass(w.category, P2PSelectWarning)]
    assert sum("presets.SMALL" in w for w in words) == 1
    assert clf.explain(X[:2]).pixel_masks.shape == (2, 224, 224)
