"""Which settings are chosen for which images, and what is said about it."""

import warnings

import numpy as np
import pytest
import torch

from p2pselect import P2PClassifier, presets
from p2pselect.exceptions import (
    ImageReadError,
    InputError,
    P2PSelectWarning,
    UnknownNameError,
    WeightsNotFoundError,
)
from p2pselect.images import ImageSequence, ImageSource
from p2pselect.nn import WeightsSource, _weight_sources
from p2pselect.presets import PHOTOS, SMALL, suited_to
from p2pselect.presets._budget import grid
from p2pselect.training import _isolation


class Sizes(ImageSource):
    """Images of which nothing but their size can be read."""

    n_channels, is_float, image_shape = 3, False, None

    def __init__(self, *sizes, n):
        self.sizes, self.n, self.looked_at = sizes, n, 0

    def __len__(self):
        return self.n

    def read_one(self, position):
        raise AssertionError("an image was decoded")

    def size_of(self, position):
        self.looked_at += 1
        size = self.sizes[position % len(self.sizes)]
        if size is None:
            raise ImageReadError(f"image {position} is damaged")
        return size


def choose(n, *sizes, n_classes=5, **options):
    return suited_to(ImageSequence(Sizes(*sizes, n=n)), np.arange(n) % n_classes, **options)


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    """An empty cache, and a model hub that does not answer; the questions that it was asked."""
    asked = []

    def refuse(repository):
        asked.append(repository.removeprefix("timm/").partition(".")[0])
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(_weight_sources, "_unanswered", {})
    monkeypatch.setattr(_weight_sources, "_ask_the_hub", refuse)
    return asked


@pytest.fixture
def folder(tmp_path):
    """A folder with files that have the right names."""
    for name in ("mobilenetv2_100_features", "tf_efficientnet_lite0", "resnet18d", "other"):
        (tmp_path / f"{name}.safetensors").touch()
    (tmp_path / "README.md").touch()
    return tmp_path


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(_isolation, "resolve_device", torch.device)
    return "cuda"


# -- the choice ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "size", "image_size", "epochs", "batch_size"),
    [
        (967, (192, 192), 128, 20, 32),
        (1315, (384, 192), (192, 96), 13, 32),
        (2000, (500, 667), (128, 160), 8, 32),
        # Few images: there is time for more pixels, and need for more epochs.
        (300, (480, 480), 192, 22, 16),
        (60, (480, 480), 224, 107, 16),
        # No more pixels than the images have.
        (300, (100, 100), 128, 22, 16),
        # Many: at least three looks at each, however long it takes.
        (100_000, (480, 480), 128, 3, 32),
    ],
)
def test_photographs_with_weights(n, size, image_size, epochs, batch_size, folder):
    chosen = choose(n, size, pretrained=folder)
    assert chosen["image_size"] == image_size
    assert (chosen["max_epochs"], chosen["batch_size"]) == (epochs, batch_size)
    assert chosen["objective"].warmup_epochs == round(epochs / 10)
    assert chosen["pretrained"] == str(folder)
    for name in ("selector", "classifier", "lr", "networks", "training", "certainty_threshold"):
        assert repr(chosen[name]) == repr(PHOTOS[name])


def test_a_gpu_has_time_for_more_pixels_and_epochs(folder, gpu):
    for n, side, epochs in ((60, 224, 107), (10_000, 224, 20), (100_000, 128, 10)):
        chosen = choose(n, (400, 400), pretrained=folder, device=gpu)
        assert (chosen["image_size"], chosen["max_epochs"]) == (side, epochs)
        assert chosen["device"] == "cuda" and "GPU" in chosen.why
    assert choose(1000, (100, 100), pretrained=folder, device=gpu)["image_size"] == 128


@pytest.mark.parametrize(
    ("size", "image_size"), [((28, 28), 64), ((64, 64), 64), ((32, 64), (48, 96))]
)
def test_tiny_images_get_small_networks_and_nobody_asks_for_weights(size, image_size, offline):
    chosen = choose(2000, size)
    assert chosen["classifier"] == SMALL["classifier"] and chosen["pretrained"] is False
    assert chosen["image_size"] == image_size
    assert "too small for pretrained networks" in chosen.why and offline == []


def test_small_networks_need_many_steps():
    epochs = [choose(n, (40, 40))["max_epochs"] for n in (24, 967, 4000, 100_000)]
    # 2,600 steps of 32; at least the preset's 20; at least 3.
    assert epochs == [3467, 87, 21, 3]


def test_the_grid_has_the_aspect_of_the_images(folder):
    wide, upright = (300, 400), (400, 300)
    mixed = choose(1000, wide, upright, pretrained=folder)
    assert mixed["image_size"] == 128
    assert choose(1000, wide, wide, upright, pretrained=folder)["image_size"] == 128
    assert choose(1000, *[wide] * 19, upright, pretrained=folder)["image_size"] == (128, 160)
    assert choose(1000, (100, 900), pretrained=folder)["image_size"] == (64, 256)


