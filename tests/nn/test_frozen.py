"""Frozen networks: what learns in them, and what is kept of what they say."""

import warnings

import numpy as np
import pytest
import timm
import torch
from torch import nn

from p2pselect.exceptions import P2PSelectWarning
from p2pselect.nn import _kept_features
from p2pselect.nn._frozen import heads_of
from p2pselect.nn._frozen_features import Layout
from p2pselect.nn._image_network import ImageNetwork, keeping_features
from p2pselect.nn._kept_features import FeatureMemory, KeptFeatures
from p2pselect.nn._selectors import build_pixel_scorer

#: Images that a training looks at a network with: what enters its head, and is the head last?
LOOKS = 2


@pytest.fixture
def memory(monkeypatch):
    made = FeatureMemory(2**20)
    monkeypatch.setattr(_kept_features, "KEPT", made)
    return made


class Own(nn.Module):
    """A backbone of its own kind, which counts the images that it sees, and a head."""

    def __init__(self, gain=1.0):
        super().__init__()
        self.gain = gain
        self.first = nn.Conv2d(3, 4, 3, padding=1, stride=4)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.last = nn.Conv2d(4, 2, 1)
        self.n_seen = 0

    def forward(self, images):
        self.n_seen += len(images)
        return self.last(self.drop(self.norm(self.first(images * self.gain))))


class Scaled(Own):
    """Its head is not the end."""

    def forward(self, images):
        return 2 * super().forward(images)


def frozen(network):
    network = network if isinstance(network, ImageNetwork) else ImageNetwork(network)
    network.frozen_share = 1.0
    network.train()
    network.freeze()
    return network


def images_of(n, size=16):
    pixels = np.random.default_rng(n).integers(0, 256, (n, size, size, 3), np.uint8)
    pixels = torch.from_numpy(pixels)
    return pixels.permute(0, 3, 1, 2).float() / 255, pixels


def said(network, kept, n=5, size=16):
    images, pixels = images_of(n, size)
    with keeping_features(network, kept), kept.of(images, pixels):
        return network(images)


# -- what learns -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["test_resnet", "test_vit", "test_efficientnet", "test_convnext", "test_byobnet"]
)
def test_the_head_of_a_classifier_is_what_timm_says(name):
    network = frozen(timm.create_model(name, num_classes=3))
    learning = {n for n, p in network.named_parameters() if p.requires_grad}
    head = {n for n, p in network.named_parameters() if p.shape[0] == 3 and p.ndim < 3}
    assert learning == head and len(head) == 2
    assert not any(
        m.training for m in network.network.modules() if m not in heads_inside(network)
    )


def heads_inside(network):
    return {m for head in heads_of(network.network) for m in head.modules()}


def test_both_heads_of_a_distilled_transformer_learn():
    network = timm.create_model("deit_tiny_distilled_patch16_224", num_classes=3, depth=1)
    assert heads_of(network) == [network.head, network.head_dist]


def test_the_head_of_a_selector_is_its_lraspp():
    scorer = frozen(build_pixel_scorer("test_resnet", 4, options={"strides": (4, 16)}))
    learning = {n for n, p in scorer.named_parameters() if p.requires_grad}
    assert learning == {n for n, _ in scorer.named_parameters() if ".head." in n}
    assert all(m.training for m in scorer.network.head.modules())
    assert not any(m.training for m in scorer.network.backbone.modules())


def test_the_head_of_an_own_network_is_its_last_layer():
    network = frozen(Own())
    assert {n for n, p in network.named_parameters() if p.requires_grad} == {
        "network.last.weight",
        "network.last.bias",
    }


def test_a_module_in_evaluation_stays_there():
    network = ImageNetwork(Own()).eval()
    network.frozen_share = 1.0
    network.freeze()
    assert not any(m.training for m in network.modules())


# -- what is kept ----------------------------------------------------------------------------


