"""Any timm network selects and classifies: a small one of every family, with random weights."""

import warnings

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from p2pselect import P2PClassifier, load
from p2pselect.exceptions import InputError, P2PSelectWarning, WeightsNotFoundError
from p2pselect.nn._backbones import build_classifier
from p2pselect.nn._selectors import build_pixel_scorer
from p2pselect.nn._timm_sketches import choose_maps, sketch

#: Height and width of the images.
SIZE = (64, 96)
#: The height and width of a selector's maps, and the size at which the network sees images.
EVERY_EIGHTH, EVERY_SIXTEENTH = (8, 12), (4, 6)
FAMILIES = {
    # Transformers of one stride: class token; register tokens; attention instead of a mean.
    "test_vit": (EVERY_SIXTEENTH, SIZE),
    "test_vit2": (EVERY_SIXTEENTH, SIZE),
    "test_vit3": (EVERY_SIXTEENTH, SIZE),
    "test_vit_relpos": (EVERY_SIXTEENTH, SIZE),
    "vit_tiny_patch16_dinov3_qkvb": (EVERY_SIXTEENTH, SIZE),
    "xcit_nano_12_p8_224": (EVERY_EIGHTH, SIZE),
    "gmlp_ti16_224": ((14, 14), (224, 224)),
    # Transformers and others in stages.
    "pvt_v2_b0": (EVERY_EIGHTH, SIZE),
    "test_coatnet": (EVERY_EIGHTH, SIZE),
    "mobilevit_xxs": (EVERY_EIGHTH, SIZE),
    "edgenext_xx_small": (EVERY_EIGHTH, SIZE),
    "efficientvit_m0": (EVERY_SIXTEENTH, SIZE),
    "efficientformerv2_s0": ((28, 28), (224, 224)),
    "test_mambaout": (EVERY_EIGHTH, SIZE),
    # Convolutions.
    "test_convnext": (EVERY_EIGHTH, SIZE),
    "inception_next_atto": (EVERY_EIGHTH, SIZE),
    "starnet_s050": (EVERY_EIGHTH, SIZE),
    "test_efficientnet": (EVERY_EIGHTH, SIZE),
    "mobilenetv3_small_050": (EVERY_EIGHTH, SIZE),
    "mobilenetv4_conv_small_050": (EVERY_EIGHTH, SIZE),
    "ghostnet_050": (EVERY_EIGHTH, SIZE),
    "test_resnet": (EVERY_EIGHTH, SIZE),
    "test_byobnet": (EVERY_EIGHTH, SIZE),
    "test_nfnet": (EVERY_EIGHTH, SIZE),
    "regnetx_002": (EVERY_EIGHTH, SIZE),
}
LARGER = {
    "vit_small_patch14_reg4_dinov2": ((5, 7), (70, 98)),
    "vit_base_patch16_siglip_224": (EVERY_SIXTEENTH, SIZE),
    "beit_base_patch16_224": (EVERY_SIXTEENTH, SIZE),
    "cait_xxs24_224": ((14, 14), (224, 224)),
    "deit_tiny_patch16_224": (EVERY_SIXTEENTH, SIZE),
    "swin_tiny_patch4_window7_224": (EVERY_EIGHTH, SIZE),
    "hiera_tiny_224": ((28, 28), (224, 224)),
    "levit_128s": ((14, 14), (224, 224)),
    "efficientformer_l1": ((28, 28), (224, 224)),
    "fastvit_t8": (EVERY_EIGHTH, SIZE),
}


def each(*, also_larger):
    larger = [
        pytest.param(name, *expected, marks=pytest.mark.slow, id=name)
        for name, expected in LARGER.items()
    ]
    return pytest.mark.parametrize(
        ("name", "maps", "seen"),
        [pytest.param(name, *expected, id=name) for name, expected in FAMILIES.items()]
        + (larger if also_larger else []),
    )


@pytest.fixture
def folder(tmp_path, name):
    """Weights of a network for images of its own size, as people have them."""
    torch.manual_seed(0)
    state = {k: v.clone() for k, v in timm.create_model(name).state_dict().items()}
    save_file(state, tmp_path / f"{name}.safetensors")
    return tmp_path


