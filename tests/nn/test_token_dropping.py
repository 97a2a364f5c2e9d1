"""A patch in which nothing is shown is absent from a vision transformer."""

import numpy as np
import pytest
import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from p2pselect.exceptions import InputError
from p2pselect.nn._image_network import as_image_network, prepare_networks
from p2pselect.nn._token_dropping import N_PASSES, check_drops_tokens

SMALL = {"img_size": 32, "patch_size": 8, "num_heads": 2, "num_classes": 3}


def network(seed=0, **options):
    torch.manual_seed(seed)
    made = VisionTransformer(**{**SMALL, "embed_dim": 24, "depth": 2, **options})
    nn.init.normal_(made.head.weight, std=1.0)
    # Without a code that tells them apart, it would not matter which patches are left out.
    nn.init.normal_(made.pos_embed, std=1.0)
    dropping = as_image_network(made).eval()
    dropping.normalize_by([0.5] * 3, [0.25] * 3)
    dropping.fill = "drop"
    return dropping


def pictures(counts, seed=0):
    """Images that show something in given numbers of patches, and which patches these are."""
    rng = np.random.default_rng(seed)
    shows = np.zeros((len(counts), 16), bool)
    for row, count in zip(shows, counts, strict=True):
        row[rng.permutation(16)[:count]] = True
    pixels = torch.from_numpy(shows.reshape(-1, 1, 4, 4)).float()
    pixels = pixels.repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)
    return torch.rand(len(counts), 3, 32, 32) * pixels, shows


def only_those(dropping, image, shows):
    """What the network says of one image that consists of some patches."""
    vit = dropping.network
    tokens = vit.patch_embed((image[None] - 0.5) / 0.25) + vit.pos_embed[:, -16:]
    first = [vit.cls_token + vit.pos_embed[:, :-16][:, :1]]
    if vit.reg_token is not None:
        first.append(vit.reg_token + vit.pos_embed[:, 1:-16])
    x = torch.cat([*first, tokens[:, torch.from_numpy(np.flatnonzero(shows))]], dim=1)
    return vit.head(vit.norm(vit.blocks(x))[0, 0])


COUNTS = [16, 3, 0, 7, 1, 3, 12, 9, 16, 2, 5]


