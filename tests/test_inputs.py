"""The same images, however they are given, get the same predictions."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.base import clone

from p2pselect import P2PClassifier, SuperpixelTransformer, presets
from p2pselect.datasets import make_digit_scenes
from p2pselect.images import as_images


@pytest.fixture(scope="module")
def scenes():
    data = make_digit_scenes(40, image_size=32, random_state=0)
    return data.images, data.target % 2


@pytest.fixture(scope="module")
def clf(scenes):
    settings = {
        "image_size": 32,
        "max_epochs": 1,
        "objective__warmup_epochs": 0,
        "random_state": 0,
    }
    return P2PClassifier().set_params(**{**presets.SMALL, **settings}).fit(*scenes)


@pytest.fixture(scope="module")
def ways(scenes, tmp_path_factory):
    X, _ = scenes
    folder = tmp_path_factory.mktemp("images")
    pillow = [Image.fromarray(x) for x in X]
    paths = [folder / f"{i}.png" for i in range(len(X))]
    for image, path in zip(pillow, paths, strict=True):
        image.save(path)
    memory_map = np.memmap(folder / "X", dtype=np.uint8, mode="w+", shape=X.shape)
    memory_map[:] = X
    text = [str(path) for path in paths]
    return {
        "uint8 array": X,
        "floats": (X / 255).astype(np.float32),
        "double precision": X / 255,
        "list of arrays": list(X),
        "Pillow images": pillow,
        "paths": paths,
        "array of paths": np.array(text),
        "Series of paths": pd.Series(text),
        "DataFrame of paths": pd.DataFrame({"file": text}),
        "tensor": torch.from_numpy(X),
        "memory map": memory_map,
        "ImageSequence": as_images(X),
        "images and regions": SuperpixelTransformer(
            n_segments=64, output="images+regions"
        ).fit_transform(X),
    }


def test_every_way_gives_the_same_probabilities(clf, scenes, ways):
    expected = clf.predict_proba(scenes[0])
    assert len(ways) >= 13
    for way, X in ways.items():
        np.testing.assert_allclose(clf.predict_proba(X), expected, atol=1e-6, err_msg=way)


def test_channels_first_flat_rows_and_opacity(clf, scenes):
    X, y = scenes
    expected = clf.predict_proba(X)
    first, rows = X.transpose(0, 3, 1, 2), X.reshape(len(X), -1)
    opaque = np.concatenate([X, np.full_like(X[..., :1], 255)], axis=3)
    ways = [
        (first, {"images__channels": "first"}),
        (rows, {"images__image_shape": (32, 32, 3)}),
        (opaque, {}),
    ]
    for images, parameters in ways:
        other = clone(clf).set_params(**parameters).fit(images, y)
        np.testing.assert_allclose(other.predict_proba(images), expected, atol=1e-6)


def test_grey_images_are_three_equal_channels(clf, scenes):
    X, y = scenes
    gray = X[..., 0]
    color = np.repeat(gray[..., None], 3, axis=3)
    by_grey, by_colour = (
        clone(clf).fit(images, y).predict_proba(images) for images in (gray, color)
    )
    np.testing.assert_allclose(by_grey, by_colour, atol=1e-6)
