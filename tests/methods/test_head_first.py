"""Linear probing, then fine-tuning: in the warm-up only the head of the classifier learns."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from torch import nn

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.nn._frozen import heads_of

SETTINGS = {
    **presets.SMALL,
    "image_size": 32,
    "regions": "grid",
    "batch_size": 12,
    "objective__head_first": True,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def scenes():
    return datasets.make_digit_scenes(24, image_size=32, random_state=0)


def fitted(scenes, **changes):
    clf = P2PClassifier().set_params(**{**SETTINGS, **changes})
    return clf.fit(scenes.images, scenes.target % 2)


def moved(clf, scenes, **changes):
    """Layers of the classifier that learned, and whether the selector did."""
    start = fitted(scenes, **{**changes, "max_epochs": 0}).module_.state_dict()
    now = clf.module_.state_dict()
    names = {name for name, value in now.items() if not torch.equal(value, start[name])}
    parts = {name.rpartition(".")[0] for name in names}
    prefix = "classifier.network."
    layers = {part.removeprefix(prefix) for part in parts if part.startswith(prefix)}
    return layers, any(part.startswith("selector") for part in parts)


def layers_of(clf):
    network = clf.module_.classifier.network
    named = dict(network.named_modules())
    layers = [name for name, m in named.items() if list(m.parameters(recurse=False))]
    (head,) = heads_of(network)
    return layers, [name for name in layers if named[name] is head]


def test_only_the_head_learns_in_the_warm_up(scenes):
    clf = fitted(scenes, max_epochs=2, objective__warmup_epochs=2)
    assert moved(clf, scenes) == (set(layers_of(clf)[1]), False)


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("head_first", [False, True])
def test_afterwards_all_learns_that_is_not_frozen(scenes, share, head_first):
    own = {"networks__frozen_share": share, "objective__head_first": head_first}
    clf = fitted(scenes, max_epochs=2, objective__warmup_epochs=1, **own)
    layers, _ = layers_of(clf)
    assert moved(clf, scenes, **own) == (set(layers[int(share * len(layers)) :]), True)


def test_without_the_setting_all_learns_in_the_warm_up(scenes):
    own = {"objective__head_first": False}
    clf = fitted(scenes, max_epochs=1, objective__warmup_epochs=1, **own)
    assert moved(clf, scenes, **own) == (set(layers_of(clf)[0]), False)


def test_a_training_that_goes_on_in_the_middle_of_a_phase_is_frozen_as_it_was(scenes):
    own = {"networks__frozen_share": 0.5}
    clf = fitted(scenes, max_epochs=2, objective__warmup_epochs=1, **own)
    warmup, joint = pickle.loads(pickle.dumps(clf.net_.phases))
    model = nn.Module()
    model.classifier = clf.module_.classifier
    for phase, share in ((warmup, 1.0), (joint, 0.5)):
        for hook in (phase.begin, phase.before_epoch):
            model.classifier.frozen_share = None
            hook(model, None)  # of a stream: its images are not read once more
            assert model.classifier.frozen_share == share


@pytest.mark.filterwarnings("ignore:.*are the same for all images")
def test_the_head_begins_as_a_logistic_regression_of_every_label(scenes):
    y = np.stack([np.arange(24) % 2, np.ones(24, int), np.arange(24) % 3 == 0], axis=1)
    settings = {**SETTINGS, "max_epochs": 1, "objective__warmup_epochs": 1, "lr": 1e-9}
    clf = P2PClassifier().set_params(**settings).fit(scenes.images, y)
    plain = clone(clf).set_params(max_epochs=0).fit(scenes.images, y)
    (head,), seen = heads_of(plain.module_.classifier.network), []
    head.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].numpy()))
    before = plain.predict_proba_masked(scenes.images)
    found = clf.predict_proba_masked(scenes.images)
    for label in (0, 2):
        wanted = LogisticRegression(C=0.01, max_iter=2000).fit(
            np.concatenate(seen[:2]), y[:, label]
        )
        own = wanted.predict_proba(np.concatenate(seen[:2]))[:, 1]
        np.testing.assert_allclose(found[:, label], own, atol=1e-3)
    # A label that never changes teaches nothing.
    np.testing.assert_allclose(found[:, 1], before[:, 1], atol=1e-3)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_head_begins_as_a_logistic_regression(scenes, n_classes):
    y = np.arange(24) % n_classes
    settings = {**SETTINGS, "max_epochs": 1, "objective__warmup_epochs": 1, "lr": 1e-9}
    clf = P2PClassifier().set_params(**settings).fit(scenes.images, y)
    plain = clone(clf).set_params(max_epochs=0).fit(scenes.images, y)
    network = plain.module_.classifier
    (head,), seen = heads_of(network.network), []
    head.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].numpy()))
    plain.predict_proba_masked(scenes.images)
    wanted = LogisticRegression(C=0.01, max_iter=2000).fit(np.concatenate(seen), y)
    found = clf.predict_proba_masked(scenes.images)
    np.testing.assert_allclose(found, wanted.predict_proba(np.concatenate(seen)), atol=1e-3)
