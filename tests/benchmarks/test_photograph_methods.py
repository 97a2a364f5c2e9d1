"""What photographs.py measures: stops from one path, localization, costs, the probe."""

import subprocess
import sys

import numpy as np
import photograph_methods as methods
import pytest
import torch
from benchmarks.fake_sets import SIZE, write_set
from photograph_sets import load_split

from p2pselect import P2PClassifier, datasets, presets


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def clf():
    scenes = datasets.make_digit_scenes(64, image_size=32, random_state=0)
    settings = {**presets.SMALL, "image_size": 32, "max_epochs": 2}
    clf = P2PClassifier().set_params(**settings, objective__warmup_epochs=1, random_state=0)
    return clf.fit(scenes.images, scenes.scenes)


@pytest.fixture(scope="module")
def scenes():
    return datasets.make_digit_scenes(48, image_size=32, split="test", random_state=0)


@pytest.mark.parametrize(
    ("selection", "fallback"),
    [("threshold", "everything"), ("budget", "most_certain"), ("budget", "settled")],
)
def test_stops_of_one_path_are_those_of_the_search(clf, scenes, selection, fallback):
    clf.set_params(selection=selection, search__fallback=fallback)
    path = clf.explain(scenes.images, certainty_threshold=1.0)
    reached = np.sort(np.nan_to_num(path.path_proba.max(axis=2)).max(axis=1))
    gaps = np.diff(reached)
    # Between two images, far from both: some images become certain and others do not.
    middle = slice(len(gaps) // 4, 3 * len(gaps) // 4)
    k = middle.start + int(gaps[middle].argmax())
    for threshold in ((reached[k] + reached[k + 1]) / 2, 0.001, 1.0):
        threshold = float(threshold)
        asked = clf.explain(scenes.images, certainty_threshold=threshold)
        taken = methods.stopped(path, threshold, fallback)
        np.testing.assert_array_equal(taken.pixel_masks, asked.pixel_masks)
        np.testing.assert_array_equal(taken.predicted, asked.predicted)
        np.testing.assert_array_equal(taken.answered, asked.answered)
        np.testing.assert_allclose(taken.kept_fraction, asked.kept_fraction)
        np.testing.assert_allclose(taken.tau, asked.tau)


def test_settings_that_the_command_has_not_trained_with_are_named(clf):
    settings = clf.get_params(deep=False)
    of_the_run = {"random_state": 7, "verbose": 1, "pretrained": "here"}
    assert methods.other_settings(clf, settings | of_the_run) == []
    assert methods.other_settings(clf, settings | {"lr": 1.0, "tau": 0.5}) == ["tau", "lr"]


class LeftHalf:
    """Stands for an explanation that keeps the left half of every image."""

    def __init__(self, n):
        self.n = n

    def __getitem__(self, rows):
        return LeftHalf(len(rows))

    def masks_at_original_size(self):
        h, w = SIZE
        return [np.arange(w)[None, :] < w // 2 * np.ones((h, 1))] * self.n


def test_localization_at_the_photographs_own_size_beside_two_references(photographs):
    part = load_split(photographs, "test")
    found = methods.localization(LeftHalf(len(part)), part)
    left = found["left_masks"]
    assert left["localization"] == left["share of object kept"] == 1.0
    assert left["random row"] == left["kept"] == 0.5
    assert 0.5 < left["center row"] < 1.0 or left["center row"] == pytest.approx(0.5)
    assert left["images"] == 8
    squares = found["masks"]
    assert squares["images"] == 6, "images without a mask do not count"
    assert squares["random row"] == pytest.approx(100 / (SIZE[0] * SIZE[1]), abs=1e-4)
    # Half of the image is kept: the share of it on the square is twice its share of the square.
    whole = SIZE[0] * SIZE[1]
    expected = squares["share of object kept"] * 100 / (whole / 2)
    assert squares["localization"] == pytest.approx(expected)


def test_a_set_without_masks_has_no_localization(photographs, tmp_path):
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "images").symlink_to(photographs / "test" / "images")
    part = load_split(tmp_path, "test")
    assert methods.localization(LeftHalf(len(part)), part) == {}


def test_processes_that_a_training_starts_count():
    out = methods.Outcome()
    with out.training():
        work = "import time\nwhile time.process_time() < 0.4: pass"
        subprocess.run([sys.executable, "-c", work], check=True)
    assert out.costs["CPU seconds"] > 0.3


def small(image_size, resize="pad"):
    named = {"classifier": "test_resnet", "pretrained": False}
    return {**named, "image_size": image_size, "resize": resize}


def test_the_probe_learns_colors_from_features_of_any_network(photographs):
    train, test = (load_split(photographs, split) for split in ("train", "test"))
    torch.manual_seed(0)
    out = methods.probe(train, {"test": test}, 0, small(24))
    rows = out.rows["test"]
    assert rows.keys() == {"probe", "probe@C=0.01"}
    assert np.mean(rows["probe"]["right"]) > 0.8
    assert out.facts["C"] in methods.CHOICE_OF_C
    assert out.costs["CPU seconds"] > 0


@pytest.mark.parametrize(("image_size", "resize"), [(24, "pad"), ((16, 24), "stretch")])
def test_features_are_those_of_the_grid(photographs, monkeypatch, image_size, resize):
    seen = []

    class Network(torch.nn.Module):
        pretrained_cfg = {"mean": (0.5,) * 3, "std": (0.5,) * 3, "classifier": "fc"}

        def forward(self, images):
            seen.append(images)
            return images.mean(dim=(2, 3))

    monkeypatch.setattr(methods, "create_timm", lambda *_, **__: Network())
    part = load_split(photographs, "test")
    features = methods.feature_network(small(image_size, resize))(part)
    assert features.shape == (8, 3)
    pixels = part.images.batch(slice(None), image_size, resize) / 255
    expected = np.moveaxis(2 * pixels - 1, -1, 1)
    np.testing.assert_allclose(torch.cat(seen).numpy(), expected, atol=1e-6)


def test_the_default_settings_are_those_of_p2p_for_such_photographs(tmp_path):
    train = load_split(write_set(tmp_path / "set", n_train=4, n_test=1, size=(72, 96)), "train")
    for network in ("mobilenetv2_100", "tf_efficientnet_lite0"):
        (tmp_path / f"{network}.safetensors").touch()
    settings = methods.default_settings(train, tmp_path)
    chosen = presets.suited_to(train.images, train.labels, pretrained=tmp_path)
    assert settings.keys() == chosen.keys() and settings["classifier"] == chosen["classifier"]
    assert settings["classifier"] == "tf_efficientnet_lite0" and methods.is_pretrained(settings)
    for method in methods.METHODS.values():
        assert method.take(settings)["classifier"] == settings["classifier"]


def test_each_method_depends_on_what_it_takes():
    settings = {**presets.PHOTOS, "pretrained": False}
    changed = {**settings, "certainty_threshold": 0.5}
    objective = {**settings, "objective__sparsity_weight": 3.0}
    taken = {
        name: [repr(method.take(s)) for s in (settings, changed, objective)]
        for name, method in methods.METHODS.items()
    }
    assert len(set(taken["p2p"])) == 3
    assert len(set(taken["probe"])) == 1
    assert taken["blackbox"][0] == taken["blackbox"][2]
    stretched = methods.METHODS["probe"].take({**settings, "resize": "stretch"})
    assert repr(stretched) != taken["probe"][0]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (False, False),
        (True, True),
        ({"selector": "a", "classifier": "b"}, True),
        ({"selector": "a", "classifier": False}, False),
    ],
)
def test_weights_of_all_networks_count(where, expected):
    assert methods.is_pretrained({"pretrained": where}) is expected
