"""Vision transformers that patches enter only if they show something.

A patch that is black everywhere is absent: the others cannot attend to it, and no time is spent
on it.  What is left out thus follows from the image that the network is given, and anyone can
recompute an answer from that image alone.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from p2pselect.exceptions import InputError, brief

#: Passes into which the images of a batch are divided by their number of patches.  Those of one
#: pass are padded to the largest number, so that few of them waste time and many add overhead.
N_PASSES = 4
#: In training, patches of a smaller weight are left out.
LEAST = 0.01


def check_drops_tokens(network: nn.Module, classifier: Any) -> None:
    """Refuse ``networks__fill="drop"`` for a network that does not know absent patches."""
    from timm.models.vision_transformer import VisionTransformer

    usual = VisionTransformer.forward_features
    if (
        isinstance(network, VisionTransformer)
        and type(network).forward_features is usual
        and network.global_pool == "token"
        and network.attn_pool is None
        and isinstance(network.patch_drop, nn.Identity)
    ):
        return
    raise InputError(
        "networks__fill='drop' needs a vision transformer of timm that classifies by its class "
        "token, such as vit_tiny_patch16_224 or vit_small_patch14_dinov2, without a "
        f"patch_drop_rate; got classifier={brief(classifier)}"
    )


def undimmed(images: Tensor, masks: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Take continuous masks (n, h, w) off images, to give them to the attention instead.

    Dimming a patch is not what leaving it out becomes when it is done by half.  Weighing it
    less in the attention is: the weight of a patch, (n, n_patches), is that of its most
    visible pixel, which is as bright as in the image.
    """
    weights = F.max_pool2d(masks[:, None], size)
    spread = weights.repeat_interleave(size[0], dim=2).repeat_interleave(size[1], dim=3)
    return images / spread.clamp(min=LEAST), weights.flatten(1)


def forward_without(
    network: Any, inputs: Tensor, images: Tensor, weights: Tensor | None = None
) -> Tensor:
    """What a vision transformer says of images (n, c, h, w) without their black patches.

    ``inputs`` are the same images, normalized; ``weights`` are those of the patches in the
    attention of all tokens, 1 by default.
    """
    size = network.patch_embed.patch_size
    shows = F.max_pool2d((images != 0).to(images.dtype), size).amax(dim=1).flatten(1) > 0
    if weights is not None:
        shows &= weights > LEAST
        weights = weights.clamp(min=LEAST).log()
    counts = shows.sum(dim=1)
    # Those that show something first, in their order.
    places = (~shows).byte().argsort(dim=1, stable=True)
    # Position codes are added before anything is left out.
    tokens = network._pos_embed(network.patch_embed(inputs))
    n_first = network.num_prefix_tokens
    first, patches = tokens[:, :n_first], tokens[:, n_first:]
    order = counts.argsort(stable=True)
    found = []
    for rows in order.tensor_split(min(N_PASSES, len(order))):
        index = places[rows, : counts[rows].amax()]
        kept = patches[rows].gather(1, index[:, :, None].expand(-1, -1, patches.shape[2]))
        there = torch.arange(n_first + index.shape[1], device=counts.device)
        there = there < n_first + counts[rows][:, None]
        # Of the keys: no token attends to padding.
        mask = None if there.all() else there[:, None, None]
        if weights is not None:
            own = F.pad(weights[rows].gather(1, index), (n_first, 0))
            mask = own.masked_fill(~there, -torch.inf)[:, None, None]
        x = network.norm_pre(torch.cat([first[rows], kept], dim=1))
        for block in network.blocks:
            x = block(x, attn_mask=mask)
        found.append(network.norm(x)[:, :n_first])
    return network.forward_head(torch.cat(found)[order.argsort()])
