"""Parts of the benchmarks that no other test runs: they must run, and measure what they say."""

import bfloat16
import frozen
import inference
import pytest
import torch
import training

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.nn._frozen_features import FrozenPart

TINY = {
    "selector": "test_resnet",
    "networks__selector_options": {"strides": (4, 16), "head_channels": 8},
    "classifier": "test_resnet",
}


@pytest.fixture(scope="module")
def scenes():
    return datasets.make_digit_scenes(24, image_size=32, random_state=0)


def small(**settings):
    tiny = {**presets.SMALL, **TINY, "image_size": 32, "max_epochs": 1, "batch_size": 8}
    clf = P2PClassifier(validation=None, random_state=0)
    return clf.set_params(**tiny).set_params(**settings)


@pytest.mark.parametrize("name", ["full", *sorted({*training.CHEAP} - {"bf16"})])
def test_every_training_step_learns(name, monkeypatch):
    monkeypatch.setitem(training.BATCH, 32, 4)
    case = training.Case(32, **TINY, **training.CHEAP.get(name, {}))
    # Networks alone know nothing of tau.
    slope = {"selector.raw_slope"}
    for run, others in (
        (case.p2p, set()),
        (case.bare, slope),
        (case.as_released().bare, slope),
    ):
        run()
        free = {n: p.grad for n, p in case.model.named_parameters() if p.requires_grad}
        assert {n for n, gradient in free.items() if gradient is None} == others < {*free}
    frozen = any(not p.requires_grad for p in case.model.parameters())
    assert frozen is ("frozen" in name)


def test_the_naive_search_agrees_with_ours_where_images_are_not_answered(scenes):
    clf = small(certainty_threshold=0.999).fit(scenes.images, scenes.target)
    assert not clf.explain(scenes.images).answered.all()
    regions = clf.regions_.propose_batch(scenes.images)
    # It raises if they disagree.
    assert {*inference.search_runs(clf, scenes.images, regions)} == {"naive", "predict_proba"}


def test_second_trainings_and_steps_of_frozen_networks_are_measured(monkeypatch):
    tiny = {**TINY, "image_size": 32, "batch_size": 8, "regions": "grid"}
    monkeypatch.setattr(frozen, "SETTINGS", {**frozen.SETTINGS, **tiny, "max_epochs": 7})
    monkeypatch.setattr(frozen, "N_IMAGES", 20)
    computed, compute = [], FrozenPart._computed
    monkeypatch.setattr(
        FrozenPart,
        "_computed",
        lambda self, images, rows: computed.append(len(rows)) or compute(self, images, rows),
    )
    fits, fit = [], P2PClassifier.fit

    def counting(clf, *args):
        before = sum(computed)
        fitted = fit(clf, *args)
        fits.append((clf.get_params()["networks__frozen_share"], sum(computed) - before))
        return fitted

    monkeypatch.setattr(P2PClassifier, "fit", counting)
    figures = frozen.measure()
    assert all(value > 0 for value in figures.values())
    shares, counts = zip(*fits, strict=True)
    assert shares == (1.0, 1.0, 1.0, 0.0, 1.0, 1.0)
    assert [count > 0 for count in counts] == [True, True, False, False, True, False]


def test_rounded_networks_compute_as_bfloat16_would(scenes):
    exact = small().fit(scenes.images, scenes.target)
    rounded = small(training__callbacks=[bfloat16.RoundNetworks()])
    rounded.fit(scenes.images, scenes.target)
    images = torch.tensor(scenes.images[:4]).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        said = [clf.module_.classifier.eval()(images) for clf in (exact, rounded)]
    assert not torch.equal(*said)
    # What the last layer says has the precision of such numbers.
    assert torch.equal(said[1].bfloat16().float(), said[1])
