"""Regions by an engine of one's own, by public imports only: a function, and a class."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV

from p2pselect import P2PClassifier, SuperpixelTransformer, presets
from p2pselect.exceptions import InputError
from p2pselect.regions import RegionEngine, masks_to_labels, n_regions


class Tiles(BaseEstimator):
    """Square tiles, of which the bright ones are one label."""

    def __init__(self, side=8, cache_key="tiles 1"):
        self.side = side
        self.cache_key = cache_key

    def __call__(self, image: np.ndarray) -> np.ndarray:
        row, column = np.indices(image.shape[:2]) // self.side
        labels = row * 1000 + column
        return np.where(image.mean(axis=2) > 250, -1, labels)


def disc(image):
    y, x = np.indices(image.shape[:2])
    inside = (x - 8) ** 2 + (y - 8) ** 2 < 30
    return masks_to_labels([inside], image, n_segments=9)


tiles: RegionEngine = Tiles()


@pytest.fixture
def X():
    return np.random.default_rng(0).integers(0, 250, (8, 16, 16, 3), dtype=np.uint8)


@pytest.mark.parametrize("engine", [tiles, disc], ids=["class", "function"])
def test_its_labels_are_brought_into_order(engine, X):
    X[0, 2:4, 2:4] = X[0, 12:14, 12:14] = 255  # one label in two pieces
    transformer = SuperpixelTransformer(engine=engine).fit(X)
    regions = transformer.transform(X)
    assert regions.dtype == np.int32 and regions[:, 0, 0].max() == 0
    for image, labels in zip(X, regions, strict=True):
        np.testing.assert_array_equal(transformer.propose(image), labels)
    if engine is tiles:
        assert n_regions(regions).tolist() == [6] + [4] * 7


def test_a_model_chooses_among_its_regions(X):
    settings = {**presets.SMALL, "image_size": 16, "max_epochs": 1, "augment": None}
    clf = P2PClassifier(**{**settings, "regions": Tiles(4)}, random_state=0)
    clf = clone(clf).fit(X, np.arange(8) % 2)
    explanation = clf.explain(X)
    np.testing.assert_array_equal(
        explanation.regions, SuperpixelTransformer(engine=Tiles(4)).transform(X)
    )
    blocks = clf.transform(X).reshape(8, 4, 4, 4, 4)
    assert (blocks.all(axis=(2, 4)) | ~blocks.any(axis=(2, 4))).all()


def test_a_search_reaches_its_settings(X):
    def few_regions(transformer, X, y=None):
        return -n_regions(transformer.transform(X)).mean()

    search = GridSearchCV(
        SuperpixelTransformer(engine=Tiles()),
        {"engine__side": [2, 8, 4]},
        scoring=few_regions,
        cv=2,
    )
    assert search.fit(X).best_params_ == {"engine__side": 8}


def test_its_label_maps_are_kept_by_its_key(X, tmp_path):
    cached = SuperpixelTransformer(engine=Tiles(), cache_dir=tmp_path)
    first = cached.transform(X)
    np.testing.assert_array_equal(cached.transform(X), first)
    assert cached.cache_info_[:3] == (8, 8, 8)
    other = SuperpixelTransformer(engine=Tiles(4, "tiles of 4"), cache_dir=tmp_path)
    assert n_regions(other.transform(X)).tolist() == [16] * 8


def test_what_is_not_a_label_map_is_refused(X):
    with pytest.raises(InputError, match=r"integer labels of shape \(16, 16\), got .* float64"):
        SuperpixelTransformer(engine=lambda image: image.mean(axis=2)).transform(X)
