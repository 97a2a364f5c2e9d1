"""How much faster a vision transformer is without the patches in which nothing is kept.

    OMP_NUM_THREADS=1 python benchmarks/token_dropping.py

``vit_tiny_patch16_224`` with random weights, 32 images of 224 pixels, one thread.  Every mask
keeps a share of the pixels: in whole patches; or in squares of 22 pixels, as large as each of
about 100 superpixels, in one piece or scattered; or in scattered squares of 36 pixels, of which
there are about 50.  Passes of all patches and of those that show something take turns, and a
ratio is that of their medians.  "at_most" is the ratio of the multiplications that they need.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
import timm
import torch
from torch import Tensor

from p2pselect.nn import random_region_masks, region_areas, to_pixels
from p2pselect.nn._image_network import as_image_network

SIDE, BATCH, ROUNDS = 224, 32, 3
SHARES = (0.1, 0.3, 0.5)


def squares(side: int) -> Tensor:
    """A label map of squares."""
    places = torch.arange(SIDE) // side
    return (places[:, None] * (places.max() + 1) + places).expand(BATCH, SIDE, SIDE)


def masks(side: int, share: float, in_one_piece: bool) -> Tensor:
    """Masks that keep squares of this side up to a share of the image."""
    regions = squares(side)
    areas, drawn = region_areas(regions), iter((share, 0.0 if in_one_piece else 1.0))

    def rand_like(values: Tensor) -> Tensor:
        fixed = next(drawn, None)
        return torch.rand_like(values) if fixed is None else torch.full_like(values, fixed)

    return to_pixels(random_region_masks(regions, areas, 0.0, rand_like), regions)


def multiplications(
    n_patches: float, n_all: int = 196, dim: int = 192, depth: int = 12
) -> float:
    """Those of a pass: all patches are embedded, some go through the blocks."""
    n = 1 + n_patches  # with the class token
    return 3 * 16**2 * dim * n_all + depth * (12 * n * dim**2 + 2 * n**2 * dim)


def seconds(call: Callable[[], object]) -> float:
    """CPU seconds of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def main() -> None:
    """Print one line for each kind of mask and each share."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = as_image_network(timm.create_model("vit_tiny_patch16_224", num_classes=10)).eval()
    images = torch.rand(BATCH, 3, SIDE, SIDE) * 0.9 + 0.1
    kinds = {
        "whole patches": (16, False),
        "one piece": (22, True),
        "scattered": (22, False),
        "scattered, larger": (36, False),
    }
    for kind, (side, in_one_piece) in kinds.items():
        for share in SHARES:
            kept = masks(side, share, in_one_piece)
            shown = images * kept[:, None]
            taken: dict[str, list[float]] = {"black": [], "drop": []}
            with torch.inference_mode():
                for _ in range(ROUNDS):
                    for fill, found in taken.items():
                        network.fill = fill
                        found.append(seconds(lambda shown=shown: network(shown)))
            patches = torch.nn.functional.max_pool2d(kept[:, None], 16).mean()
            medians = {fill: float(np.median(found)) for fill, found in taken.items()}
            row = {
                "masks": kind,
                "pixels": round(float(kept.mean()), 2),
                "patches": round(float(patches), 2),
                "all_seconds": round(medians["black"], 3),
                "dropping_seconds": round(medians["drop"], 3),
                "times_faster": round(medians["black"] / medians["drop"], 2),
                "at_most": round(
                    multiplications(196) / multiplications(196 * float(patches)), 2
                ),
            }
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