@pytest.mark.parametrize("options", [{}, {"reg_tokens": 2}], ids=str)
def test_a_dropped_patch_is_absent(options):
    dropping = network(**options)
    images, shows = pictures(COUNTS)
    with torch.no_grad():
        found = dropping(images)
        expected = [only_those(dropping, *one) for one in zip(images, shows, strict=True)]
        torch.testing.assert_close(found, torch.stack(expected), rtol=0, atol=1e-5)
        # Black patches that are there give another answer.
        dropping.fill = "black"
        there = dropping(images)
    assert (abs(there - found).amax(dim=1)[shows.sum(axis=1) < 16] > 0.01).all()
    torch.testing.assert_close(there[0], found[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("rows", [[1], [2], [4, 2], [0, 8], [6, 1, 3, 10, 7, 5, 2]], ids=str)
def test_the_images_of_a_batch_do_not_matter_to_each_other(rows):
    dropping, (images, _) = network(), pictures(COUNTS)
    with torch.no_grad():
        together, apart = dropping(images), dropping(images[rows])
    torch.testing.assert_close(apart, together[rows], rtol=0, atol=1e-5)


def test_one_pixel_of_one_channel_makes_a_patch_present():
    dropping, (images, _) = network(), pictures([0, 0])
    images[1, 2, 17, 9] = 1e-3
    with torch.no_grad():
        found = dropping(images)
    shows = np.arange(16) == 2 * 4 + 1
    with torch.no_grad():
        expected = only_those(dropping, images[1], shows)
    torch.testing.assert_close(found[1], expected, rtol=0, atol=1e-5)
    assert abs(found[0] - found[1]).max() > 1e-3


def test_work_is_in_proportion_to_what_is_shown():
    dropping, sizes = network(), []
    counts = [*range(1, 9), *range(1, 9), *range(1, 9), *range(1, 9)]
    dropping.network.blocks[0].register_forward_pre_hook(
        lambda _, args, __: sizes.append(args[0].shape[:2].numel()), with_kwargs=True
    )
    images, _ = pictures(counts)
    dropping(images)
    assert len(sizes) == N_PASSES
    # With the class token, and at most one patch of padding for every image.
    assert sum(counts) + len(counts) <= sum(sizes) <= sum(counts) + 2 * len(counts)


def test_it_learns_as_if_the_patches_were_never_there():
    dropping, (images, shows) = network(), pictures([5, 2, 9])
    images.requires_grad_()
    dropping(images).square().sum().backward()
    own = [p.grad.clone() for p in dropping.parameters() if p.grad is not None]
    seen = images.grad.clone()
    dropping.zero_grad()
    images.grad = None
    for image, which in zip(images, shows, strict=True):
        only_those(dropping, image, which).square().sum().backward()
    expected = [p.grad for p in dropping.parameters() if p.grad is not None]
    for mine, other in zip(own, expected, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(seen, images.grad, rtol=1e-3, atol=1e-5)


def test_continuous_masks_weigh_patches_in_the_attention():
    dropping, (images, shows) = network(depth=1), pictures([4, 4])
    masks = torch.from_numpy(shows).float()
    masks[1] *= 0.3
    pixels = masks.view(2, 1, 4, 4).repeat_interleave(8, 2).repeat_interleave(8, 3)
    with torch.no_grad():
        found = dropping(images * pixels, masks=pixels[:, 0])
        whole = dropping(images)
    # A mask of 1 is none.
    torch.testing.assert_close(found[0], whole[0], rtol=0, atol=1e-5)
    vit = dropping.network
    tokens = vit.patch_embed((images[1:] - 0.5) / 0.25) + vit.pos_embed[:, 1:]
    first = vit.cls_token + vit.pos_embed[:, :1]
    x = torch.cat([first, tokens[:, torch.from_numpy(np.flatnonzero(shows[1]))]], dim=1)
    block = vit.blocks[0]
    q, k, v = block.attn.qkv(block.norm1(x)).reshape(5, 3, 2, 12).permute(1, 2, 0, 3).unbind(0)
    # The softmax with weights, of which the class token's is 1.
    raw = (q @ k.transpose(1, 2) / 12**0.5).exp() * torch.tensor([1.0] + [0.3] * 4)
    attended = (raw / raw.sum(dim=-1, keepdim=True) @ v).transpose(0, 1).reshape(1, 5, 24)
    x = x + block.attn.proj(attended)
    x = x + block.mlp(block.norm2(x))
    expected = vit.head(vit.norm(x)[0, 0])
    torch.testing.assert_close(found[1], expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet10t", {}),
        ("vit_tiny_patch16_224", {"global_pool": "avg"}),
        ("vit_tiny_patch16_224", {"patch_drop_rate": 0.5}),
        ("eva02_tiny_patch14_224", {}),
    ],
)
def test_networks_that_do_not_know_absent_patches_are_refused(name, options):
    with torch.device("meta"):
        other = timm.create_model(name, **options)
    with pytest.raises(InputError, match=f"needs a vision transformer .* got .*{name}"):
        check_drops_tokens(other, name)


@pytest.mark.parametrize(
    "name",
    [
        "vit_tiny_patch16_224",
        "vit_small_patch14_reg4_dinov2",
        "deit_tiny_distilled_patch16_224",
    ],
)
def test_networks_that_know_absent_patches(name):
    with torch.device("meta"):
        check_drops_tokens(timm.create_model(name), name)


def test_shapes_that_change_are_not_compiled():
    with pytest.raises(InputError, match="training__compile=True needs shapes"):
        prepare_networks(network(), "32", True, (32, 32))
