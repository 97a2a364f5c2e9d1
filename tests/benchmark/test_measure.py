"""What is measured is what the estimator and the metrics say, however images are blocked."""

import numpy as np
import pytest

from p2pselect import P2PClassifier, datasets, metrics
from p2pselect.baselines import COMETClassifier
from p2pselect.benchmark import measure as module
from p2pselect.benchmark.measure import measure
from p2pselect.benchmark.splits import load_split
from p2pselect.benchmark.tally import curve_point

SWEEP = (0.6, 0.9)


@pytest.fixture(scope="module")
def settings():
    from p2pselect import SuperpixelTransformer, presets

    regions = SuperpixelTransformer(engine="grid", n_segments=16)
    changed = {"image_size": 32, "regions": regions, "max_epochs": 6, "warmup_epochs": 1}
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

    return lambda name: load_split(Dataset(load, 32), None, name, 40, 0)


@pytest.fixture(scope="module")
def p2p(settings, split):
    train = split("train")
    return P2PClassifier(**settings).fit(train.images, train.target)


@pytest.fixture(scope="module")
def test(split):
    return split("test")


def masks_of(test):
    return np.stack(test.object_masks(slice(None)))


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
    comet = COMETClassifier(**COMETClassifier.known({**settings, "max_epochs": 1}), tau=0.2)
    comet.set_params(regions="grid").fit(train.images, train.target)
    found = measure(comet, test, 0.2, certainty_thresholds=SWEEP).scores
    assert set(found) == {"default", "matched"}
    assert found["default"]["binary_input"] == 0 and found["matched"]["binary_input"] == 1
    exp = comet.explain(test.images)
    hard = comet.predict_proba_masked(exp.images * exp.pixel_masks[..., None])
    answers = comet.classes_[hard.argmax(axis=1)]
    assert found["matched"]["accuracy"] == np.mean(answers == test.target)
    assert found["matched"]["localization"] == found["default"]["localization"]


def test_no_masks_no_localization(p2p, split):
    from dataclasses import replace

    found = measure(p2p, replace(split("test"), masks=None), 0.3).scores["default"]
    assert "accuracy" in found
    assert not any("localization" in name or "pixel_average" in name for name in found)


def test_one_image(p2p, split):
    from dataclasses import replace

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
