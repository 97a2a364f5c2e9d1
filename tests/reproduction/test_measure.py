"""Measured scores are those of the estimator and the metrics, for any size of blocks."""

import pickle
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from p2pselect import Explanation, P2PClassifier, datasets, metrics, presets
from p2pselect.images import as_images
from p2pselect.methods import COMETClassifier
from p2pselect.reproduction import _measure as module
from p2pselect.reproduction._measure import Tally, measure
from p2pselect.reproduction._score_names import curve_point
from p2pselect.reproduction._split import Split, load_split

SWEEP = (0.6, 0.9)


@pytest.fixture(scope="module")
def settings():
    from p2pselect import SuperpixelTransformer

    regions = SuperpixelTransformer(engine="grid", n_segments=16)
    changed = {
        "image_size": 32,
        "regions": regions,
        "max_epochs": 6,
        "objective__warmup_epochs": 1,
    }
    return {**presets.SMALL, **changed, "certainty_threshold": 0.75, "random_state": 0}


@pytest.fixture(scope="module")
def split():
    from p2pselect.datasets import Dataset

    def load(folder, split, random_state):
        # Class 0 on bricks, class 1 on a cat: learned in seconds.
        made = datasets.make_digit_scenes(240, 32, split=split, random_state=random_state)
        two = np.isin(made.scenes, ("brick", "cat"))
        made.images, made.masks = made.images[two], made.masks[two]
        made.target = (made.scenes[two] == "cat").astype(int)
        return made

    return lambda name: load_split(Dataset(load), None, name, 40, 0)


@pytest.fixture(scope="module")
def p2p(settings, split):
    train = split("train")
    return P2PClassifier().set_params(**settings).fit(train.images, train.target)


@pytest.fixture(scope="module")
def test(split):
    return split("test")


def masks_of(test):
    return np.stack(test.object_masks(slice(None)))


def test_masks_within_a_budget_are_those_of_that_selection(p2p, test):
    budget = pickle.loads(pickle.dumps(p2p)).set_params(selection="budget")
    differ = []
    for tau in (0.2, 0.5, 0.8):
        exp = module._within_budget(tau)(p2p, test.images, {})
        np.testing.assert_array_equal(
            exp.pixel_masks, budget.explain(test.images, tau=tau).pixel_masks
        )
        differ.append((exp.pixel_masks != p2p.explain(test.images, tau=tau).pixel_masks).any())
    assert any(differ)
    assert p2p.selection == "threshold"


def test_means_leave_out_what_an_image_does_not_have():
    tally = Tally()
    tally._append(score=np.array([0.5, np.nan, 1.0]), none=np.full(3, np.nan))
    assert tally.mean("score") == 0.75
    assert np.isnan(tally.mean("none"))


def test_native_scores_are_those_of_the_metrics(p2p, test):
    scores = measure(p2p, test, 0.3, n_curve_images=100).scores["default"]
    exp, masks = p2p.explain(test.images), masks_of(test)
    assert scores["accuracy"] == np.mean(exp.predicted == test.target)
    assert scores["kept_fraction"] == pytest.approx(exp.kept_fraction.mean())
    assert scores["localization"] == pytest.approx(
        metrics.localization_score(exp.pixel_masks, masks)
    )
    assert scores["random_localization"] == pytest.approx(metrics.random_localization(masks))
    curve = metrics.insertion_fidelity_curve(exp, p2p.predict_proba_masked)
    assert scores["insertion_fidelity"] == pytest.approx(curve.area)
    assert scores[curve_point("insertion", 0.2)] == pytest.approx(
        curve.values[metrics.PAPER_GRID.index(0.2)]
    )
    assert scores["aurc"] == pytest.approx(
        metrics.aurc(exp.predicted == test.target, exp.certainty)
    )
    assert scores["pixel_average_precision"] == pytest.approx(
        metrics.pixel_average_precision_score(exp.heat_maps, masks)
    )


def test_localization_on_other_things(p2p, test):
    halves = [np.zeros((32, 32), bool) for _ in range(len(test.masks))]
    for number, half in enumerate(halves):
        half[:, : 16 + number % 7] = number % 5 > 0  # some images have none
    both = replace(test, other_masks={"half": halves})
    plain, scores = (
        measure(p2p, split, 0.3, n_curve_images=8).scores for split in (test, both)
    )
    exp, own = p2p.explain(test.images), np.stack([halves[row] for row in test.rows])
    found = scores["default"]
    some = own.any(axis=(1, 2))
    assert 0 < some.sum() < len(some)
    for name, expected in {
        "localization": metrics.localization_score(exp.pixel_masks[some], own[some]),
        "random_localization": metrics.random_localization(own[some]),
        "center_localization": metrics.center_localization(exp.pixel_masks[some], own[some]),
        "mask_recall": metrics.mask_recall_score(exp.pixel_masks[some], own[some]),
    }.items():
        assert found[f"{name}_on_half"] == pytest.approx(expected), name
    assert "localization_on_half" in scores["matched"]
    assert plain["default"] == {k: v for k, v in found.items() if not k.endswith("_on_half")}


