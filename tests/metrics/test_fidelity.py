from dataclasses import replace

import numpy as np
import pytest
from oracles import fidelity as oracle
from oracles.toy_classifier import ToyClassifier, make_toy_scenes

from p2pselect.exceptions import InputError
from p2pselect.metrics import (
    PAPER_GRID,
    CachedPredictProba,
    FidelityCurve,
    complement_disagreement,
    deletion_fidelity_curve,
    deletion_probability_curve,
    full_image_agreement,
    insertion_fidelity_curve,
    insertion_probability_curve,
)

CURVES = {True: insertion_fidelity_curve, False: deletion_fidelity_curve}


@pytest.fixture(params=["patches", "soft", "nothing kept", "all kept", "one region"])
def case(request):
    """Explanation of 7 images and the classifier that looks at masked images."""
    X, y, _ = make_toy_scenes(24)
    options = {
        "patches": {"patch": 3},
        "soft": {"soft": True},
        "nothing kept": {"tau": 0.0},
        "all kept": {"tau": 1.0},
        "one region": {"patch": 16, "tau": 1.0},
    }[request.param]
    model = ToyClassifier(**options).fit(X, y)
    return model.explain(X[:7]), model.predict_proba_masked


def shuffled(exp, seed=0):
    """An order that disagrees with the mask, as baselines have it, with unequal regions."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=exp.selection_logits.shape).astype(np.float32)
    return replace(exp, selection_logits=logits)


@pytest.mark.parametrize("insert", [True, False])
@pytest.mark.parametrize("protocol", ["exact", "official"])
def test_curves_equal_the_slow_procedure(case, insert, protocol):
    exp, predict_proba = case
    for order in (exp, shuffled(exp)):
        slow = getattr(oracle, protocol)(order, predict_proba, PAPER_GRID, insert)
        curve = CURVES[insert](order, predict_proba, protocol=protocol)
        np.testing.assert_array_equal(curve.per_image, slow)
        np.testing.assert_array_equal(curve.values, slow.mean(axis=0))


@pytest.mark.parametrize("insert", [True, False])
def test_auc_curves_equal_the_slow_procedure(case, insert):
    exp, predict_proba = case
    if exp.soft_region_masks is not None:
        exp = shuffled(exp)
    slow = oracle.rise(exp, predict_proba, PAPER_GRID, insert)
    curve = (insertion_probability_curve if insert else deletion_probability_curve)(
        exp, predict_proba
    )
    np.testing.assert_allclose(curve.per_image, slow, atol=1e-6)


def test_the_two_protocols_differ():
    X, y, _ = make_toy_scenes(30)
    model = ToyClassifier(patch=4, tau=0.75).fit(X, y)
    exp = shuffled(model.explain(X))
    areas = [
        [curve(exp, model.predict_proba_masked, protocol=p).area for p in ("exact", "official")]
        for curve in CURVES.values()
    ]
    assert areas[0][0] != areas[0][1]
    assert areas[1][0] != areas[1][1]


def test_ends_of_the_curves(case):
    exp, predict_proba = case
    assert insertion_fidelity_curve(exp, predict_proba).values[-1] == 1
    assert deletion_fidelity_curve(exp, predict_proba).values[0] == 1


def test_hard_masks_in_the_order_of_their_scores_reach_one_at_their_own_area():
    X, y, _ = make_toy_scenes(12)
    model = ToyClassifier(tau=0.25).fit(X, y)
    curve = insertion_fidelity_curve(model.explain(X), model.predict_proba_masked)
    assert (curve.values[curve.fractions >= 0.25] == 1).all()


def test_one_classifier_image_per_distinct_mask():
    X, y, _ = make_toy_scenes(10)
    model = ToyClassifier(tau=0.25).fit(X, y)
    seen = []

    def predict_proba(images):
        seen.extend(image.tobytes() for image in images)
        return model.predict_proba_masked(images)

    classifier = CachedPredictProba(predict_proba)
    exp = model.explain(X)
    insertion = insertion_fidelity_curve(exp, classifier)
    deletion = deletion_fidelity_curve(exp, classifier)
    assert len(seen) == len(set(seen)) == classifier.n_images
    # 4 of 16 patches of 1/16 are kept: 0 to 4 of them shown; black is one image for all.
    assert insertion.n_masks == deletion.n_masks == 10 * 5
    assert insertion.n_classifier_images == 10 * 4 + 1
    assert deletion.n_classifier_images == 10 * 3


def test_every_pixel_a_region_breaks_ties_by_chance_not_by_position():
    X, y, _ = make_toy_scenes(9)
    flat = np.full_like(X, 200)
    model = ToyClassifier(tau=1.0, patch=1).fit(X, y)
    exp = model.explain(flat[:2])
    shown = []

    def predict_proba(images):
        shown.extend(images.any(axis=3))
        return model.predict_proba_masked(images)

    curve = insertion_fidelity_curve(exp, predict_proba, grid=[0, 0.3, 1])
    counts = sorted({int(mask.sum()) for mask in shown})
    assert counts == [0, round(0.3 * 256), 256]
    partial = next(mask for mask in shown if 0 < mask.sum() < 256)
    assert 0.1 < partial[:8].mean() < 0.5
    again = insertion_fidelity_curve(exp, predict_proba, grid=[0, 0.3, 1])
    np.testing.assert_array_equal(curve.values, again.values)


@pytest.mark.parametrize(
    ("fractions", "values", "area"),
    [([0.0, 0.25, 1.0], [1.0, 0.0, 0.5], 0.3125), ([0.2, 0.6], [0.0, 1.0], 0.5)],
)
def test_area_is_that_of_trapezoids_over_the_range(fractions, values, area):
    values = np.array(values)
    curve = FidelityCurve(np.array(fractions), values, values[None], 1, 1)
    assert curve.area == pytest.approx(area)


def test_whole_images_of_continuous_masks_are_shown_in_their_range():
    X, y, _ = make_toy_scenes(3)
    exp = ToyClassifier(soft=True).fit(X, y).explain(X)
    brightest = []

    def predict_proba(images):
        brightest.append(images.max())
        return np.full((len(images), 2), 0.5)

    insertion_probability_curve(exp, predict_proba)
    assert exp.images.max() > 1 and max(brightest) == pytest.approx(exp.images.max() / 255)


def test_area_of_constant_agreement_is_one():
    X, y, _ = make_toy_scenes(6)
    model = ToyClassifier().fit(X, y)
    curve = insertion_fidelity_curve(model.explain(X), lambda x: np.ones((len(x), 2)))
    assert curve.area == pytest.approx(1.0)


def test_one_image_and_one_class():
    X, y, _ = make_toy_scenes(3)
    model = ToyClassifier().fit(X[:1], y[:1])
    curve = deletion_fidelity_curve(model.explain(X[:1]), model.predict_proba_masked)
    assert (curve.values == 1).all()


def test_agreement_shares_equal_loops(case):
    exp, predict_proba = case
    top = 1 if exp.soft_region_masks is None else 255
    same, changed = [], []
    for i in range(len(exp)):
        full = exp.images[i : i + 1] / top if top == 255 else exp.images[i : i + 1]
        kept = exp.masked_images[i : i + 1]
        own, whole, rest = (predict_proba(x)[0].argmax() for x in (kept, full, full - kept))
        same.append(own == whole)
        changed.append(own != rest)
    assert full_image_agreement(exp, predict_proba) == np.mean(same)
    assert complement_disagreement(exp, predict_proba) == np.mean(changed)


def test_a_model_that_sees_everything_agrees_with_the_full_image():
    X, y, _ = make_toy_scenes(9)
    model = ToyClassifier(tau=1.0).fit(X, y)
    assert full_image_agreement(model.explain(X), model.predict_proba_masked) == 1.0


@pytest.mark.parametrize("grid", [[0.5], [0.5, 0.2], [-0.1, 1], [0, 1.1], [[0, 1]]])
def test_bad_grids_are_refused(case, grid):
    with pytest.raises(InputError, match="grid must be"):
        insertion_fidelity_curve(*case, grid=grid)


def test_bad_protocol_no_images_and_bad_classifiers_are_refused(case):
    exp, predict_proba = case
    with pytest.raises(InputError, match="protocol must be"):
        insertion_fidelity_curve(exp, predict_proba, protocol="fast")
    with pytest.raises(InputError, match="no images"):
        insertion_fidelity_curve(exp[:0], predict_proba)
    with pytest.raises(InputError, match="one row of class probabilities per image"):
        insertion_fidelity_curve(exp, lambda x: np.ones(3))
