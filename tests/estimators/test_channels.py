"""Models of images with other channels than colors, and with values in their own range."""

import json
import re
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from torch import nn

from p2pselect import Explanation, P2PClassifier, SuperpixelTransformer, load, presets
from p2pselect.exceptions import InputError
from p2pselect.images import as_images
from p2pselect.methods import METHODS
from p2pselect.nn._backbones import build_classifier
from p2pselect.nn._selectors import build_pixel_scorer
from p2pselect.persistence import describe

RNG = np.random.default_rng(0)


def cells(n, channels, size=24):
    """Images (n, h, w, c), uint16 up to about 3,000, whose class is in one channel alone."""
    X = RNG.integers(300, 900, (n, size, size, channels)).astype(np.uint16)
    y = np.arange(n) % 2
    for image, label in zip(X, y, strict=True):
        row, column = RNG.integers(2, size - 10, 2)
        image[row : row + 8, column : column + 8, -1] += 2000 if label else 900
    return X, y


def classifier(max_epochs=1, method=P2PClassifier, **settings):
    own = {**presets.SMALL, "image_size": 24, "max_epochs": max_epochs, "validation": None}
    return method(**presets.settings_for(method, own), random_state=0).set_params(**settings)


@pytest.fixture(scope="module", params=[1, 2, 4, 5])
def fitted(request):
    X, y = cells(16, request.param)
    clf = classifier(
        images__n_channels=request.param,
        images__value_range="percentiles",
        images__normalization="measured",
        images__display_channels=(request.param - 1,),
    )
    return clf.fit(X, y), X


def test_networks_see_all_channels(fitted):
    clf, X = fitted
    channels = X.shape[3]
    assert clf.n_channels_seen_ == clf.n_channels_in_ == channels
    assert len(clf.value_range_) == channels
    exp = clf.explain(X)
    assert exp.images.shape == X.shape and exp.images.dtype == np.float32
    low, high = np.array(clf.value_range_).T
    expected = np.clip((X - low) / (high - low), 0, 1)
    np.testing.assert_allclose(exp.images, expected, atol=1e-6)
    for network in (clf.module_.selector.pixel_scorer, clf.module_.classifier):
        np.testing.assert_allclose(network.mean.ravel(), expected.mean((0, 1, 2)), atol=1e-5)
        np.testing.assert_allclose(network.std.ravel(), expected.std((0, 1, 2)), atol=1e-5)
        first = next(m for m in network.modules() if isinstance(m, nn.Conv2d))
        assert first.in_channels == channels
    proba = clf.predict_proba_masked(exp.masked_images)
    np.testing.assert_allclose(proba, clf.predict_proba(X), atol=1e-6)


def test_the_range_of_training_serves_in_prediction(fitted):
    clf, X = fitted
    half = X // 2  # of another range, which must not be measured again
    alone = [clf.predict_proba(half[i : i + 1])[0] for i in range(4)]
    np.testing.assert_allclose(alone, clf.predict_proba(half)[:4], atol=1e-5)
    assert abs(clf.explain(half).images.mean() - clf.explain(X).images.mean()) > 0.1


def test_a_saved_model_keeps_channels_range_and_constants(fitted, tmp_path):
    clf, X = fitted
    clf.save(tmp_path / "m")
    again = load(tmp_path / "m")
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    assert again.value_range_ == clf.value_range_
    assert again.normalization_ == clf.normalization_
    facts = describe(tmp_path / "m")
    assert facts["channels"] == X.shape[3] and facts["normalization"] == "measured"
    assert facts["value_range"] == clf.value_range_
    json.dumps(facts)
    exp = clf.explain(X[:2])
    exp.save(tmp_path / "e.npz")
    loaded = Explanation.load(tmp_path / "e.npz")
    assert loaded.display_channels == exp.display_channels == (X.shape[3] - 1,)


def test_other_channels_are_refused(fitted):
    clf, X = fitted
    more = np.concatenate([X, X], axis=3)
    with pytest.raises(InputError, match=f"channels; expected n_channels={X.shape[3]}"):
        clf.predict(more)
    with pytest.raises(InputError, match="of 3 channels|was fitted on|expected n_channels"):
        clf.predict(X[..., :1].repeat(3, axis=3))


def test_what_a_sequence_says_is_learned_and_asked_for_again():
    X, y = cells(12, 4)
    images = as_images(X, n_channels=4, value_range=(0, 3000))
    clf = classifier().fit(images, y)
    assert clf.n_channels_seen_ == 4 and clf.value_range_ == ((0.0, 3000.0),)
    np.testing.assert_array_equal(clf.predict_proba(images), clf.predict_proba(X))
    with pytest.raises(InputError, match="read with value_range"):
        clf.predict(as_images(X, n_channels=4, value_range=(0, 9)))


