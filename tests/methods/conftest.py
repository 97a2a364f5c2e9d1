"""Tiny digit scenes and settings, and one step of training on a toy model."""

import pytest
import torch
from oracles.baselines import toy_classifier
from torch import nn

from p2pselect import datasets, presets
from p2pselect.methods import BlackboxClassifier
from p2pselect.nn._model import SelectiveModel
from p2pselect.training._phases import Step

SETTINGS = {
    **presets.SMALL,
    "image_size": 32,
    "max_epochs": 1,
    "regions": "grid",
    "random_state": 0,
}


@pytest.fixture(scope="package")
def scenes():
    return datasets.make_digit_scenes(24, image_size=32, random_state=0)


@pytest.fixture(scope="package")
def X(scenes):
    return scenes.images


@pytest.fixture(scope="package")
def y(scenes):
    return scenes.target % 2


@pytest.fixture(scope="package")
def make():
    """Build a method with tiny settings: those of SETTINGS that it has, and others."""

    def build(cls, **settings):
        return cls().set_params(**{**presets.settings_for(cls, SETTINGS), **settings})

    return build


@pytest.fixture(scope="package")
def blackbox(make, X, y):
    return make(BlackboxClassifier).fit(X, y)


@pytest.fixture
def toy_step():
    """One step on five images of 8 px, regions of 2 x 2 px, a linear selector."""

    def build(model=None, n_maps=1, progress=0.5, seed=0):
        torch.manual_seed(seed)
        if model is None:
            model = SelectiveModel(nn.Conv2d(3, n_maps, 1), toy_classifier())
        rows, columns = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
        regions = (rows // 2 * 4 + columns // 2).expand(5, 8, 8).contiguous()
        target = torch.arange(5) % 3
        return Step(model, torch.rand(5, 3, 8, 8), regions, target, torch.arange(5), progress)

    return build
