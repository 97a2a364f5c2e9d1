import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage

from p2pselect.datasets import make_digit_scenes
from p2pselect.exceptions import InputError


@pytest.fixture(scope="module")
def data():
    return make_digit_scenes(300, random_state=0)


def test_what_it_returns(data):
    assert data.images.shape == (300, 64, 64, 3) and data.images.dtype == np.uint8
    assert data.masks.shape == (300, 64, 64) and data.masks.dtype == bool
    assert data.target_names.tolist() == [str(digit) for digit in range(10)]
    np.testing.assert_array_equal(data.target_names[data.target], data.objects)
    assert len(set(data.scenes)) == 10
    assert "load_digits" in data.DESCR


def test_scenes_as_target(data):
    scenes = make_digit_scenes(300, random_state=0, target="scene")
    np.testing.assert_array_equal(scenes.images, data.images)
    np.testing.assert_array_equal(scenes.objects, data.objects)
    np.testing.assert_array_equal(scenes.target_names[scenes.target], data.scenes)


def test_classes_are_balanced(data):
    for names in (data.objects, data.scenes):
        assert np.unique(names, return_counts=True)[1].tolist() == [30] * 10


def test_few_samples_still_have_all_classes():
    assert sorted(make_digit_scenes(10, random_state=3).target) == list(range(10))


def test_same_seed_same_images(data):
    again = make_digit_scenes(300, random_state=np.random.RandomState(0))
    np.testing.assert_array_equal(again.images, data.images)
    np.testing.assert_array_equal(again.masks, data.masks)
    other = make_digit_scenes(300, random_state=1)
    assert (other.images != data.images).any(axis=(1, 2, 3)).all()


def test_global_generator_is_left_alone():
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    make_digit_scenes(2, random_state=0)
    assert np.random.random() == expected  # noqa: NPY002


def test_masks_are_digits(data):
    areas = data.masks.mean(axis=(1, 2))
    assert 0.10 < areas.mean() < 0.14
    assert areas.min() > 0.04 and areas.max() < 0.26
    # Anywhere: over many images every pixel of the middle gets covered.
    cover = data.masks.mean(axis=0)
    assert cover[16:-16, 16:-16].min() > 0.03
    centers = np.array([ndimage.center_of_mass(mask) for mask in data.masks])
    assert (centers.std(axis=0) > 4).all()


def test_digits_stand_out(data):
    """The stroke is brighter than the halo, and the mask has both."""
    light = data.images.mean(axis=3)
    for image, mask in zip(light, data.masks, strict=True):
        rim = mask & ~ndimage.binary_erosion(mask)
        core = ndimage.binary_erosion(mask, iterations=2)
        if core.any():
            assert image[core].mean() > image[rim].mean() + 40


def test_nothing_is_pasted_outside_the_mask():
    """Beyond mask and its soft edge the photograph is as it was, so not uniform in color."""
    data = make_digit_scenes(50, random_state=0)
    far = ~np.array([ndimage.binary_dilation(mask, iterations=3) for mask in data.masks])
    stones = data.scenes == "gravel"
    assert data.images[stones][far[stones]].std() > 20


def test_splits_share_nothing():
    from p2pselect.datasets._digit_scenes import _grounds, _scans

    train = {scan.tobytes() for scans in _scans("train") for scan in scans}
    test = {scan.tobytes() for scans in _scans("test") for scan in scans}
    assert len(train) + len(test) == 1797 and not train & test
    for left, right in zip(_grounds("train"), _grounds("test"), strict=True):
        assert left.mode == "RGB" and left.height == right.height
        assert np.asarray(left).tobytes() != np.asarray(right).tobytes()
    first = make_digit_scenes(30, random_state=0)
    second = make_digit_scenes(30, random_state=0, split="test")
    assert (first.objects != second.objects).any()


@pytest.mark.parametrize("image_size", [16, 33, 128])
def test_sizes(image_size):
    data = make_digit_scenes(20, image_size, random_state=0)
    assert data.images.shape == (20, image_size, image_size, 3)
    assert 0.07 < data.masks.mean() < 0.19


def test_objects_can_be_learned(data):
    """A linear rule on the masks alone is far above chance: they are digits, not blobs."""
    from sklearn.linear_model import LogisticRegression

    def upright(masks):
        boxes = [ndimage.find_objects(mask.astype(int))[0] for mask in masks]
        return np.array(
            [
                ndimage.zoom(
                    mask[box].astype(float), np.divide(12, mask[box].shape), order=1
                ).ravel()
                for mask, box in zip(masks, boxes, strict=True)
            ]
        )

    test = make_digit_scenes(100, random_state=0, split="test")
    model = LogisticRegression(max_iter=200).fit(upright(data.masks), data.target)
    assert model.score(upright(test.masks), test.target) > 0.6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_samples": 0}, "n_samples must be an int of at least 1, got 0"),
        ({"n_samples": 2.5}, "n_samples"),
        ({"n_samples": True}, "n_samples"),
        ({"image_size": 8}, "image_size must be an int of at least 16"),
        ({"target": "digit"}, 'target must be "object" or "scene"'),
        ({"split": "validation"}, 'split must be "train" or "test"'),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(InputError, match=message):
        make_digit_scenes(**options)


def test_no_download_is_needed():
    code = (
        "import sys; sys.modules['pooch'] = None\n"
        "from p2pselect.datasets import make_digit_scenes\n"
        "make_digit_scenes(10, random_state=0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