def test_a_model_of_five_channels_learns_what_is_in_one_of_them():
    X, y = cells(96, 5)
    own = {"images__n_channels": 5, "images__value_range": (0, 4095), "lr": 3e-3}
    clf = classifier(20, **own, objective__warmup_epochs=0).fit(X, y)
    new, truth = cells(60, 5)
    assert clf.score(new, truth) > 0.8
    # Nothing but the last channel tells the classes apart.
    blind = new.copy()
    blind[..., -1] = 600
    assert clf.score(blind, truth) < 0.7


def test_ranges_make_no_difference_where_they_are_the_usual():
    X = RNG.integers(0, 256, (12, 24, 24, 3), dtype=np.uint8)
    y = np.arange(12) % 2
    usual = classifier().fit(X, y).predict_proba(X)
    ranged = classifier(images__value_range=(0, 255)).fit(X, y).predict_proba(X)
    wide = classifier(images__value_range="dtype").fit(X.astype(np.uint16) * 257, y)
    np.testing.assert_allclose(ranged, usual, atol=1e-4)
    np.testing.assert_allclose(wide.predict_proba(X.astype(np.uint16) * 257), usual, atol=1e-4)


@pytest.mark.parametrize("name", [n for n in METHODS if n != "p2p"])
def test_every_method_takes_two_channels(name):
    X, y = cells(8, 2)
    clf = classifier(method=METHODS[name].cls)
    clf.set_params(images__n_channels=2, images__value_range=(0, 4095)).fit(X, y)
    assert np.isfinite(clf.predict_proba(X)).all()


