"""The paper's settings are those that the paper states."""

import pytest

from p2pselect import P2PClassifier
from p2pselect.methods import METHODS
from p2pselect.presets import PAPER, PAPER_TAU, PHOTOS, SMALL, settings_for


def test_values_of_section_4():
    stated = {
        "selector": "lraspp_mobilenet_v3_large",
        "classifier": "vit_tiny_patch16_224",
        "image_size": 224,
        "training__optimizer": "adam",
        "lr": 1e-4,
        "batch_size": 64,
        "objective__sparsity_weight": 10.0,
        "objective__covariance_weight": 0.01,
    }
    for name, settings in PAPER.items():
        params = P2PClassifier(**settings).get_params()
        assert {key: params[key] for key in stated} == stated, name
        assert params["regions__n_segments"] == 100


@pytest.mark.parametrize(
    ("name", "epochs", "certainty", "tau"),
    [
        ("cifar10", 100, 0.99, 0.2),
        ("coco10", 100, 0.99, 0.4),
        ("imagenet", 20, 0.8, 0.5),
        ("imagenet9", 100, 0.99, 0.3),
        ("bam_object", 100, 0.99, 0.2),
        ("bam_scene", 100, 0.99, 0.2),
    ],
)
def test_values_by_data_set(name, epochs, certainty, tau):
    settings = PAPER[name]
    assert (settings["max_epochs"], settings["certainty_threshold"]) == (epochs, certainty)
    assert PAPER_TAU[name] == tau
    assert settings["augment"] == ("paper-crop" if name == "cifar10" else "paper")


def test_values_of_section_3_and_of_the_released_code():
    for settings in PAPER.values():
        networks, search = settings["networks"], settings["search"]
        assert (search.tau_min, networks.embedding_dim) == (0.05, 3)
        assert (networks.tau_input, search.allow_empty) == ("additive", True)


@pytest.mark.parametrize("settings", [PHOTOS, SMALL, *PAPER.values()])
def test_the_classifier_takes_them(settings):
    clf = P2PClassifier(**settings)
    clf._validate_params()
    taken = clf.get_params(deep=False)
    assert {name: repr(taken[name]) for name in settings} == {
        name: repr(value) for name, value in settings.items()
    }


def test_estimators_of_a_preset_share_nothing():
    first, second = P2PClassifier(**SMALL), P2PClassifier(**{**SMALL, "lr": 1.0})
    first.set_params(regions__n_segments=9)
    first.networks.selector_options["strides"] = None
    first.set_params(training__weight_decay=1.0)
    for later in (second, P2PClassifier(**SMALL), P2PClassifier(**SMALL | {"lr": 1.0})):
        assert later.regions.n_segments == 64
        assert later.networks.selector_options["strides"] == (4, 16)
        assert later.training.weight_decay == 0.01
    assert PAPER["cifar10"]["regions"] is not PAPER["coco10"]["regions"]
    with pytest.raises(TypeError):
        SMALL["lr"] = 1.0


def test_a_preset_is_a_mapping():
    assert [*dict(SMALL)] == [*SMALL] and len(SMALL) == len({**SMALL})
    assert ({"lr": 1.0} | SMALL)["lr"] == SMALL["lr"] != (SMALL | {"lr": 1.0})["lr"]
    assert "image_size=64" in repr(SMALL)
    with pytest.raises(KeyError, match="lrr"):
        SMALL["lrr"]


@pytest.mark.parametrize("method", [method.cls for method in METHODS.values()])
def test_every_method_takes_what_it_has_of_a_preset(method):
    taken = settings_for(method, {**SMALL, "objective__n_samples_mc": 3, "lr": 1.0})
    clf = method(**taken)
    clf._validate_params()
    params = clf.get_params()
    assert (params["lr"], params["training__optimizer"]) == (1.0, "adamw")
    if "networks__selector_options" in params:
        assert params["networks__selector_options"]["strides"] == (4, 16)
    assert ("objective" in taken) == (method is P2PClassifier)
