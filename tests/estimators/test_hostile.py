"""Odd data and extreme settings: an answer that is finite, or one clear error."""

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from p2pselect import P2PClassifier, SuperpixelTransformer, presets
from p2pselect.exceptions import P2PSelectError

TINY = {
    **presets.SMALL,
    "image_size": 32,
    "max_epochs": 1,
    "objective__warmup_epochs": 0,
    "batch_size": 8,
    "regions": SuperpixelTransformer(n_segments=9),
    "random_state": 0,
}
SLOW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


def assert_sound(clf, X):
    exp = clf.explain(X)
    assert np.isfinite(exp.proba).all()
    np.testing.assert_allclose(exp.proba.sum(axis=1), 1, atol=1e-5)
    assert exp.region_masks.any(axis=1).all()
    np.testing.assert_array_equal(clf.predict(X), exp.predicted)


@SLOW
@given(
    images=hnp.arrays(
        np.uint8,
        st.tuples(
            st.just(4), st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3, 4])
        ),
        elements=st.sampled_from([0, 1, 127, 255]),
    )
)
def test_images_of_any_size(images):
    clf = P2PClassifier().set_params(**TINY).fit(images, [0, 1, 0, 1])
    assert_sound(clf, images)


@pytest.mark.parametrize("value", [0, 255])
def test_constant_images(value):
    images = np.full((6, 20, 30, 3), value, np.uint8)
    assert_sound(P2PClassifier().set_params(**TINY).fit(images, list("ababab")), images)


ODD_WEIGHTS = st.sampled_from([np.nan, np.inf, -1.0, 1e38, 1e300, 5e-324])


@SLOW
@given(
    weights=hnp.arrays(
        np.float64,
        st.just(8),
        elements=st.floats(0, 10),
    ),
    odd=st.one_of(st.none(), ODD_WEIGHTS),
)
def test_any_weights(weights, odd):
    if odd is not None:
        weights[3] = odd
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            clf = (
                P2PClassifier()
                .set_params(**TINY)
                .fit(images, [0, 1] * 4, sample_weight=weights)
            )
        except P2PSelectError:
            return
    assert_sound(clf, images)


@SLOW
@given(
    tau=st.one_of(st.just("dynamic"), st.floats(1e-300, 1)),
    certainty=st.floats(1e-300, 1),
    tau_min=st.floats(1e-6, 0.999),
    tau_step=st.floats(0.005, 0.999),
    selection=st.sampled_from(["threshold", "budget"]),
    max_kept=st.one_of(st.none(), st.floats(1e-300, 1)),
)
def test_any_settings_of_prediction(
    clf, X, tau, certainty, tau_min, tau_step, selection, max_kept
):
    own = {"search__tau_min": tau_min, "search__tau_step": tau_step, "selection": selection}
    before = clf.get_params()
    try:
        clf.set_params(**own)
        exp = clf.explain(X[:5], tau=tau, certainty_threshold=certainty, max_kept=max_kept)
    finally:
        clf.set_params(**{name: before[name] for name in own})
    assert np.isfinite(exp.proba).all() and exp.region_masks.any(axis=1).all()
    several = exp.region_masks.sum(axis=1) > 1
    if max_kept is not None:
        assert (exp.kept_fraction[several] <= max_kept + 1e-6).all()
    if selection == "budget":
        assert (exp.kept_fraction[several] <= exp.tau[several] + 1e-6).all()


@SLOW
@given(
    labels=st.sampled_from(
        [
            [-3, 7, 2**62],
            ["", "ü", "<b>"],
            [True, False],
            [0.0, 1.5],
            [None, 1],
            ["a", 1],
            [b"x", b"y"],
        ]
    ).flatmap(lambda pool: st.lists(st.sampled_from(pool), min_size=8, max_size=8))
)
def test_any_labels(labels):
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    try:
        clf = P2PClassifier().set_params(**TINY).fit(images, labels)
    except (ValueError, TypeError):
        return
    assert set(clf.predict(images).tolist()) <= set(clf.classes_.tolist())
    assert_sound(clf, images)