def test_an_image_goes_through_the_backbone_once(memory):
    network, kept = frozen(Own()), KeptFeatures()
    exact = network(images_of(5)[0])
    first = said(network, kept)
    seen = network.network.n_seen
    assert torch.equal(said(network, KeptFeatures()), first)
    assert network.network.n_seen == seen + LOOKS
    torch.testing.assert_close(first, exact, rtol=2e-3, atol=2e-3)
    assert first.requires_grad and not torch.equal(first, exact)  # 16 bits


def test_images_beside_it_do_not_change_what_is_said_of_an_image(memory):
    network = frozen(build_pixel_scorer("test_resnet", 2, options={"strides": (4, 16)}))
    network.network.head.eval()
    images, pixels = images_of(11, 32)
    kept = KeptFeatures()
    with keeping_features(network, kept):
        with kept.of(images, pixels):
            together = network(images)
        memory.__init__(memory.limit)
        for rows in ([3], [10, 0, 7], [*range(9, 0, -1)]):
            some = images[rows]
            with kept.of(some, pixels[rows]):
                network(some)
        with kept.of(images, pixels):
            assert torch.equal(network(images), together)


def test_masked_images_are_not_looked_up(memory):
    network, kept = frozen(Own()), KeptFeatures()
    images, pixels = images_of(5)
    with keeping_features(network, kept), kept.of(images, pixels):
        assert torch.equal(network(images * 0), network.forward(images * 0))
    with keeping_features(network, kept):
        network(images)
    assert memory.n_bytes == 0


FIXED = torch.tensor([True, False, True, True, False])


def said_behind_masks(network, kept, fixed=FIXED, fill=0.0):
    """Logits of images behind masks, and the gradients of some that were selected."""
    images, pixels = images_of(5)
    masks = torch.rand(5, 1, 16, 16, generator=torch.Generator().manual_seed(1)).round()
    masks = torch.where(fixed[:, None, None, None], masks, masks.clone().requires_grad_())
    shown = masks * images + (1 - masks) * fill
    if masks.requires_grad and torch.is_grad_enabled():
        shown.retain_grad()
    with keeping_features(network, kept), kept.of(images, pixels):
        logits = network(shown, fixed)
    if not torch.is_grad_enabled():
        return logits, None
    network.zero_grad()
    logits.square().sum().backward()
    head = [p.grad.clone() for p in heads_of(network.network)[0].parameters()]
    return logits.detach(), [shown.grad, *head]


def test_what_nobody_chose_goes_through_the_backbone_once(memory):
    network = frozen(Own())
    exact = said_behind_masks(network, KeptFeatures(), torch.zeros(5, dtype=bool))
    assert memory.n_bytes == 0
    first, gradients = said_behind_masks(network, KeptFeatures())
    n_bytes, seen = memory.n_bytes, network.network.n_seen
    again, the_same = said_behind_masks(network, KeptFeatures())
    # Those that were selected, and looks at the network.
    assert network.network.n_seen == seen + int((~FIXED).sum()) + LOOKS
    assert n_bytes == memory.n_bytes > 0 and torch.equal(again, first)
    torch.testing.assert_close(first, exact[0], rtol=2e-3, atol=2e-3)
    assert not torch.equal(first, exact[0])  # 16 bits
    assert (gradients[0][FIXED] == 0).all() and (gradients[0][~FIXED] != 0).any()
    torch.testing.assert_close(gradients[0][~FIXED], exact[1][0][~FIXED])
    for one, other, without in zip(gradients, the_same, exact[1], strict=True):
        assert torch.equal(one, other)
        if one is not gradients[0]:
            torch.testing.assert_close(one, without, rtol=2e-3, atol=2e-3)


def test_held_out_images_behind_masks_are_looked_up(memory):
    network = frozen(Own())
    with torch.no_grad():
        first, _ = said_behind_masks(network, KeptFeatures())
        seen = network.network.n_seen
        assert torch.equal(said_behind_masks(network, KeptFeatures())[0], first)
    assert network.network.n_seen == seen + int((~FIXED).sum()) + LOOKS


