"""Weight files as people have them: read, or refused with the first tensor that differs."""

import warnings

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from p2pselect.exceptions import P2PSelectWarning, WeightsNotFoundError
from p2pselect.nn._backbones import build_classifier
from p2pselect.nn._selectors import build_pixel_scorer


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(3)
    return timm.create_model("test_resnet", num_classes=2).state_dict()


def prefixed(state, prefix):
    return {prefix + name: value for name, value in state.items()}


WRAPPED = {
    "bare": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "model": lambda state: {"model": state, "optimizer": {}},
    "DataParallel": lambda state: {"state_dict": prefixed(state, "module.")},
    "compiled": lambda state: prefixed(state, "_orig_mod."),
    "lightning": lambda state: {
        "state_dict": {**prefixed(state, "model."), "loss.weight": torch.ones(2)}
    },
    "twice": lambda state: {"state_dict": prefixed(state, "module.model.")},
    "averaged": lambda state: {
        "state_dict": {k: torch.zeros_like(v) for k, v in state.items()},
        "state_dict_ema": state,
    },
    "of a p2pselect model": lambda state: prefixed(state, "classifier.network."),
}


def check_loaded(network, state):
    loaded = network.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())


@pytest.mark.parametrize("kind", WRAPPED)
@pytest.mark.parametrize("ending", ["pt", "bin"])
def test_wrappers(tmp_path, state, kind, ending):
    torch.save(WRAPPED[kind](state), tmp_path / f"w.{ending}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        network = build_classifier("test_resnet", 2, 32, tmp_path / f"w.{ending}").network
    check_loaded(network, state)
    assert "state_dict" not in network.pretrained_cfg


def test_safetensors(tmp_path, state):
    save_file(prefixed(state, "module."), tmp_path / "w.safetensors")
    check_loaded(
        build_classifier("test_resnet", 2, 32, tmp_path / "w.safetensors").network, state
    )


def test_a_head_for_other_classes_is_replaced_without_a_word(tmp_path, state):
    torch.save(state, tmp_path / "w.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        network = build_classifier("test_resnet", 5, 32, tmp_path / "w.pt").network
    assert network.fc.weight.shape[0] == 5
    check_loaded(network, {k: v for k, v in state.items() if not k.startswith("fc.")})


def test_a_backbone_takes_what_it_has(tmp_path, state):
    torch.save({k: v for k, v in state.items() if not k.startswith("fc.")}, tmp_path / "w.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        backbone = build_pixel_scorer("test_resnet", 4, tmp_path / "w.pt").network.backbone
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, state[name])


def test_what_a_backbone_has_no_use_for_is_not_listed(tmp_path, caplog):
    whole = timm.create_model("test_efficientnet").state_dict()
    assert {"conv_head.weight", "classifier.weight"} < set(whole)
    save_file(whole, tmp_path / "w.safetensors")
    build_pixel_scorer("test_efficientnet", 4, tmp_path / "w.safetensors")
    assert caplog.messages == []


@pytest.mark.parametrize("build", [build_classifier, build_pixel_scorer])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda s: {"a": torch.zeros(3)},
            r"0 of \d+ tensors fit, 'conv1.*' is missing; .* 'a'",
        ),
        (lambda s: {k: v for k, v in s.items() if "layer3" not in k}, "'layer3.*' is missing"),
        (
            lambda s: {**s, "conv1.0.weight": torch.zeros(1, 3, 3, 3)},
            r"'conv1.0.weight' has shape \(1, 3, 3, 3\), expected",
        ),
        (lambda s: {"epoch": 3}, "no tensors by name, but a dict"),
        (lambda s: [1, 2], "no tensors by name, but a list"),
        (lambda s: nn.Linear(2, 2), "whole pickled model .* torch.save"),
        (lambda s: None, "no tensors by name, but a NoneType"),
    ],
)
def test_refused(tmp_path, state, build, spoil, message):
    torch.save(spoil(state), tmp_path / "w.pt")
    size = (32,) if build is build_classifier else ()
    with pytest.raises(WeightsNotFoundError, match=rf"w\.pt.*{message}") as caught:
        build("test_resnet", 2, *size, pretrained=tmp_path / "w.pt")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


def test_what_is_left_out_is_said(tmp_path, state):
    torch.save({**state, "extra.weight": torch.ones(2)}, tmp_path / "w.pt")
    with pytest.warns(
        P2PSelectWarning, match="1 of .* tensors have no place .* 'extra.weight'"
    ):
        network = build_classifier("test_resnet", 2, 32, tmp_path / "w.pt").network
    check_loaded(network, state)


def test_a_factory_takes_them_too(tmp_path):
    def factory(n):
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, n))

    weights = factory(2).state_dict()
    torch.save(prefixed(weights, "model."), tmp_path / "w.pt")
    check_loaded(build_classifier(factory, 2, 32, tmp_path / "w.pt").network, weights)
    with pytest.raises(WeightsNotFoundError, match="has shape"):
        build_classifier(factory, 3, 32, tmp_path / "w.pt")


def test_position_embeddings_for_another_size(tmp_path):
    options = {"num_classes": 2, "depth": 1}
    state = timm.create_model("vit_tiny_patch16_224", **options).state_dict()
    torch.save(state, tmp_path / "w.pt")
    network = build_classifier(
        "vit_tiny_patch16_224", 2, 64, tmp_path / "w.pt", {"depth": 1}
    ).network
    assert network.pos_embed.shape[1] == 17
    assert torch.equal(network.head.weight, state["head.weight"])
