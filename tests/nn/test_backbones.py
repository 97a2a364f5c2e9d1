"""Networks by name, pretrained weights, normalization that travels with the backbone."""

import warnings

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from p2pselect.exceptions import (
    InputError,
    P2PSelectWarning,
    UnknownNameError,
    WeightsNotFoundError,
)
from p2pselect.nn import _weights as weights
from p2pselect.nn._backbones import build_classifier
from p2pselect.nn._selectors import Selector, build_pixel_scorer


@pytest.fixture
def offline(monkeypatch):
    def refuse(name, folder):
        raise OSError("the model hub cannot be reached")

    monkeypatch.setattr(weights, "locate_weights", refuse)


def test_a_transformer_is_built_for_the_image_size():
    classifier = build_classifier("vit_tiny_patch16_224", 3, image_size=64)
    assert classifier(torch.rand(2, 3, 64, 64)).shape == (2, 3)
    assert classifier.mean.flatten().tolist() == [0.5, 0.5, 0.5]


def test_normalisation_belongs_to_each_network():
    selector = build_pixel_scorer("mobilenetv2_100", 4, options={"strides": (4, 16)})
    assert selector.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    classifier = build_classifier("tf_efficientnet_lite0", 2, 64)
    assert classifier.std.flatten().tolist() == [0.5, 0.5, 0.5]


def test_factories():
    def factory(n_classes):
        return nn.Sequential(nn.Flatten(), nn.Linear(48, n_classes))

    classifier = build_classifier(factory, 5, 4)
    images = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(classifier(images), classifier.network(images))
    assert build_pixel_scorer(lambda n: nn.Conv2d(3, n, 1), 4)(images).shape == (2, 4, 4, 4)


@pytest.mark.parametrize(
    ("name", "options", "side"),
    [
        ("lraspp_mobilenet_v3_large", {}, 8),
        ("mobilenetv2_100", {"strides": (4, 16)}, 16),
        ("test_resnet", {"strides": (4, 16), "head_channels": 16}, 16),
        ("test_resnet", {}, 8),
    ],
)
def test_selector_maps(name, options, side):
    scorer = build_pixel_scorer(name, 4, options=options).eval()
    assert scorer(torch.rand(1, 3, 64, 64)).shape == (1, 4, side, side)


def test_additive_tau_is_what_adding_it_before_the_last_convolutions_does():
    selector = Selector(
        build_pixel_scorer("test_resnet", 4, options={"strides": (4, 16)}), 3, "additive"
    ).eval()
    head = selector.pixel_scorer.network.head
    images, tau = torch.rand(2, 3, 32, 32), torch.tensor([0.3, 0.9])

    def add_tau(module, inputs):
        return inputs[0] + tau.view(-1, 1, 1, 1)

    plain = selector(images)
    handles = [
        conv.register_forward_pre_hook(add_tau)
        for conv in (head.low_classifier, head.high_classifier)
    ]
    released = selector(images)
    for handle in handles:
        handle.remove()
    expected = plain + selector.tau_offset(tau)[:, :, None, None]
    torch.testing.assert_close(released, expected, atol=1e-5, rtol=1e-5)


def test_local_classifier_weights(weights_dir):
    file = weights_dir / "tf_efficientnet_lite0_timm.safetensors"
    classifier = build_classifier("tf_efficientnet_lite0", 7, 96, pretrained=file)
    stored, loaded = load_file(file), classifier.network.state_dict()
    assert loaded["classifier.weight"].shape[0] == 7  # the head is new
    body = [k for k in loaded if not k.startswith("classifier.")]
    assert all(torch.equal(loaded[k], stored[k]) for k in body)


def test_local_selector_weights(weights_dir):
    file = weights_dir / "mobilenetv2_100_features_timm.safetensors"
    scorer = build_pixel_scorer("mobilenetv2_100", 4, pretrained=file)
    stored, loaded = load_file(file), scorer.network.backbone.state_dict()
    assert len(loaded) > 200 and all(torch.equal(loaded[k], stored[k]) for k in loaded)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_torchvision_selector_weights_from_a_file(tmp_path, suffix):
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large

    state = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None).state_dict()
    file = tmp_path / f"lraspp{suffix}"
    save_file(state, file) if suffix == ".safetensors" else torch.save(state, file)
    loaded = build_pixel_scorer("lraspp_mobilenet_v3_large", 4, file).network.state_dict()
    assert torch.equal(loaded["backbone.0.0.weight"], state["backbone.0.0.weight"])
    assert torch.equal(loaded["head.cbr.0.weight"], state["classifier.cbr.0.weight"])


def test_auto_falls_back_with_one_line(offline):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        build_classifier("test_resnet", 2, 64, "auto")
    (warning,) = [w for w in caught if issubclass(w.category, P2PSelectWarning)]
    assert "pretrained=" in str(warning.message) and "\n" not in str(warning.message)


def test_true_raises_instead(offline):
    with pytest.raises(WeightsNotFoundError, match="test_resnet.*pretrained=False"):
        build_classifier("test_resnet", 2, 64, True)


@pytest.mark.parametrize("content", [None, b"no weights"])
@pytest.mark.parametrize("name", ["test_resnet", "lraspp_mobilenet_v3_large"])
def test_bad_weight_files_are_named(tmp_path, content, name):
    file = tmp_path / "w.safetensors"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(WeightsNotFoundError, match=r"w\.safetensors"):
        build_pixel_scorer(name, 4, file)


def test_unknown_names_and_options():
    with pytest.raises(UnknownNameError, match="did you mean.*lraspp_mobilenet_v3_large"):
        build_pixel_scorer("lraspp_mobilenet_v3", 4)
    with pytest.raises(InputError, match=r"strides \[2, 4, 8, 16, 32\], got strides=\(3, 16\)"):
        build_pixel_scorer("test_resnet", 4, options={"strides": (3, 16)})
    with pytest.raises(InputError, match="width"):
        build_pixel_scorer("test_resnet", 4, options={"width": 3})
    with pytest.raises(InputError, match="'segmentation' or 'imagenet'"):
        build_pixel_scorer("lraspp_mobilenet_v3_large", 4, options={"weights": "coco"})


def test_additive_needs_the_head():
    selector = Selector(nn.Conv2d(3, 4, 1), 3, "additive")
    with pytest.raises(InputError, match="tau_input='additive' needs"):
        selector.tau_offset(torch.tensor([0.5]))
