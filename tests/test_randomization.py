"""Randomized selectors: learned selections are lost, those of conspicuous regions stay."""

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from torch import nn
from two_patches import PATCH, SETTINGS, two_patches

from p2pselect import P2PClassifier
from p2pselect.exceptions import InputError
from p2pselect.methods import BlackboxClassifier
from p2pselect.model_selection import randomize_selector

X, y = two_patches(128, seed=0)


class Saturated(nn.Module):
    """Finds conspicuous patches whatever its weights, which it hardly uses."""

    def __init__(self, n_maps, learned=0.0):
        super().__init__()
        self.first, self.last = nn.Linear(3, 3, bias=False), nn.Linear(16, 16 * n_maps)
        self.learned = learned

    def forward(self, images):
        patches = nn.functional.avg_pool2d(images, PATCH)
        spread = patches.amax(dim=1) - patches.amin(dim=1)
        seen = self.last(self.first(patches.movedim(1, -1))[..., 0].flatten(1))
        maps = seen.view(len(images), -1, 4, 4)
        return spread[:, None] + self.learned * maps


class Learned(Saturated):
    """Its weights alone decide."""

    def __init__(self, n_maps):
        super().__init__(n_maps, learned=1e4)


def fitted(selector):
    clf = P2PClassifier(**{**SETTINGS, "selector": selector}, max_epochs=0)
    return clf.fit(X, y)


def test_what_was_learned_is_lost_and_what_was_not_stays():
    X_test = X[:64]
    lost = randomize_selector(fitted(Learned), X_test)
    assert [name.rpartition(".")[2] for name in lost.layers] == ["last", "first"]
    assert lost.n_layers.tolist() == [1, 2]
    assert np.abs(lost.rank_correlation).max() < 0.7 and lost.iou.max() < 0.7
    stays = randomize_selector(fitted(Saturated), X_test)
    assert stays.rank_correlation.min() > 0.99 and stays.iou.min() > 0.99
    assert stays.chance_iou < 0.3


def test_layers_are_shuffled_from_the_last_to_the_first():
    clf = fitted(Learned)
    before = {name: value.clone() for name, value in clf.module_.state_dict().items()}
    at_once, stepwise = (randomize_selector(clf, X[:16], n_steps=n) for n in (1, 99))
    assert at_once.n_layers.tolist() == [2] and stepwise.n_layers.tolist() == [1, 2]
    assert at_once.rank_correlation[0] == stepwise.rank_correlation[1]
    assert at_once.rank_correlation[0] != stepwise.rank_correlation[0]
    after = clf.module_.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before), "clf has changed"
    first = randomize_selector(clf, X[:16], random_state=3)
    again = randomize_selector(make_pipeline(clf), X[:16], random_state=3)
    np.testing.assert_array_equal(first.rank_correlation, again.rank_correlation)


def test_what_does_not_fit_is_refused():
    blackbox = BlackboxClassifier(
        classifier=SETTINGS["classifier"],
        image_size=32,
        pretrained=False,
        max_epochs=0,
        regions="grid",
    )
    with pytest.raises(InputError, match="randomize_selector needs a model that ranks"):
        randomize_selector(blackbox.fit(X, y), X[:4])
    with pytest.raises(InputError, match="n_steps must be at least 1, got 0"):
        randomize_selector(fitted(Learned), X[:4], n_steps=0)
