"""Which timm networks can select and classify: one of every family, or those that are named.

Every network is built with random weights, as selector and as classifier, for square images and
for others.  It runs forward and backward, and a change in one corner of an image must move its
maps there most.  Weights made for the network's own size of images must load.

    python benchmarks/backbones.py                      # the smallest of every family, minutes
    python benchmarks/backbones.py vit_small_patch14_dinov2 convnext_nano
    python benchmarks/backbones.py --markdown > table.md
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file
from torch import nn

from p2pselect.nn._backbones import build_classifier
from p2pselect.nn._selectors import build_pixel_scorer
from p2pselect.nn._timm_sketches import sketch

#: Height and width of the images; a patch of 14 or 16 pixels does not divide the second pair.
SIZE = (64, 96)
ODD_SIZE = (100, 100)
#: Networks with more parameters than these are not saved and loaded.
MAX_LOADED = 40_000_000


@dataclass
class Row:
    """What was found about one network."""

    family: str
    name: str
    millions: float = 0.0
    strides: tuple[int, ...] = ()
    maps: tuple[int, int] = (0, 0)
    seen: dict[tuple[str, tuple[int, int]], tuple[int, int]] = field(default_factory=dict)
    loaded: bool = False
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        odd = ", ".join(
            f"{h} x {w} as {role} for {size[0]} x {size[1]}"
            for (role, size), (h, w) in self.seen.items()
            if (h, w) != size
        )
        return "\n    ".join(
            [
                f"{self.family:24} {self.name:36} {self.millions:6.1f} M  strides "
                f"{self.strides}  maps {self.maps}  {'loads' if self.loaded else ''}  "
                f"{odd and 'sees '}{odd}  {self.seconds:.0f} s",
                *self.problems,
            ]
        )

    def markdown(self) -> str:
        """The same as a row of a table."""
        works = {
            role: "no" if any(p.startswith(role) for p in self.problems) else "yes"
            for role in ("selector", "classifier")
        }
        sides = sorted(
            {f"{h} x {w}" for (_, size), (h, w) in self.seen.items() if size == ODD_SIZE}
        )
        cells = [
            self.family,
            f"`{self.name}`",
            f"{self.millions:.1f}",
            ", ".join(map(str, self.strides)),
            works["selector"],
            works["classifier"],
            " or ".join(sides),
        ]
        return f"| {' | '.join(cells)} |"


def smallest_of_every_family() -> Iterator[tuple[str, str]]:
    """Names of families, each with its network of the fewest parameters."""
    for family in timm.list_modules():
        counts = {}
        for name in timm.list_models(module=family):
            with torch.device("meta"):
                counts[name] = sum(p.numel() for p in timm.create_model(name).parameters())
        if counts:
            yield family, min(counts, key=lambda name: counts[name])


def look_at(family: str, name: str) -> Row:
    """Build, load and run one network."""
    row = Row(family, name)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        weights: Path | bool = False
        with torch.device("meta"):
            count = sum(p.numel() for p in timm.create_model(name).parameters())
        row.loaded = count <= MAX_LOADED
        if row.loaded:
            weights = Path(folder)
            state = timm.create_model(name).state_dict()
            state = {k: v.clone() for k, v in state.items()}
            save_file(state, weights / f"{name}.safetensors")
        for role, use in (("selector", _select), ("classifier", _classify)):
            try:
                use(row, weights)
                row.seen[role, ODD_SIZE] = sketch(
                    name, ODD_SIZE, **({"features_only": True} if role == "selector" else {})
                ).size
            except Exception as error:
                row.problems.append(f"{role}: {type(error).__name__}: {error}"[:400])
    row.seconds = time.perf_counter() - start
    return row


def _select(row: Row, weights: Path | bool) -> None:
    scorer = build_pixel_scorer(row.name, 4, weights, image_size=SIZE)
    row.seen["selector", SIZE] = scorer.image_size or SIZE
    images = torch.rand(2, 3, *SIZE)
    maps = scorer(images)
    maps.square().sum().backward()
    backbone = scorer.network.backbone
    row.millions = sum(p.numel() for p in backbone.parameters()) / 1e6
    row.strides = tuple(dict.fromkeys(backbone.feature_info.reduction()))
    row.maps = (maps.shape[2], maps.shape[3])
    assert maps.shape[:2] == (2, 4), maps.shape
    assert torch.isfinite(maps).all(), "numbers that are not finite"
    if problem := _not_local(scorer, images):
        row.problems.append(f"selector: {problem}")


def _classify(row: Row, weights: Path | bool) -> None:
    classifier = build_classifier(row.name, 3, SIZE, weights)
    row.seen["classifier", SIZE] = classifier.image_size or SIZE
    logits = classifier(torch.rand(2, 3, *SIZE))
    logits.square().sum().backward()
    assert logits.shape == (2, 3), logits.shape
    assert torch.isfinite(logits).all(), "numbers that are not finite"


def _not_local(network: nn.Module, images: torch.Tensor) -> str:
    """Compare how a change in each corner of an image moves the maps there and elsewhere."""
    network.eval()
    h, w = (side // 3 for side in images.shape[2:])
    with torch.no_grad():
        before = network(images)
        for rows in (slice(None, h), slice(-h, None)):
            for columns in (slice(None, w), slice(-w, None)):
                changed = images.clone()
                changed[:, :, rows, columns] = 1 - changed[:, :, rows, columns]
                moved = (network(changed) - before).abs().mean((0, 1))
                halves = moved.shape[0] // 2 or 1, moved.shape[1] // 2 or 1
                own = (
                    slice(None, halves[0]) if rows.start is None else slice(-halves[0], None),
                    slice(None, halves[1])
                    if columns.start is None
                    else slice(-halves[1], None),
                )
                if not moved[own].mean() > moved.mean():
                    return f"a corner moved its maps by {moved[own].mean() / moved.mean():.2f}"
    return ""


def main() -> None:
    """Print a line, or a row of a table, for every network."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="timm models; the smallest of every family")
    parser.add_argument("--markdown", action="store_true", help="print a table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    if options.markdown:
        print("| family | network | M | strides | selects | classifies | sees 100 x 100 as |")
        print("|---|---|---|---|---|---|---|")
    named = [(timm.models.get_pretrained_cfg(n).architecture, n) for n in options.names]
    for family, name in named or smallest_of_every_family():
        row = look_at(family, name)
        print(row.markdown() if options.markdown else row, flush=True)


if __name__ == "__main__":
    main()
