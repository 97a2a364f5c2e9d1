import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracles.regions import is_canonical
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from p2pselect import SuperpixelTransformer
from p2pselect.exceptions import InputError
from p2pselect.images import ImageSequence
from p2pselect.regions import ImagesWithRegions
from p2pselect.regions._proposal import shrink_factor
from p2pselect.regions._slic import max_regions, min_size


@parametrize_with_checks([SuperpixelTransformer()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_labels_depend_on_the_image_alone(photographs):
    transformer = SuperpixelTransformer(n_segments=30)
    together = transformer.fit_transform(photographs)
    assert together.dtype == np.int32
    for i in range(len(photographs)):
        assert np.array_equal(transformer.transform(photographs[i : i + 1])[0], together[i])
        assert np.array_equal(transformer.propose(photographs[i]), together[i])
    assert np.array_equal(transformer.transform(photographs[::-1])[::-1], together)
    assert np.array_equal(transformer.propose_batch(photographs), together)
    threaded = SuperpixelTransformer(n_segments=30, n_jobs=3)
    assert np.array_equal(threaded.transform(photographs), together)


def test_another_process_gives_the_same(photographs, tmp_path):
    np.save(tmp_path / "images.npy", photographs)
    code = (
        "import sys, numpy as np; from p2pselect import SuperpixelTransformer as T;"
        "np.save(sys.argv[2], T(n_segments=30).transform(np.load(sys.argv[1])))"
    )
    paths = [str(tmp_path / name) for name in ("images.npy", "labels.npy")]
    subprocess.run([sys.executable, "-c", code, *paths], check=True, timeout=240)
    expected = SuperpixelTransformer(n_segments=30).transform(photographs)
    assert np.array_equal(np.load(paths[1]), expected)


def test_kinds_of_input_give_equal_labels(photographs):
    transformer = SuperpixelTransformer(n_segments=30)
    expected = transformer.transform(photographs)
    assert np.array_equal(transformer.transform(photographs / 255), expected)
    assert np.array_equal(
        transformer.transform((photographs / 255).astype(np.float32)), expected
    )
    opaque = np.full((*photographs.shape[:3], 1), 255, np.uint8)
    assert np.array_equal(
        transformer.transform(np.concatenate([photographs, opaque], 3)), expected
    )
    first = clone(transformer).set_params(channels="first")
    assert np.array_equal(first.transform(photographs.transpose(0, 3, 1, 2)), expected)
    read_only = np.broadcast_to(photographs, photographs.shape)
    assert np.array_equal(transformer.propose_batch(read_only), expected)
    gray = photographs[..., :1]
    color = np.repeat(gray, 3, axis=3)
    assert np.array_equal(transformer.transform(gray), transformer.transform(color))
    assert np.array_equal(transformer.transform(gray[..., 0]), transformer.transform(color))


def test_input_is_not_modified(photographs):
    before = photographs.copy()
    SuperpixelTransformer(resolution=48).transform(photographs)
    assert np.array_equal(photographs, before)


def test_images_of_unequal_size(photographs):
    images = [photographs[0], photographs[1][:50, :70]]
    labels = SuperpixelTransformer(n_segments=20).transform(images)
    assert isinstance(labels, list)
    assert [one.shape for one in labels] == [(96, 96), (50, 70)]
    both = SuperpixelTransformer(n_segments=20, output="images+regions").transform(images)
    assert [one.shape for one in both[[1]].regions] == [(50, 70)]


def test_images_and_regions(photographs):
    both = SuperpixelTransformer(n_segments=20, output="images+regions").fit_transform(
        photographs
    )
    assert isinstance(both, ImagesWithRegions)
    assert isinstance(both.images, ImageSequence)
    assert np.array_equal(
        both.regions, SuperpixelTransformer(n_segments=20).transform(photographs)
    )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 99),
    h=st.integers(1, 60),
    w=st.integers(1, 60),
    n_segments=st.integers(1, 200),
    resolution=st.integers(1, 70),
)
# The edge cuts a block, which leaves a region of one pixel.
@example(seed=0, h=37, w=37, n_segments=80, resolution=13)
def test_resolution_keeps_the_guarantees(seed, h, w, n_segments, resolution):
    image = np.random.default_rng(seed).integers(0, 256, (h, w, 3), dtype=np.uint8)
    labels = SuperpixelTransformer(n_segments=n_segments, resolution=resolution).propose(image)
    assert labels.shape == (h, w)
    assert is_canonical(labels)
    areas = np.bincount(labels.ravel())
    assert len(areas) <= max_regions(n_segments)
    assert areas.min() >= min(min_size(h, w, n_segments, 0.25), h * w)


@pytest.mark.parametrize(
    ("h", "w", "resolution", "factor"),
    [(224, 224, 112, 2), (225, 10, 112, 3), (10, 225, 112, 3), (100, 90, 112, 1)],
)
def test_no_side_is_longer_than_the_resolution(h, w, resolution, factor):
    assert shrink_factor(h, w, resolution) == factor
    assert shrink_factor(h, w, None) == 1


def test_resolution_means_over_blocks(photographs):
    blocky = np.repeat(np.repeat(photographs, 2, axis=1), 2, axis=2)
    full = SuperpixelTransformer(n_segments=30).transform(photographs)
    low = SuperpixelTransformer(n_segments=30, resolution=96).transform(blocky)
    assert np.array_equal(low, np.repeat(np.repeat(full, 2, axis=1), 2, axis=2))
    above = SuperpixelTransformer(n_segments=30, resolution=96).transform(photographs)
    assert np.array_equal(above, full)


def test_fit_learns_nothing_but_says_what_it_saw(photographs):
    transformer = SuperpixelTransformer()
    assert transformer.fit(photographs) is transformer
    assert transformer.image_shape_in_ == (96, 96)
    assert transformer.n_features_in_ == 3
    labels = transformer.engine_(photographs[0])
    assert np.array_equal(labels, transformer.propose(photographs[0]))
    again = pickle.loads(pickle.dumps(transformer))
    assert np.array_equal(again.propose(photographs[0]), transformer.propose(photographs[0]))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("n_segments", 0),
        ("n_segments", 2.5),
        ("compactness", -1),
        ("n_iter", -1),
        ("min_size_factor", 1.5),
        ("resolution", 0),
        ("output", "maps"),
        ("channels", "middle"),
        ("engine", None),
        ("cache_dir", 3),
        ("n_jobs", "two"),
    ],
)
def test_parameters_out_of_range(photographs, parameter, value):
    with pytest.raises(ValueError, match=parameter):
        SuperpixelTransformer().set_params(**{parameter: value}).fit(photographs)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((0, 4, 4, 3), np.uint8), "no image"),
        (np.full((1, 4, 4, 3), np.nan), "NaN"),
        (np.full((1, 4, 4, 3), 7.0), "expected"),
        (np.zeros((2, 4, 4, 4, 3), np.uint8), "shape"),
    ],
)
def test_bad_images(X, message):
    with pytest.raises(InputError, match=message):
        SuperpixelTransformer().transform(X)


def test_volumes_are_refused():
    with pytest.raises(InputError, match="volumes are not supported"):
        SuperpixelTransformer().propose(np.zeros((4, 4, 4, 1), np.uint8))
