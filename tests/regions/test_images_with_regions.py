import numpy as np
import pytest
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.utils import _safe_indexing, indexable

from p2pselect.exceptions import InputError
from p2pselect.images import as_images
from p2pselect.regions import ImagesWithRegions


@pytest.fixture
def both() -> ImagesWithRegions:
    values = np.arange(6, dtype=np.uint8)[:, None, None]
    images = np.broadcast_to(values[..., None], (6, 4, 5, 3))
    return ImagesWithRegions(
        as_images(images), np.broadcast_to(values, (6, 4, 5)).astype(np.int32)
    )


@pytest.mark.parametrize(
    ("key", "rows"),
    [
        (2, [2]),
        (-1, [5]),
        (np.int64(3), [3]),
        (slice(1, 4), [1, 2, 3]),
        (slice(None, None, -2), [5, 3, 1]),
        ([4, 0, 4], [4, 0, 4]),
        (np.array([True, False, False, True, False, False]), [0, 3]),
        (np.array([], dtype=int), []),
    ],
)
def test_images_and_regions_are_selected_together(both, key, rows):
    chosen = both[key]
    assert len(chosen) == len(rows)
    assert [int(image[0, 0, 0]) for image in chosen.images] == rows
    assert chosen.regions[:, 0, 0].tolist() == rows


def test_scikit_learn_can_slice_it(both):
    indexable(both, np.arange(6))
    for train, test in KFold(3).split(both):
        assert len(_safe_indexing(both, train)) == 4
        assert _safe_indexing(both, test).regions[:, 0, 0].tolist() == test.tolist()


def test_regions_of_unequal_size(both):
    ragged = ImagesWithRegions(both.images, [np.zeros((k + 1, 2), int) for k in range(6)])
    assert [len(one) for one in ragged[[5, 1]].regions] == [6, 2]


def test_iteration_ends(both):
    assert [len(one) for one in both] == [1] * 6


def test_one_label_map_per_image(both):
    with pytest.raises(InputError, match="5 label maps for 6 images"):
        ImagesWithRegions(both.images, both.regions[:5])


def test_cross_validation_takes_it(both):
    from sklearn.base import BaseEstimator, ClassifierMixin

    class FirstPixel(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.classes_ = np.unique(y)
            return self

        def predict(self, X):
            return X.regions[:, 0, 0] % 2

    y = np.arange(6) % 2
    assert np.array_equal(cross_val_predict(FirstPixel(), both, y, cv=2), y)
