import pytest

from p2pselect import P2PClassifier, datasets, presets


@pytest.fixture(scope="package")
def X():
    return datasets.make_digit_scenes(24, image_size=32, random_state=0).images


@pytest.fixture(scope="package")
def clf(X):
    settings = {**presets.SMALL, "max_epochs": 1, "image_size": 32, "random_state": 0}
    return P2PClassifier(**settings).fit(X, ["<b>a</b>", "ü"] * 12)