@pytest.mark.parametrize(("side", "cell"), [(64, 16), (128, 32), (160, 32), (224, 32)])
def test_grids_keep_area_and_aspect(side, cell):
    for aspect in np.geomspace(1 / 3, 3, 25):
        height, width = grid(aspect, side, cell)
        assert height % cell == width % cell == 0
        assert 0.9 <= height * width / side**2 <= 1.3
        # No worse than the nearest multiples.
        assert abs(np.log(width / height / aspect)) <= np.log(1.4)
    assert grid(1, side, cell) == (side, side)
    assert grid(2, side, cell) == grid(1 / 2, side, cell)[::-1]


def test_without_weights_photographs_get_small_networks_and_one_plain_warning(offline):
    with pytest.warns(P2PSelectWarning) as said:
        chosen = choose(967, (192, 192))
    (warning,) = said
    assert "no pretrained weights of mobilenetv2_100 and tf_efficientnet_lite0" in str(
        warning.message
    )
    assert "far fewer right answers" in str(warning.message)
    assert "--weights" in str(warning.message)
    assert warning.filename == __file__
    assert chosen["classifier"] == SMALL["classifier"] and chosen["pretrained"] is False
    assert chosen["image_size"] == 64
    assert "the model hub cannot be reached: Name or service" in chosen.why
    # One that is silent is not asked again.
    assert offline == ["mobilenetv2_100"]


# -- what is given ---------------------------------------------------------------------------


def test_what_is_given_is_kept_and_the_rest_goes_with_it(folder):
    chosen = choose(
        967, (192, 192), pretrained=folder, image_size=(64, 96), max_epochs=8, lr=0.1
    )
    assert chosen["image_size"] == (64, 96) and chosen["lr"] == 0.1
    assert (chosen["max_epochs"], chosen["objective"].warmup_epochs) == (8, 1)
    large = choose(967, (192, 192), pretrained=folder, image_size=256)
    assert large["max_epochs"] == 5  # 20,000 / 4 / 967
    assert "256 x 256 pixels, 5 epochs" in large.what


def test_settings_of_groups_are_kept_in_either_form(folder):
    from p2pselect.training import TrainingOptions

    for given in (
        {"training__ema_decay": 0.99},
        {"training": TrainingOptions(ema_decay=0.99)},
    ):
        training = choose(967, (192, 192), pretrained=folder, **given)["training"]
        assert (training.ema_decay, training.weight_decay) == (0.99, 0.05)


def test_networks_that_are_named_are_not_replaced(folder):
    chosen = choose(967, (40, 40), classifier="resnet18d", pretrained=folder)
    assert (chosen["selector"], chosen["classifier"]) == ("mobilenetv2_100", "resnet18d")
    assert chosen["pretrained"] == str(folder)
    with pytest.warns(P2PSelectWarning, match="weights of resnet50"):
        chosen = choose(967, (192, 192), selector="resnet50", classifier="resnet50")
    assert chosen["selector"] == chosen["classifier"] == "resnet50"


@pytest.fixture
def only_the_selector(monkeypatch):
    def locate(name, folder):
        if name == "mobilenetv2_100":
            return WeightsSource("download", "timm/mobilenetv2_100.ra_in1k")
        raise OSError("nowhere")

    monkeypatch.setattr(_weight_sources, "locate_weights", locate)


def test_layers_without_pretrained_weights_are_not_frozen(only_the_selector):
    with pytest.warns(P2PSelectWarning, match="weights of resnet50"):
        chosen = choose(967, (192, 192), classifier="resnet50")
    assert chosen["pretrained"] == {"selector": True, "classifier": False}
    assert chosen["networks"].frozen_share == {"selector": 0.5, "classifier": 0.0}


def test_without_pretrained_weights_nothing_can_be_frozen():
    frozen = {"networks__frozen_share": 1.0}
    with pytest.raises(WeightsNotFoundError, match="weights to keep of mobilenetv2_100 and"):
        choose(967, (192, 192), **frozen)
    with pytest.raises(InputError, match="the preset 'small' has no pretrained weights"):
        choose(967, (192, 192), preset="small", **frozen)


def test_freezing_asks_for_pretrained_networks(folder):
    chosen = choose(967, (40, 40), networks__frozen_share=1.0, pretrained=folder)
    assert chosen["classifier"] == PHOTOS["classifier"]


def test_a_network_of_your_own_brings_its_own_weights(only_the_selector):
    chosen = choose(967, (192, 192), classifier=torch.nn.Linear)
    # True and not "auto": weights that are there must not fail to load without an error.
    assert chosen["pretrained"] is True and "weights from a download" in chosen.why


