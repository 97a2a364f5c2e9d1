"""Trainings of wholly frozen networks: features are kept, and change nothing but time."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from exact_features import pack_in_32_bits
from skorch.callbacks import Callback
from torch.utils.data import IterableDataset
from two_patches import PATCH, two_patches
from two_patches import SETTINGS as TWO_PATCHES

from p2pselect import P2PClassifier, SuperpixelTransformer, datasets, presets
from p2pselect.exceptions import P2PSelectWarning
from p2pselect.images import as_images
from p2pselect.images._geometry import Grid
from p2pselect.methods import METHODS, BlackboxClassifier
from p2pselect.nn import _kept_features
from p2pselect.nn._frozen import PartlyFrozen, heads_of
from p2pselect.nn._frozen_features import FrozenPart, Layout
from p2pselect.nn._image_network import ImageNetwork
from p2pselect.nn._kept_features import FeatureMemory
from p2pselect.training._data import Views
from p2pselect.training._kept_views import KeptViews

SETTINGS = {
    **presets.SMALL,
    "image_size": 32,
    "regions": SuperpixelTransformer(n_segments=16),
    "max_epochs": 3,
    "objective__warmup_epochs": 0,
    "batch_size": 8,
    "random_state": 0,
    "validation": None,
    "networks__frozen_share": 1.0,
    "training__n_views": 2,
    "objective__random_share": 0.0,  # every network sees every image
}
MANY = 2**24


@pytest.fixture(scope="module")
def scenes():
    made = datasets.make_digit_scenes(20, image_size=32, random_state=0)
    return made.images, made.target % 2


@pytest.fixture(autouse=True)
def memory(monkeypatch):
    return renewed(monkeypatch)


def renewed(monkeypatch, limit=MANY):
    """A memory as a new process has it."""
    made = FeatureMemory(limit)
    monkeypatch.setattr(_kept_features, "KEPT", made)
    return made


@pytest.fixture
def computed(monkeypatch):
    """How many images went through a frozen backbone, call by call."""
    counts, compute = [], FrozenPart._computed

    def counting(self, images, rows):
        counts.append(len(rows))
        return compute(self, images, rows)

    monkeypatch.setattr(FrozenPart, "_computed", counting)
    return counts


def fitted(X, y, method=P2PClassifier, **more):
    return method(**presets.settings_for(method, {**SETTINGS, **more})).fit(X, y)


def assert_same(one, other):
    first, second = one.module_.state_dict(), other.module_.state_dict()
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_views_of_a_pool_differ_and_take_turns(scenes):
    X, _ = scenes
    images = as_images(X)
    propose = SuperpixelTransformer(n_segments=16, output="labels").propose_batch
    views = Views(propose, Grid((32, 32), "pad"), "shift+tint", n_views=3)

    def seen(seed, epoch, rows, at):
        return views(images[np.array(at)], None, seed, epoch, np.array(rows))[0]

    by_epoch = [seen(0, epoch, [0, 1], [4, 7]) for epoch in range(6)]
    for k in range(3):
        assert np.array_equal(by_epoch[k], by_epoch[k + 3])
        assert (by_epoch[k] != by_epoch[(k + 1) % 3]).any()
        assert (by_epoch[k] != X[[4, 7]]).any()
    # Other trainings, folds and orders have the same.
    assert np.array_equal(seen(9, 1, [5], [7])[0], by_epoch[1][1])
    endless = Views(propose, Grid((32, 32), "pad"), "shift+tint")
    each = [endless(images[:2], None, 0, epoch, np.arange(2))[0] for epoch in range(4)]
    assert len({one.tobytes() for one in each}) == 4


def test_views_are_made_once(scenes, monkeypatch):
    made, call = [], Views.__call__

    def counting(self, images, *args):
        made.append(len(images))
        return call(self, images, *args)

    monkeypatch.setattr(Views, "__call__", counting)
    first = fitted(*scenes)
    assert sum(made) == 2 * 20
    monkeypatch.setattr("p2pselect.training._kept_views.KeptViews.batch", made_each_time)
    assert_same(fitted(*scenes), first)
    assert sum(made) == 40 + 60


def test_held_out_images_have_a_single_view(scenes, monkeypatch, computed):
    first = fitted(*scenes, validation=0.2, augment=None)
    assert sum(computed) == 20 and "valid_loss" in first.history_[-1]


def made_each_time(self, places, make):
    return make(list(range(len(places))))


def test_views_beyond_the_memory_are_made_each_time():
    def make(positions):
        calls.append(len(positions))
        images = np.stack([np.full((4, 4, 3), p, np.uint8) for p in positions])
        return images, np.stack([np.full((4, 4), 300 * p - 1, np.int32) for p in positions])

    calls = []
    kept = KeptViews(limit=150)  # two of 48 bytes, with labels of one and two bytes a pixel
    places = [(0, 0), (1, 0), (2, 0)]
    first = kept.batch(places, make)
    again = kept.batch(places, make)
    assert calls == [3, 1] and kept.n_bytes == 144
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one, other)
    assert again[1][:, 0, 0].tolist() == [-1, 299, 599]
    assert pickle.loads(pickle.dumps(kept)).n_bytes == 0


@pytest.mark.parametrize("augment", ["paper", lambda images, regions, rng: (images, regions)])
def test_other_kinds_of_views_are_found_again(scenes, computed, augment):
    fitted(*scenes, augment=augment, training__n_views=1)
    assert sum(computed) == 20


@pytest.mark.parametrize(
    "more, expected",
    [
        ({}, {2}),
        ({"training__n_views": "auto"}, {4}),
        ({"training__n_views": None}, {None}),
        ({"training__n_views": "auto", "networks__frozen_share": {"classifier": 1.0}}, {None}),
        ({"training__n_views": "auto", "networks__frozen_share": 0.5}, {None}),
    ],
)
def test_how_many_views_there_are(more, expected):
    clf = P2PClassifier().set_params(**{**SETTINGS, **more})
    assert {clf._n_views()} == expected


def test_methods_without_a_selector_have_views_by_what_their_classifier_sees():
    found = {
        name: row.cls().set_params(networks__frozen_share=1.0)._n_views()
        for name, row in METHODS.items()
    }
    assert {name for name, n_views in found.items() if n_views is None} == {
        "blackbox_pixel",
        "bcos",
    }


@pytest.mark.parametrize("method", [P2PClassifier, BlackboxClassifier])
def test_kept_features_change_nothing(scenes, monkeypatch, computed, method, memory):
    kept = fitted(*scenes, method)
    n = sum(computed)
    # 20 images in 2 views; now and then a shift makes the same one twice.
    assert n == len(memory._values) and 36 < n <= 40
    renewed(monkeypatch, 0)
    with pytest.warns(P2PSelectWarning, match="computed each time"):
        assert_same(fitted(*scenes, method), kept)
    assert 55 < sum(computed) - n <= 60


def test_another_order_and_size_of_batches_finds_the_same_features(scenes, computed):
    first = fitted(*scenes)
    n = sum(computed)
    fitted(*scenes, batch_size=5, lr=1e-3)
    X, y = scenes
    fitted(X[::-1].copy(), y[::-1])
    # With another seed, the networks of these settings have other weights.
    assert sum(computed) == n
    assert_same(fitted(*scenes), first)


def test_folds_of_a_search_share_features(scenes, computed):
    X, y = scenes
    fitted(X, y, training__n_views=1, max_epochs=1)
    n = sum(computed)
    fitted(X[5:], y[5:], training__n_views=1, max_epochs=1)
    assert sum(computed) == n == 20


def test_a_folder_is_for_other_processes(scenes, monkeypatch, computed, tmp_path):
    first = fitted(*scenes, training__cache_dir=tmp_path)
    renewed(monkeypatch)
    n = sum(computed)
    assert_same(fitted(*scenes, training__cache_dir=tmp_path), first)
    assert sum(computed) == n


IN_ANOTHER = """
import sys, torch
torch.set_num_threads(1)
from p2pselect import datasets
from training.test_kept_features import SETTINGS, fitted
from p2pselect.nn._frozen_features import FrozenPart
FrozenPart._computed = None
scenes = datasets.make_digit_scenes(20, image_size=32, random_state=0)
clf = fitted(scenes.images, scenes.target % 2, training__cache_dir=sys.argv[1])
print(float(clf.history_[-1]["train_loss"]).hex())
"""


def test_two_processes_share_a_folder(scenes, tmp_path):
    here = fitted(*scenes, training__cache_dir=tmp_path)
    other = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER, str(tmp_path)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert float.fromhex(other.stdout) == here.history_[-1]["train_loss"]


FROM_BLACKBOX = {"diet", "amortized_diet"}


@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns_with_its_head_alone(scenes, name):
    method = METHODS[name].cls
    more = {"max_epochs": 1, "n_stages": 1, "max_steps": 2, "training__ema_decay": 0.9}
    known = method().get_params()
    more = {k: v for k, v in more.items() if k in known}
    first = fitted(*scenes, method, **{**more, "max_epochs": 0})
    before = {k: v.clone() for k, v in first.module_.state_dict().items()}
    clf = fitted(*scenes, method, **more)
    after = clf.module_.state_dict()
    found = 0
    for prefix, part in clf.module_.named_modules():
        if not isinstance(part, PartlyFrozen):
            continue
        named = part.network.named_modules()
        heads = [f"{prefix}.network.{n}." for n, m in named if m in heads_of(part.network)]
        own = [k for k in after if k.startswith(f"{prefix}.network.")]
        in_head = [k for k in own if k.startswith(tuple(heads))]
        # Some classifiers start from the black box, and take over its weights.
        source = "blackbox" if prefix == "classifier" and name in FROM_BLACKBOX else prefix
        for key in set(own) - set(in_head):
            assert torch.equal(after[key], before[source + key.removeprefix(prefix)]), key
        assert any(not torch.equal(after[key], before[key]) for key in in_head)
        assert not any(isinstance(p, FrozenPart) for p in vars(part).values())
        found += 1
    assert found == sum(isinstance(m, PartlyFrozen) for m in clf.module_.modules()) > 0


RANDOM = {"objective__random_share": 0.7, "objective__warmup_epochs": 1, "max_epochs": 4}


def test_another_training_draws_the_same_random_masks(scenes, monkeypatch, computed, memory):
    first = fitted(*scenes, **RANDOM)
    n, n_bytes = sum(computed), memory.n_bytes
    # 2 views, a mask for each image of the warm-up, and for most of the three epochs after it.
    assert 36 + 20 + 0.5 * 60 < n < 40 + 20 + 0.9 * 60
    assert_same(fitted(*scenes, **RANDOM), first)
    fitted(*scenes, **RANDOM, lr=1e-3, objective__sparsity_weight=1.0)
    assert sum(computed) == n and memory.n_bytes == n_bytes
    renewed(monkeypatch, 0)
    with pytest.warns(P2PSelectWarning, match="computed each time"):
        assert_same(fitted(*scenes, **RANDOM), first)


@pytest.mark.parametrize(
    "change",
    [
        {"networks__fill": "mean"},
        {"regions": SuperpixelTransformer(n_segments=9)},
        {"search__tau_min": 0.5},
        {"augment": "flip"},
    ],
    ids=lambda change: "".join(change),
)
def test_what_decides_about_masked_images_is_a_miss(scenes, computed, change):
    short = {**RANDOM, "max_epochs": 2}
    fitted(*scenes, **short)
    n = sum(computed)
    fitted(*scenes, **{**short, **change})
    # 20 images in the warm-up, and most of 20 after it.
    assert sum(computed) > n + 25


def test_held_out_images_come_again_behind_their_masks(scenes, computed):
    fitted(*scenes, **RANDOM, validation=0.2, augment=None)
    n = sum(computed)
    fitted(*scenes, **{**RANDOM, "max_epochs": 6}, validation=0.2, augment=None)
    # Only those that learn have other masks in the new epochs.
    assert n < sum(computed) < n + 2 * 16


def test_a_head_learns_from_what_was_kept(memory):
    def one_patch(seed):
        X, _ = two_patches(300, seed)
        return X, (X[:, PATCH, 0, 0] > 128).astype(int)

    own = {"max_epochs": 12, "networks__frozen_share": {"classifier": 1.0}}
    clf = P2PClassifier().set_params(**TWO_PATCHES, **own, objective__random_share=0.7)
    found = [clf.fit(*one_patch(0)).score(*one_patch(1)) for _ in range(2)]
    assert found[0] == found[1] > 0.95 and memory.n_bytes > 0


def test_what_was_kept_has_no_part_in_predictions(scenes, tmp_path, memory):
    X, y = scenes
    clf = fitted(X, y)
    n_bytes = memory.n_bytes
    proba = clf.predict_proba(X)
    clf.save(tmp_path / "model")
    assert np.array_equal(P2PClassifier.load(tmp_path / "model").predict_proba(X), proba)
    again = pickle.loads(pickle.dumps(clf))
    assert np.array_equal(again.predict_proba(X), proba)
    assert memory.n_bytes == n_bytes


def test_sixteen_bits_teach_what_thirty_two_teach(scenes, monkeypatch):
    X, y = scenes
    clf = fitted(X, y, max_epochs=4)
    renewed(monkeypatch)
    monkeypatch.setattr(Layout, "pack", pack_in_32_bits)
    exact = fitted(X, y, max_epochs=4)
    np.testing.assert_allclose(clf.predict_proba(X), exact.predict_proba(X), atol=0.02)
    assert not np.array_equal(clf.predict_proba(X), exact.predict_proba(X))


def test_warm_start_and_partial_fit_go_on_with_kept_features(scenes, computed):
    X, y = scenes
    clf = P2PClassifier(**SETTINGS_OF_ONE(warm_start=True)).fit(X, y)
    n = sum(computed)
    clf.set_params(max_epochs=2).fit(X, y)
    assert sum(computed) == n
    clf.partial_fit(X[:10], y[:10])
    assert sum(computed) == n


def SETTINGS_OF_ONE(**more):
    return presets.settings_for(P2PClassifier, {**SETTINGS, **more})


class Stopped(Exception):
    pass


class StopAfter(Callback):
    def __init__(self, n_batches):
        self.left = n_batches

    def on_batch_end(self, net, training=False, **kwargs):
        self.left -= training
        if self.left < 0:
            raise Stopped


def test_a_training_that_resumes_ends_as_one_that_was_not_stopped(
    scenes, monkeypatch, tmp_path
):
    whole = fitted(*scenes)
    renewed(monkeypatch)
    clf = P2PClassifier(**SETTINGS_OF_ONE(training__checkpoint_dir=tmp_path))
    clf.set_params(training__callbacks=[StopAfter(4)])
    with pytest.raises(Stopped):
        clf.fit(*scenes)
    assert all(
        m._frozen_part is None for m in clf.module_.modules() if isinstance(m, ImageNetwork)
    )
    renewed(monkeypatch)  # another process
    assert_same(clf.set_params(training__callbacks=None).fit(*scenes), whole)


def test_workers_make_the_same_views(scenes):
    assert_same(fitted(*scenes, training__num_workers=2), fitted(*scenes))


class Stream(IterableDataset):
    """Another order in every epoch."""

    def __init__(self, X, y):
        self.X, self.y, self.epoch = X, y, 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __iter__(self):
        for row in np.random.default_rng(self.epoch).permutation(len(self.X)):
            yield self.X[row], int(self.y[row])


def test_images_of_a_stream_are_found_again(scenes, computed):
    fitted(Stream(*scenes), None)
    assert 36 < sum(computed) <= 40


def test_a_frozen_classifier_is_no_graph_while_it_warms_up(scenes, monkeypatch):
    graphs = []
    call = ImageNetwork.__call__

    def noting(self, images, *args):
        given = []
        heads = heads_of(self.network)
        hook = heads[0].register_forward_pre_hook(lambda _, args: given.extend(args))
        out = call(self, images, *args)
        hook.remove()
        # The head of the selector is given several maps.
        if torch.is_grad_enabled() and isinstance(given[0], torch.Tensor):
            graphs.append((given[0].requires_grad, images.requires_grad))
        return out

    monkeypatch.setattr(ImageNetwork, "__call__", noting)
    fitted(*scenes, max_epochs=2, objective__warmup_epochs=1)
    assert graphs[0] == (False, False)
    # Later on the selector learns through it.
    assert graphs[-1] == (True, True)