def test_another_mask_or_fill_misses(memory):
    network, all_fixed = frozen(Own()), torch.ones(5, dtype=bool)
    kept = KeptFeatures()
    with torch.no_grad():
        found = [said_behind_masks(network, kept, all_fixed, fill)[0] for fill in (0.0, 0.5)]
        n_bytes = memory.n_bytes
        whole = said(network, kept)
    assert 2 * memory.n_bytes == 3 * n_bytes  # five of each kind
    assert not torch.equal(*found) and not torch.equal(found[0], whole)


def test_a_gpu_does_not_send_masked_images_back(memory):
    network, images = frozen(Own()), torch.empty(5, 3, 16, 16, device="meta")
    with keeping_features(network, KeptFeatures()):
        assert network._frozen_part.features_of(images, come_again=True) is None


def test_nothing_is_kept_where_results_depend_on_the_images_beside(memory):
    network = frozen(Own())
    for fill, kept in (("black", True), ("drop", False)):
        network.fill = fill
        with keeping_features(network, KeptFeatures()):
            assert (network._frozen_part is not None) is kept


def change_weight(network):
    with torch.no_grad():
        network.network.first.weight[0, 0, 0, 0] += 1e-3


def change_statistics(network):
    network.network.norm.running_mean[0] += 1e-3


def change_code(network):
    network.network.gain = 1.5


def change_precision(network):
    network.precision = "bf16-mixed"


def change_size(network):
    network.image_size = 8


@pytest.mark.parametrize(
    "change",
    [change_weight, change_statistics, change_code, change_precision, change_size],
)
def test_another_network_misses(memory, change):
    network, kept = frozen(Own()), KeptFeatures()
    said(network, kept)
    n_bytes = memory.n_bytes
    change(network)
    assert n_bytes and said(network, kept).shape[0] == 5
    assert memory.n_bytes > n_bytes


def test_weights_that_change_while_features_are_kept_are_noticed(memory):
    network, kept = frozen(Own()), KeptFeatures()
    images, pixels = images_of(5)
    with keeping_features(network, kept), kept.of(images, pixels):
        before = network(images)
        network.network.load_state_dict(
            {**network.network.state_dict(), "first.bias": torch.ones(4)}
        )
        assert (network(images) - before).abs().max() > 0.1


def test_another_image_misses(memory):
    network, kept = frozen(Own()), KeptFeatures()
    images, pixels = images_of(5)
    with keeping_features(network, kept), kept.of(images, pixels):
        before = network(images)
    pixels[2, 0, 0, 0] += 1
    images = pixels.permute(0, 3, 1, 2).float() / 255
    seen = network.network.n_seen
    with keeping_features(network, kept), kept.of(images, pixels):
        after = network(images)
    assert (after != before).flatten(1).any(1).tolist() == [False, False, True, False, False]
    assert network.network.n_seen > seen + LOOKS


def test_what_learns_is_not_kept(memory):
    network, kept = frozen(Own()), KeptFeatures()
    network.network.first.weight.requires_grad_()
    said(network, kept).sum().backward()
    assert memory.n_bytes == 0 and network.network.first.weight.grad is not None
    half = ImageNetwork(Own())
    half.frozen_share = 0.5
    half.freeze()
    said(half, kept)
    assert memory.n_bytes == 0


def test_a_head_that_is_not_the_end_is_not_kept(memory):
    network, kept = frozen(Scaled()), KeptFeatures()
    images, pixels = images_of(5)
    exact = network(images)
    with keeping_features(network, kept), kept.of(images, pixels):
        assert torch.equal(network(images), exact)
    assert memory.n_bytes == 0