def test_presets_can_be_asked_for(folder, offline):
    assert choose(967, (192, 192), preset="small")["classifier"] == SMALL["classifier"]
    assert offline == []
    chosen = choose(967, (40, 40), preset="photos", pretrained=folder)
    assert chosen["classifier"] == PHOTOS["classifier"]
    with pytest.warns(P2PSelectWarning, match="starts from scratch"):
        assert choose(967, (40, 40), preset="photos")["pretrained"]["selector"] is False
    for given in (True, False, {"selector": False}):
        chosen = choose(967, (192, 192), pretrained=given)
        assert chosen["pretrained"] == given and "weights as given" in chosen.why


def test_certainty_is_calibrated_only_where_images_are_held_out(folder):
    def calibrates(n, **given):
        settings = choose(n, (192, 192), pretrained=folder, **given)
        search = P2PClassifier(**settings).get_params()
        assert (search["search__mean_kept"] is None) == (search["search__calibration"] is None)
        return search["search__calibration"] is not None

    assert calibrates(967) and not calibrates(300)
    assert calibrates(300, validation=0.2) and not calibrates(967, validation=None)


# -- weights ---------------------------------------------------------------------------------


def test_a_folder_without_the_weights_is_an_error_that_names_the_file(folder):
    with pytest.raises(WeightsNotFoundError, match=r"as resnet18\.safetensors would be"):
        choose(967, (192, 192), classifier="resnet18", pretrained=folder)
    with pytest.raises(WeightsNotFoundError, match="there is no folder"):
        choose(967, (192, 192), pretrained=folder / "none")


def test_names_of_networks_are_checked_at_once(folder):
    with pytest.raises(UnknownNameError, match="did you mean 'resnet18'"):
        choose(967, (192, 192), classifier="resnet_18", pretrained=folder)


# -- what is said ----------------------------------------------------------------------------


def test_two_lines_say_what_was_chosen_and_why(folder):
    what, why = str(choose(967, (480, 640), n_classes=20, pretrained=folder)).split("\n")
    assert what == (
        "chosen: preset photos, mobilenetv2_100 + tf_efficientnet_lite0, 128 x 160 pixels, "
        "16 epochs"
    )
    assert why == (
        "because: 967 images of 20 classes, 480 x 640 pixels, CPU, about 10 minutes; weights "
        f"from {folder} (mobilenetv2_100_features.safetensors, "
        "tf_efficientnet_lite0.safetensors)"
    )


def choose_for_labels(n, *sizes, **options):
    labels = np.eye(3, dtype=int)[np.arange(n) % 3]
    labels[::2, 0] = 1  # some images have two labels
    return suited_to(ImageSequence(Sizes(*sizes, n=n)), labels, **options)


def test_labels_are_not_called_classes(folder):
    chosen = choose_for_labels(90, (480, 640), pretrained=folder)
    assert "because: 90 images of 3 labels," in str(chosen)


def test_photographs_with_several_labels_take_a_quarter_more_epochs(folder):
    chosen = choose_for_labels(1315, (384, 192), pretrained=folder)
    assert chosen["image_size"] == (192, 96) and chosen["max_epochs"] == 16
    assert "16 epochs" in chosen.what and "about 12 minutes" in chosen.why
    asked = choose_for_labels(1315, (384, 192), pretrained=folder, max_epochs=13)
    assert asked["max_epochs"] == 13
    assert choose_for_labels(967, (40, 40))["max_epochs"] == 87


@pytest.mark.parametrize(
    ("n", "said"), [(60, "about a minute"), (967, "about 10 min"), (100_000, "about 2 hours")]
)
def test_the_time_is_estimated(n, said, folder):
    options = {"max_epochs": 20} if n == 60 else {}
    assert said in choose(n, (128, 128), pretrained=folder, **options).why


def test_few_images_are_looked_at_and_none_is_decoded(folder):
    source = Sizes((400, 400), n=100_000)
    suited_to(ImageSequence(source), np.arange(100_000) % 3, pretrained=folder)
    assert source.looked_at <= 500


def test_damaged_images_are_left_to_fit(folder):
    assert choose(967, None, (192, 192), pretrained=folder)["image_size"] == 128
    with pytest.raises(ImageReadError, match="is damaged"):
        choose(967, None, pretrained=folder)


def test_errors_name_what_is_wrong():
    images = np.zeros((6, 32, 32, 3), np.uint8)
    with pytest.raises(InputError, match="got 6 images and 5 labels"):
        suited_to(images, [0, 1, 0, 1, 0])
    with pytest.raises(InputError, match="one class only"):
        suited_to(images, [0] * 6)
    with pytest.raises(InputError, match="preset must be one of .* got 'large'"):
        suited_to(images, [0, 1] * 3, preset="large")


def test_the_choice_is_a_preset(folder):
    chosen = choose(967, (192, 192), pretrained=folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf = P2PClassifier(**chosen | {"random_state": 0})
    clf._validate_params()
    P2PClassifier(**choose(967, (192, 96), pretrained=folder))._validate_params()
    assert clf.random_state == 0
    assert chosen["training"] is not chosen["training"]
    assert presets.suited_to is suited_to