class SeesTheFirstQuarter:
    """Keeps quarters of the image as it is told; predicts 1 where the first quarter is lit."""

    tau = 0.5
    #: Order of the quarters and how many are kept, by the kind of image: its top right pixel.
    KINDS: ClassVar = {1: ((0, 1, 2, 3), 2), 2: ((1, 2, 3, 0), 1), 3: ((0, 1, 2, 3), 1)}

    def explain(self, images):
        images = images.batch(slice(None), 8)
        n = len(images)
        quarters = np.repeat(np.repeat(np.arange(4).reshape(2, 2), 4, axis=0), 4, axis=1)
        order, count = zip(*(self.KINDS[kind] for kind in images[:, 0, -1, 0]), strict=True)
        place = np.argsort(order, axis=1)
        probs = (1 - place / 4).astype(np.float32)
        masks = place < np.array(count)[:, None]
        shown = images * np.take_along_axis(
            masks, np.tile(quarters.ravel(), (n, 1)), 1
        ).reshape(n, 8, 8, 1)
        return Explanation(
            images=images,
            regions=np.tile(quarters, (n, 1, 1)).astype(np.int32),
            region_masks=masks,
            selection_logits=probs,
            selection_probs=probs,
            tau=np.full(n, self.tau),
            proba=self.predict_proba_masked(shown),
            classes=np.array([0, 1]),
            answered=np.ones(n, bool),
            certainty_threshold=0.5,
        )

    def predict_proba_masked(self, images):
        lit = images[:, 0, 0, 0] > 0
        return np.stack([~lit, lit], axis=1).astype(np.float32)


def test_curves_of_a_model_that_is_known_exactly():
    # Kinds 1 and 2 have a lit first quarter; it is kept of kind 1 only.
    kinds = np.array([1, 1, 2, 3, 3])
    images = np.full((5, 8, 8, 3), 200, np.uint8)
    images[:, 0, -1, 0] = kinds
    images[kinds == 3, :4, :4] = 0
    split = Split(as_images(images), np.array([1, 1, 1, 0, 1]), None, np.arange(5))
    scores = measure(SeesTheFirstQuarter(), split, 0.5).scores["default"]
    grid = np.array(metrics.PAPER_GRID)
    for name, known in (("insertion", grid >= 0.25), ("deletion", grid < 0.25)):
        values = (2 * known + 3) / 5  # kinds 2 and 3 are 0 on black, too
        area = np.trapezoid(values, grid) / (grid[-1] - grid[0])
        assert scores[f"{name}_fidelity"] == pytest.approx(area)
        for t, value in zip(grid, values, strict=True):
            assert scores[curve_point(name, t)] == pytest.approx(value)
    assert scores["full_image_agreement"] == pytest.approx(4 / 5)  # not of kind 2
    assert scores["complement_disagreement"] == pytest.approx(3 / 5)  # not of kind 3
    assert scores["accuracy"] == pytest.approx(3 / 5)
    assert scores["kept_fraction"] == pytest.approx((0.5 * 2 + 0.25 * 3) / 5)


def test_a_random_order_of_regions_stands_beside_the_curves_of_a_search():
    class Searches(SeesTheFirstQuarter):
        def explain(self, images, **given):
            exp = super().explain(images, **given)
            path = np.repeat(exp.region_masks.sum(axis=1)[:, None], 2, axis=1)
            return replace(exp, path_tau=np.array([0.5, 1.0]), path_counts=path)

    n = 128
    images = np.full((n, 8, 8, 3), 200, np.uint8)
    images[:, 0, -1, 0] = 1
    split = Split(as_images(images), np.ones(n, int), None, np.arange(n))
    scores = measure(Searches(), split, 0.5).scores["default"]
    grid = np.array(metrics.PAPER_GRID)
    # The quarter that matters is among the first k of 4 in k of 4 orders.
    for name, known in (
        ("insertion", np.floor(4 * grid) / 4),
        ("deletion", 1 - np.floor(4 * grid) / 4),
    ):
        area = np.trapezoid(known, grid) / (grid[-1] - grid[0])
        assert scores[f"random_{name}_fidelity"] == pytest.approx(area, abs=0.05)
        assert scores[f"constant_{name}_fidelity"] == 1
    assert scores["insertion_fidelity"] > scores["random_insertion_fidelity"] + 0.1


@given(st.lists(st.floats(0, 1), min_size=2, max_size=12), st.floats(0, 1))
def test_any_curve_of_kept_fractions_is_inverted(curve, kept):
    grid = np.linspace(0.05, 1, len(curve))
    tau = module.tau_at(kept, np.array(curve), grid)
    reached = np.interp(tau, grid, curve)
    assert reached == pytest.approx(np.clip(kept, min(curve), max(curve)), abs=1e-6)
    # The smallest such tau.
    before = np.interp(np.linspace(grid[0], tau, 50)[:-1], grid, curve) - kept
    assert (before > -1e-9).all() or (before < 1e-9).all()