def check_taken(network, folder, name):
    """Every tensor of a network that the file has in the same shape is that of the file."""
    from safetensors.torch import load_file

    stored = load_file(folder / f"{name}.safetensors")
    stored = {k.replace(".", "_"): v for k, v in stored.items()}
    own = network.named_parameters()
    pairs = [(v, stored[flat]) for k, v in own if (flat := flattened(k)) in stored]
    same = [torch.equal(v, given) for v, given in pairs if v.shape == given.shape]
    assert all(same) and len(same) >= 0.9 * len(pairs) > 5


def flattened(name):
    return name.removeprefix("model.").replace(".", "_")


def check_saved(network, build, images):
    """Another one, built without weights, does the same with the weights of the first."""
    other = build()
    other.load_state_dict(network.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(other.eval()(images), network.eval()(images))


def check_frozen_from_the_image_on(network, images):
    """Next to no layer that learns comes before the frozen ones."""
    network.frozen_share = 0.5
    network.freeze()
    layers = [m for m in network.modules() if list(m.parameters(recurse=False))]
    calls = {}

    def note(module, *_):
        calls.setdefault(module, len(calls))

    handles = [layer.register_forward_pre_hook(note) for layer in layers]
    with torch.no_grad():
        network(images)
    for handle in handles:
        handle.remove()
    frozen = [m for m in layers if not any(p.requires_grad for p in m.parameters(False))]
    last = max(calls[m] for m in frozen if m in calls)
    early = [m for m in layers if m not in set(frozen) and calls.get(m, last) < last]
    # Within a block, layers beside each other are in any order.
    assert len(frozen) > 3 and len(early) <= 0.25 * len(layers)


def check_local(network, images):
    """A change in a corner of an image moves the maps there more than in the other corner."""
    changed = images.clone()
    h, w = SIZE[0] // 3, SIZE[1] // 3
    changed[:, :, :h, :w] = 1 - changed[:, :, :h, :w]
    with torch.no_grad():
        moved = (network.eval()(changed) - network(images)).abs().mean((0, 1))
    h, w = moved.shape[0] // 2, moved.shape[1] // 2
    assert moved[:h, :w].mean() > 1.2 * moved[-h:, -w:].mean()


@each(also_larger=True)
def test_as_selector(folder, name, maps, seen):
    def build(pretrained=False):
        return build_pixel_scorer(name, 4, pretrained, image_size=SIZE)

    with warnings.catch_warnings():
        warnings.simplefilter("error", P2PSelectWarning)
        scorer = build(folder)
    assert (scorer.image_size or SIZE) == seen
    check_taken(scorer.network.backbone, folder, name)
    images = torch.rand(2, 3, *SIZE)
    out = scorer(images)
    assert out.shape == (2, 4, *maps)
    out.square().sum().backward()
    first = next(m for m in scorer.network.backbone.modules() if isinstance(m, nn.Conv2d))
    assert first.weight.grad.abs().sum() > 0
    check_local(scorer, images)
    check_saved(scorer, build, images)
    check_frozen_from_the_image_on(scorer, images)


@each(also_larger=True)
def test_as_classifier(folder, name, maps, seen):
    def build(pretrained=False):
        return build_classifier(name, 3, SIZE, pretrained)

    classifier = build(folder)
    assert (classifier.image_size or SIZE) == seen
    check_taken(classifier.network, folder, name)
    for weights in classifier.parameters():
        if not weights.any():  # a head of zeros would let no gradient through
            nn.init.normal_(weights, std=0.02)
    images = torch.rand(2, 3, *SIZE)
    out = classifier(images)
    assert out.shape == (2, 3)
    out.square().sum().backward()
    first = next(m for m in classifier.modules() if isinstance(m, nn.Conv2d))
    assert first.weight.grad.abs().sum() > 0
    check_saved(classifier, build, images)
    check_frozen_from_the_image_on(classifier, images)


@pytest.mark.parametrize(
    ("name", "size", "seen"),
    [
        ("test_resnet", (50, 70), (50, 70)),
        ("test_vit", (50, 70), (64, 80)),
        ("test_convnext", (50, 70), (52, 72)),
        ("test_coatnet", (50, 70), (64, 96)),
        ("xcit_nano_12_p8_224", (50, 70), (56, 72)),
        ("test_vit", (16, 16), (16, 16)),
        ("test_vit", (5, 5), (16, 16)),
    ],
)
@pytest.mark.parametrize("options", [{}, {"features_only": True}])
def test_sides_are_rounded_up_to_what_a_network_can_see(name, size, seen, options):
    assert sketch(name, size, **options).size == seen


@pytest.mark.parametrize(("name", "side"), [("test_vit", 40), ("test_convnext", 62)])
def test_a_border_that_is_no_whole_patch_is_seen(name, side):
    classifier = build_classifier(name, 2, side).eval()
    images = torch.rand(1, 3, side, side)
    changed = images.clone()
    changed[:, :, :, -2:] = 0
    with torch.no_grad():
        assert not torch.allclose(classifier(images), classifier(changed))


@pytest.mark.parametrize(
    ("reductions", "strides", "expected"),
    [
        ([2, 4, 8, 16, 32], None, (2, 3)),
        ([4, 8, 16, 32], None, (1, 2)),
        ([4, 8, 16], None, (1, 2)),
        ([16, 32, 64], None, (0, 1)),
        ([16] * 12, None, (5, 11)),
        ([8] * 12, None, (5, 11)),
        ([14] * 24, None, (11, 23)),
        ([7, 14, 14, 14], None, (0, 3)),
        ([32], None, (0, 0)),
        ([2, 4, 8, 16, 32], (4, 16), (1, 3)),
        ([2, 4, 8, 16, 32], (8, 8), (2, 2)),
        ([16] * 12, (16, 16), (5, 11)),
    ],
)
def test_which_maps(reductions, strides, expected):
    assert choose_maps(reductions, strides) == expected


def test_strides_of_a_transformer_that_it_does_not_have():
    with pytest.raises(InputError, match=r"strides \[16\], got strides=\(8, 16\)"):
        build_pixel_scorer("test_vit", 4, options={"strides": (8, 16)})


def test_what_a_transformer_selects_from_is_normalized():
    scorer = build_pixel_scorer("test_vit", 4, image_size=64).eval()
    with torch.no_grad():
        low, high = scorer.network.backbone(torch.rand(2, 3, 64, 64))
    for maps in (low, high):
        torch.testing.assert_close(maps.mean(1), torch.zeros(2, 4, 4), atol=1e-4, rtol=0)
    assert not torch.equal(low, high)


def test_a_file_without_some_of_a_transformer_is_refused(tmp_path):
    state = timm.create_model("test_vit").state_dict()
    state = {k: v for k, v in state.items() if not k.startswith("blocks.3")}
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(WeightsNotFoundError, match=r"'blocks\.3\..*' is missing"):
        build_pixel_scorer("test_vit", 4, tmp_path / "w.pt")


def test_the_names_that_another_program_gave(tmp_path):
    """CrossViT's authors call "pos_embed.0" what timm calls "pos_embed_0"."""
    state = timm.create_model("test_resnet").state_dict()
    file = tmp_path / "w.pt"
    torch.save({k.replace("layer1.", "layer1_"): v for k, v in state.items()}, file)
    backbone = build_pixel_scorer("test_resnet", 4, file).network.backbone
    assert torch.equal(backbone.layer1[0].conv1.weight, state["layer1.0.conv1.weight"])


def test_a_network_that_cannot_be_built_is_named():
    with pytest.raises(InputError, match="'test_resnet' cannot be used on images of 64 x 64"):
        build_classifier("test_resnet", 2, 64, options={"no_such_option": 1})
    with pytest.raises(InputError, match="must not have 'img_size'"):
        build_classifier("test_vit", 2, 64, options={"img_size": 32})


@pytest.mark.parametrize(
    ("selector", "classifier"), [("test_vit2", "test_mambaout"), ("test_mambaout", "test_vit3")]
)
def test_a_model_of_them_is_saved_and_loaded(tmp_path, selector, classifier):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (8, 40, 40, 3), dtype=np.uint8)
    clf = P2PClassifier(
        selector=selector,
        classifier=classifier,
        image_size=40,
        pretrained=False,
        max_epochs=1,
        batch_size=4,
        validation=None,
        device="cpu",
        random_state=0,
    ).fit(X, [0, 1] * 4)
    clf.save(tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(X[:3]), clf.predict_proba(X[:3]))
