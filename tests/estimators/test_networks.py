"""Settings that decide how the networks run."""

import numpy as np
import pytest
import torch
from torch import nn

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.baselines import COMETClassifier
from p2pselect.exceptions import P2PSelectWarning
from p2pselect.nn.image_network import ImageNetwork, prepare_networks

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
    clf = method(**method.known({**SETTINGS, "selector_image_size": 16}))
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
    clf = P2PClassifier(**{**SETTINGS, "precision": "bf16-mixed"})
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
    clf = P2PClassifier(**{**SETTINGS, "compile": True})
    with pytest.warns(P2PSelectWarning, match="run uncompiled.*no compiler here$"):
        clf.fit(scenes.images, scenes.target % 2)
    plain = P2PClassifier(**SETTINGS).fit(scenes.images, scenes.target % 2)
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
    clf = P2PClassifier(**{**SETTINGS, "compile": True})
    clf.fit(scenes.images, scenes.target % 2)
    assert set(calls) == {"ImageNetwork"}
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(
        again.predict_proba(scenes.images), clf.predict_proba(scenes.images)
    )