def test_fixed_tau_keeps_as_much_where_more_tau_shows_less(settings, split, test):
    train = split("train")
    falling = P2PClassifier().set_params(
        **{**settings, "max_epochs": 0, "networks__tau_input": "additive"}
    )
    falling.set_params(certainty_threshold=1.0).fit(train.images, train.target)
    scorer = falling.module_.selector.pixel_scorer.network
    head = scorer.head
    with torch.no_grad():
        weight = head.low_classifier.weight[0]
        weight -= (2 + scorer.additive_slope()[0]) / weight.numel()
        logits = falling.explain(test.images, tau=0.5).selection_logits
        head.low_classifier.bias[0] += 1 - float(np.median(logits))
    # Nothing is certain enough, or all is at once: the search ends at one of its ends.
    found = measure(falling, test, 0.3, certainty_thresholds=(0.5,)).scores
    least, most = (found[name]["kept_fraction"] for name in ("default", "delta=050"))
    assert most > least + 0.1
    assert found["fixed"]["kept_fraction"] == pytest.approx(least, abs=0.02)
    assert found["fixed-delta=050"]["kept_fraction"] == pytest.approx(most, abs=0.02)


def test_blocks_make_no_difference(p2p, test, monkeypatch):
    whole = measure(p2p, test, 0.3, certainty_thresholds=SWEEP, n_curve_images=11)
    monkeypatch.setattr(module, "BLOCK", 8)
    parts = measure(p2p, test, 0.3, certainty_thresholds=SWEEP, n_curve_images=11)
    assert whole.scores.keys() == parts.scores.keys()
    for setting, scores in whole.scores.items():
        assert parts.scores[setting] == pytest.approx(scores, abs=1e-6)


def test_one_model_is_swept_over_certainty_and_tau(p2p, test):
    found = measure(p2p, test, 0.3, certainty_thresholds=SWEEP).scores
    assert set(found) == {
        "default", "matched", "fixed", "tau=020", "delta=060", "delta=090",
        "fixed-delta=060", "fixed-delta=090",
    }  # fmt: skip
    exp = p2p.explain(test.images, certainty_threshold=0.9)
    assert found["delta=090"]["kept_fraction"] == pytest.approx(exp.kept_fraction.mean())
    for delta in ("delta=060", "delta=090"):
        dynamic, fixed = (found[p + delta]["kept_fraction"] for p in ("", "fixed-"))
        assert fixed == pytest.approx(dynamic, abs=0.1)
    assert found["matched"]["kept_fraction"] <= 0.3
    assert p2p.selection == "threshold", "measuring changes nothing"


def test_without_a_tau_p2ps_own_is_taken(p2p, test):
    found = measure(p2p, test, None)
    assert found.tau == round(found.scores["default"]["kept_fraction"], 2)


def test_an_ablation_is_not_swept(p2p, test):
    found = measure(p2p, test, 0.3, setting="grid", certainty_thresholds=SWEEP).scores
    assert set(found) == {"grid", "grid:matched", "grid:fixed"}


def test_continuous_masks_are_hardened_for_the_matched_row(settings, split, test):
    train = split("train")
    comet = COMETClassifier(
        **presets.settings_for(COMETClassifier, {**settings, "max_epochs": 1}), tau=0.2
    )
    comet.set_params(regions="grid").fit(train.images, train.target)
    found = measure(comet, test, 0.2, certainty_thresholds=SWEEP).scores
    assert set(found) == {"default", "matched"}
    assert found["default"]["binary_input"] == 0 and found["matched"]["binary_input"] == 1
    exp = comet.explain(test.images)
    hard = comet.predict_proba_masked(exp.images * exp.pixel_masks[..., None])
    answers = comet.classes_[hard.argmax(axis=1)]
    assert found["matched"]["accuracy"] == np.mean(answers == test.target)
    assert found["matched"]["certainty"] == pytest.approx(hard.max(axis=1).mean(), abs=1e-6)
    assert found["default"]["certainty"] != pytest.approx(hard.max(axis=1).mean(), abs=1e-4)
    assert found["matched"]["localization"] == found["default"]["localization"]


def test_no_masks_no_localization(p2p, split):

    found = measure(p2p, replace(split("test"), masks=None), 0.3).scores["default"]
    assert "accuracy" in found
    assert not any("localization" in name or "pixel_average" in name for name in found)


def test_one_image(p2p, split):

    one = split("test")
    one = replace(one, images=one.images[:1], target=one.target[:1], rows=one.rows[:1])
    found = measure(p2p, one, 0.3, certainty_thresholds=SWEEP)
    assert len(found.examples) == 1 and found.scores["matched"]["kept_fraction"] <= 0.3


def test_images_of_a_split_keep_their_labels_and_masks(test):
    made = datasets.make_digit_scenes(240, 32, split="test", random_state=0)
    two = np.isin(made.scenes, ("brick", "cat"))
    rows = np.flatnonzero(two)[test.rows]
    assert len(set(rows.tolist())) == len(test) == 40
    assert (test.images.batch(slice(None), 32) == made.images[rows]).all()
    assert (test.target == (made.scenes[rows] == "cat")).all()
    assert (masks_of(test) == made.masks[rows]).all()