def test_a_look_at_the_network_leaves_the_head_as_it_is(memory):
    network = frozen(build_pixel_scorer("test_resnet", 2, options={"strides": (4, 16)}))
    before = {k: v.clone() for k, v in network.state_dict().items()}
    images, pixels = images_of(5, 32)
    kept = KeptFeatures()
    with keeping_features(network, kept), kept.of(images, pixels):
        network.eval()
        network(images)
        assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
        network.train()
        network.freeze()
        network(images)
    # Once: by the images, and not by the look at the network.
    key = next(k for k in before if "head" in k and k.endswith("num_batches_tracked"))
    assert network.state_dict()[key] == before[key] + 1


def test_nothing_is_looked_up_in_the_end(memory):
    network = frozen(Own())
    with pytest.raises(ZeroDivisionError), keeping_features(network, KeptFeatures()):
        _ = 1 / 0
    assert network._frozen_part is None


def test_numbers_too_large_for_16_bits_keep_32():
    layout = Layout.of({"a": torch.zeros(1, 2, 2, 2), "b": torch.zeros(1, 3)})
    features = {"a": torch.rand(2, 2, 2, 2), "b": torch.rand(2, 3)}
    features["b"][1, 0] = 1e6
    packed = layout.pack(features)
    assert [len(p) for p in packed] == [22, 44]
    again = layout.unpack(packed, torch.device("cpu"))
    for name, values in features.items():
        assert torch.equal(again[name][1], values[1])
        torch.testing.assert_close(again[name][0], values[0], rtol=1e-3, atol=1e-4)


# -- where it is kept ------------------------------------------------------------------------


def values(*numbers):
    return {bytes([n]): bytes(10) for n in numbers}


def keys(*numbers):
    return [bytes([n]) for n in numbers]


def test_earlier_trainings_make_room_and_the_present_one_stays():
    memory = FeatureMemory(50)
    assert memory.put(values(0, 1, 2, 3, 4), training=0)
    memory.get(keys(1, 2), training=1)
    assert memory.put(values(5, 6), training=1)
    assert memory.n_bytes == 50
    assert set(memory.get(keys(*range(9)), 1)) == {*keys(1, 2, 4, 5, 6)}
    # Nothing of its own is given up: the next epoch comes by all of it again.
    assert not memory.put(values(7, 8), training=1)
    assert set(memory.get(keys(*range(9)), 1)) == {*keys(1, 2, 4, 5, 6)}
    assert memory.put(values(7), training=2) and memory.n_bytes == 50


def test_what_does_not_fit_is_said_once_and_computed(memory):
    network = frozen(Own())
    memory.limit = 300
    kept = KeptFeatures()
    with pytest.warns(P2PSelectWarning, match="training__cache_dir") as caught:
        first, second = said(network, kept), said(network, kept)
    assert len(caught) == 1 and torch.equal(first, second)
    assert 0 < memory.n_bytes <= 300


def test_a_folder_keeps_what_does_not_fit_and_what_a_process_forgets(memory, tmp_path):
    network = frozen(Own())
    memory.limit = 300
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = said(network, KeptFeatures(tmp_path))
        seen = network.network.n_seen
        memory.__init__(0)
        assert torch.equal(said(network, KeptFeatures(tmp_path)), first)
    assert network.network.n_seen == seen + LOOKS


def test_a_folder_that_cannot_be_written_costs_only_time(memory, tmp_path):
    (tmp_path / "file").write_text("")
    network, kept = frozen(Own()), KeptFeatures(tmp_path / "file")
    with pytest.warns(
        P2PSelectWarning, match="computed each time.*cannot be written"
    ) as caught:
        said(network, kept)
        said(network, kept, n=6)
    assert len(caught) == 1


def test_a_full_folder_is_not_filled_further(memory, tmp_path, monkeypatch):
    network, kept = frozen(Own()), KeptFeatures(tmp_path)
    said(network, kept)
    monkeypatch.setattr(_kept_features, "FOLDER", 100)
    before = kept._file.count()
    with pytest.warns(P2PSelectWarning, match="it can be deleted"):
        said(network, kept, n=6)
    assert kept._file.count() == before