def test_streams_have_channels_and_ranges_too():
    class Pairs(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(zip(*cells(8, 2), strict=True))

    own = {"images__n_channels": 2, "images__value_range": (0, 4095)}
    clf = classifier(**own).fit(Pairs())
    assert clf.n_channels_seen_ == 2 and clf.value_range_ == ((0.0, 4095.0),)
    with pytest.raises(InputError, match="not a stream"):
        classifier(images__n_channels=2, images__value_range="percentiles").fit(Pairs())
    with pytest.raises(InputError, match="not a stream"):
        classifier(**own, images__normalization="measured").fit(Pairs())


@pytest.mark.parametrize(
    ("value_range", "message"),
    [
        ((0, 65535), r"use 4.\d% of the range value_range=\(\(0.0, 65535.0\),\)"),
        ((0, 255), "100% of all values are at the upper end"),
        ((0, 4095), None),
        ("percentiles", None),
    ],
)
def test_a_range_that_is_hardly_used_is_mentioned(value_range, message, recwarn):
    X, y = cells(16, 2)
    classifier(0, images__n_channels=2, images__value_range=value_range).fit(X, y)
    said = [str(w.message) for w in recwarn if "pass the range" in str(w.message)]
    assert bool(said) == (message is not None)
    assert all(re.search(message, each) for each in said)


@pytest.mark.parametrize(("brightest", "warns"), [(16, True), (40, False), (0, False)])
def test_so_is_one_of_8_bits(brightest, warns, recwarn):
    """Digits of 0 to 16, for example, which are as good as black."""
    X = RNG.integers(0, brightest + 1, (16, 24, 24)).astype(np.uint8)
    classifier(0).fit(X, np.arange(16) % 2)
    said = [str(w.message) for w in recwarn if "little contrast" in str(w.message)]
    assert bool(said) == warns
    assert not warns or re.search(r"use 6.3% of the range \[0, 255\]", said[0])


def test_colors_of_the_paper_views_are_needed():
    X, y = cells(8, 2)
    own = {"images__n_channels": 2, "images__value_range": (0, 4095)}
    with pytest.raises(InputError, match="changes hue and saturation"):
        classifier(**own, augment="paper").fit(X, y)


@pytest.mark.parametrize(
    "shown",
    [(0, 1), (5,), (-1,), (0, 1, 2.5), (), ((5, "cyan"),), ((0, "pink"),), ((0, "cyan"), 0, 0)],
)
def test_channels_that_cannot_be_shown(fitted, shown):
    clf, X = fitted
    other = deepcopy(clf).set_params(images__display_channels=shown)
    with pytest.raises(InputError, match="display_channels must be one or three"):
        other.explain(X[:1])


def test_pictures_show_the_channels_that_were_chosen(tmp_path):
    X = np.zeros((8, 24, 24, 5), np.uint8)
    for c in range(5):
        X[..., c] = 40 * (c + 1)
    X[::2, :8] //= 2
    clf = classifier(images__n_channels=5, images__display_channels=(4, 2, 0)).fit(
        X, np.arange(8) % 2
    )
    exp = clf.explain(X[1:2])
    assert exp.shown_as == "channels 4, 2 and 0 as red, green and blue"
    from p2pselect.explanations.figures._photographs import photograph

    assert np.unique(photograph(exp, 0).pixels.reshape(-1, 3), axis=0).tolist() == [
        [200, 120, 40]
    ]
    # Colors are added up, and white is the end.
    own = deepcopy(clf).set_params(
        images__display_channels=((3, "cyan"), (0, "gray"), (4, "yellow"))
    )
    exp = own.explain(X[1:2])
    assert exp.shown_as == "channels 3 as cyan, 0 as gray and 4 as yellow"
    assert (photograph(exp, 0).pixels == [240, 255, 200]).all()
    as_floats = replace(exp, images=np.float32(exp.images / 255), originals=None)
    assert (photograph(as_floats, 0).pixels == [240, 255, 200]).all()
    own.save(tmp_path / "m")
    exp.save(tmp_path / "e.npz")
    assert load(tmp_path / "m").images.display_channels == exp.display_channels
    assert Explanation.load(tmp_path / "e.npz").display_channels == exp.display_channels
    assert replace(exp, display_channels=((1, "red"),)).shown_as == "channel 1 as red"
    assert exp.shown_as in exp.plot().get_supxlabel()
    exp.to_html(tmp_path / "page.html")
    assert exp.shown_as in (tmp_path / "page.html").read_text()


# -- pretrained weights ----------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("role", ["classifier", "selector"])
def test_weights_of_color_images_are_adapted_as_timm_does_it(channels, role, tmp_path):
    torch.manual_seed(0)
    whole = timm.create_model("test_resnet")
    torch.save(whole.state_dict(), tmp_path / "weights.pt")
    build = build_classifier if role == "classifier" else build_pixel_scorer
    sizes = {"image_size": 32, "n_channels": channels}
    network = build("test_resnet", 2, pretrained=tmp_path / "weights.pt", **sizes)
    first = next(m for m in network.modules() if isinstance(m, nn.Conv2d))
    before = next(m for m in whole.modules() if isinstance(m, nn.Conv2d)).weight
    if channels == 1:
        expected = before.sum(dim=1, keepdim=True)
    else:
        expected = torch.stack([before[:, i % 3] for i in range(channels)], 1) * 3 / channels
    torch.testing.assert_close(first.weight, expected)
    config = whole.pretrained_cfg
    wanted = [config["mean"][i % 3] for i in range(channels)]
    torch.testing.assert_close(network.mean.ravel(), torch.tensor(wanted))
    assert network(torch.rand(2, channels, 32, 32)).shape[:2] == (2, 2)


def test_the_network_of_the_paper_reads_any_channels():
    network = build_pixel_scorer("lraspp_mobilenet_v3_large", 2, False, None, 64, 5)
    assert network(torch.rand(2, 5, 64, 64)).shape[:2] == (2, 2)


# -- regions ---------------------------------------------------------------------------------


def test_regions_follow_the_channels_that_are_chosen():
    image = RNG.integers(0, 60, (32, 32, 5)).astype(np.uint8)
    image[:, 13:, 3] += 180  # an edge that is in one channel alone
    chosen = SuperpixelTransformer(n_segments=4, compactness=1, on_channels=(3,))
    labels = chosen.propose_batch(image[None])[0]
    assert not set(labels[:, :13].ravel()) & set(labels[:, 13:].ravel())
    gray = SuperpixelTransformer(n_segments=4, compactness=1).propose(image[..., 3:4])
    np.testing.assert_array_equal(labels, gray)
    without = SuperpixelTransformer(n_segments=4, compactness=1, on_channels=(0, 1))
    labels = without.propose_batch(image[None])[0]
    assert set(labels[:, :13].ravel()) & set(labels[:, 13:].ravel())
    with pytest.raises(InputError, match="on_channels must be some of the channels 0 to 4"):
        SuperpixelTransformer(on_channels=(5,)).propose(image)


def test_four_channels_that_are_no_opacity_are_compared():
    image = np.full((16, 16, 4), 90, np.uint8)
    image[:, 7:, 3] = 0
    X = as_images(image[None], n_channels=4)
    labels = SuperpixelTransformer(n_segments=2, compactness=0.1).transform(X)[0]
    assert not set(labels[:, :7].ravel()) & set(labels[:, 7:].ravel())


def test_files_become_colors_whatever_the_channels_of_arrays(tmp_path):
    Image.new("L", (8, 8), 7).save(tmp_path / "gray.png")
    images = as_images([tmp_path / "gray.png"])
    assert images.seen_channels == 3 and images.value_range is None
