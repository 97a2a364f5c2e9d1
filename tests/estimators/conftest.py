"""A tiny fitted classifier on real digit scenes, shared by the tests of this folder."""

import warnings

import pytest

from p2pselect import P2PClassifier, datasets, presets

SETTINGS = {
    **presets.SMALL,
    "max_epochs": 2,
    "objective__warmup_epochs": 1,
    "objective__random_share": 0.0,  # learns something in two epochs
    "image_size": 32,
    "random_state": 0,
}


@pytest.fixture(scope="package")
def scenes():
    return datasets.make_digit_scenes(40, image_size=32, random_state=0)


@pytest.fixture(scope="package")
def X(scenes):
    return scenes.images


@pytest.fixture(scope="package")
def y(scenes):
    return scenes.target % 2


@pytest.fixture(scope="package")
def settings():
    return dict(SETTINGS)


@pytest.fixture(scope="package")
def clf(X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return P2PClassifier().set_params(**SETTINGS).fit(X, y)
