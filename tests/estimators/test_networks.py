"""Settings that decide how the networks run."""

import numpy as np
import pytest
import torch
from torch import nn

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.exceptions import P2PSelectWarning
from p2pselect.methods import COMETClassifier
from p2pselect.nn._image_network import ImageNetwork, prepare_networks

SETTINGS = {**presets.SMALL, "image_size": 32, "max_epochs": 1, "random_state": 0}


@pytest.fixture(scope="module")
def scenes():
    return datasets.make_digit_scenes(32, image_size=32, random_state=0)


class Spy(nn.Module):
    """Remembers what it was given."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 2, 1)

    def forward(self, images):
        self.seen = images
        out = self.layer(images)
        self.dtype = out.dtype
        return out


@pytest.mark.parametrize("method", [P2PClassifier, COMETClassifier])
def test_selector_sees_a_smaller_copy(scenes, method):
    clf = method(
        **presets.settings_for(method, {**SETTINGS, "networks__selector_image_size": 16})
    )
    clf.fit(scenes.images, scenes.target % 2)
    scorer = next(m for m in clf.module_.modules() if isinstance(m, ImageNetwork))
    shapes = []
    scorer.network.register_forward_pre_hook(lambda _, args: shapes.append(args[0].shape))
    exp = clf.explain(scenes.images[:4])
    assert {tuple(shape[2:]) for shape in shapes} == {(16, 16)}
    assert exp.regions.shape[1:] == (32, 32)


def test_smaller_copy_is_an_average():
    spy = Spy()
    images = torch.rand(1, 3, 8, 8)
    ImageNetwork(spy, image_size=4)(images)
    flat = torch.full((1, 3, 8, 8), 0.3)
    torch.testing.assert_close(spy.seen.mean(), images.mean(), atol=0.02, rtol=0)
    ImageNetwork(spy, image_size=4)(flat)
    torch.testing.assert_close(spy.seen, torch.full((1, 3, 4, 4), 0.3))


def test_mixed_precision_inside_full_precision_outside():
    network = ImageNetwork(Spy())
    images = torch.rand(2, 3, 8, 8)
    exact = network(images)
    prepare_networks(network, "bf16-mixed", False, 8)
    rounded = network(images)
    assert network.network.dtype == torch.bfloat16
    assert rounded.dtype == torch.float32
    assert 0 < (rounded - exact).abs().max() < 0.02


def test_mixed_precision_trains_and_is_kept_by_save(scenes, tmp_path):
    clf = P2PClassifier().set_params(**{**SETTINGS, "training__precision": "bf16-mixed"})
    proba = clf.fit(scenes.images, scenes.target % 2).predict_proba(scenes.images)
    assert np.isfinite(proba).all() and proba.dtype == np.float32
    clf.save(tmp_path / "model")
    again = P2PClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(scenes.images), proba)


def test_a_machine_that_cannot_compile_runs_uncompiled(scenes, monkeypatch):
    def fail(self, *args, **kwargs):
        def call(*inputs):
            raise RuntimeError("no compiler here\nmore")

        self._compiled_call_impl = call

    monkeypatch.setattr(nn.Module, "compile", fail)
    clf = P2PClassifier().set_params(**{**SETTINGS, "training__compile": True})
    with pytest.warns(P2PSelectWarning, match="run uncompiled.*no compiler here$"):
        clf.fit(scenes.images, scenes.target % 2)
    plain = P2PClassifier().set_params(**SETTINGS).fit(scenes.images, scenes.target % 2)
    np.testing.assert_array_equal(
        clf.predict_proba(scenes.images), plain.predict_proba(scenes.images)
    )


def test_compiled_calls_are_used_and_left_behind_by_pickle(scenes, monkeypatch):
    import pickle

    calls = []

    def record(self, *args, **kwargs):
        def call(*inputs):
            calls.append(type(self).__name__)
            return self._call_impl(*inputs)

        self._compiled_call_impl = call

    monkeypatch.setattr(nn.Module, "compile", record)
    clf = P2PClassifier().set_params(**{**SETTINGS, "training__compile": True})
    clf.fit(scenes.images, scenes.target % 2)
    assert set(calls) == {"ImageNetwork"}
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(
        again.predict_proba(scenes.images), clf.predict_proba(scenes.images)
    )


def changed(before, module):
    """Names of the tensors that are no longer what they were."""
    after = module.state_dict()
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


def layers_of(network):
    """Names of the layers that have weights, from the image on, those of the head last."""
    return [n for n, m in network.named_modules() if list(m.parameters(recurse=False))]


@pytest.mark.parametrize("method", [P2PClassifier, COMETClassifier])
def test_frozen_layers_stay_as_they_are_with_their_batch_statistics(scenes, method):
    more = {"max_epochs": 2, "objective__warmup_epochs": 0, "networks__frozen_share": 0.5}
    settings = presets.settings_for(method, {**SETTINGS, **more})
    untrained = (
        method()
        .set_params(**{**settings, "max_epochs": 0})
        .fit(scenes.images, scenes.target % 2)
    )
    before = {name: v.clone() for name, v in untrained.module_.state_dict().items()}
    clf = method().set_params(**settings).fit(scenes.images, scenes.target % 2)
    moved = changed(before, clf.module_)
    for name, network in clf.module_.named_modules():
        if not isinstance(network, ImageNetwork):
            continue
        layers = [f"{name}.{layer}" for layer in layers_of(network)]
        learning = [any(key.rpartition(".")[0] == layer for key in moved) for layer in layers]
        n_frozen = learning.index(True)
        assert all(learning[n_frozen:])
        head = sum(".head." in layer for layer in layers)
        assert n_frozen == (len(layers) - head) // 2
    # Statistics of batches are among what moves, and what stays.
    statistics = {key for key in before if key.endswith("running_mean")}
    assert statistics & moved and statistics - moved


def test_networks_are_frozen_apart(scenes):
    share = {"classifier": 0.5}
    clf = P2PClassifier().set_params(
        **{**SETTINGS, "networks__frozen_share": share, "objective__warmup_epochs": 0}
    )
    clf.fit(scenes.images, scenes.target % 2)
    scorer, classifier = clf.module_.selector.pixel_scorer, clf.module_.classifier
    assert all(p.requires_grad for p in scorer.parameters())
    layers = layers_of(classifier)
    learns = [
        all(p.requires_grad for p in classifier.get_submodule(layer).parameters(recurse=False))
        for layer in layers
    ]
    assert learns == [number >= len(layers) // 2 for number in range(len(layers))]


@pytest.mark.parametrize("share", [1.1, -0.1, {"head": 0.5}, {"selector": 2}])
def test_a_share_that_cannot_be_frozen_is_told(scenes, share):
    with pytest.raises(ValueError, match=r"frozen_share.*(0, 1|'classifier')"):
        P2PClassifier().set_params(**{**SETTINGS, "networks__frozen_share": share}).fit(
            scenes.images, scenes.target
        )
