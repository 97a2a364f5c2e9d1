"""Whether masks of a few images teach a model to leave the background alone.

P2P is trained twice as ``p2pselect fit`` trains it by default: without masks, and with masks
for a share of the training images, drawn by the seed (all that there are, where they are fewer;
the figures say how many).  On the measured images that have masks, ``outside`` is the share of
what is kept that lies outside the object, and ``background_kept`` the share of what lies
outside that is kept.  The bar: ``outside`` falls by half, and accuracy by no more than a point,
on average over the seeds.

    OMP_NUM_THREADS=1 python benchmarks/corrections.py --data data/coffee_leaf \\
        --weights weights --json benchmarks/results/corrections.json

Half an hour of CPU time a seed.  Every training is kept in --out when it is done, and the
same command goes on where it was stopped.  Weights of the masks are tuned with
--split validation, several in one run.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Figures, finish, flat, means, photograph_parser
from photograph_methods import default_settings
from photograph_sets import Part, train_and_measured
from run_parts import RunParts

from p2pselect import P2PClassifier
from p2pselect.methods import P2PObjectiveOptions

#: What half of the share outside, and a point of accuracy, have to be measured against.
LEAST_LEFT, MOST_LOST = 0.5, 0.01


def masks_of(part: Part, kind: str) -> list[np.ndarray | None]:
    """The masks of a kind, None for images without one."""
    masks: list[np.ndarray | None] = [None] * len(part)
    for name, rows, found in part.object_masks():
        if name == kind:
            for row, mask in zip(rows, found, strict=True):
                masks[row] = mask
    return masks


def drawn(masks: list[np.ndarray | None], share: float, seed: int) -> list[np.ndarray | None]:
    """As many of the masks as a share of all images, or all that there are."""
    rows = np.flatnonzero([mask is not None for mask in masks])
    count = min(len(rows), round(share * len(masks)))
    chosen = set(np.random.default_rng(seed).permutation(rows)[:count].tolist())
    return [mask if row in chosen else None for row, mask in enumerate(masks)]


def measured(clf: P2PClassifier, part: Part, kind: str) -> Figures:
    """Accuracy, what is kept, and how much of it lies outside the objects."""
    exp = clf.explain(part.images)
    shares = []
    kept_masks = exp.masks_at_original_size()
    for mask, kept in zip(masks_of(part, kind), kept_masks, strict=True):
        if mask is not None and kept.any() and not mask.all():
            outside = (kept & ~mask).sum()
            shares.append((outside / kept.sum(), outside / (~mask).sum()))
    outside_kept, background = np.mean(shares, axis=0)
    return {
        "accuracy": float(np.mean(exp.predicted == part.labels)),
        "kept": float(exp.kept_fraction.mean()),
        "outside": float(outside_kept),
        "background_kept": float(background),
    }


def trained(
    train: Part, settings: dict[str, Any], seed: int, masks: list[np.ndarray | None] | None
) -> P2PClassifier:
    clf = P2PClassifier(random_state=seed).set_params(**settings)
    return clf.fit(train.images, train.labels, groups=train.groups, masks=masks)


def run_seed(options: Any, seed: int, part: RunParts) -> dict[str, Figures]:
    """Figures by training and split: without masks, and with them at every weight."""
    train, parts = train_and_measured(options.data, options.split, seed)
    settings = default_settings(train, options.weights)
    masks = drawn(masks_of(train, options.masks), options.share, seed)

    def of_all(**told: Any) -> Figures:
        given = masks if told else None
        clf = trained(train, {**settings, **told}, seed, given)
        return {name: measured(clf, one, options.masks) for name, one in parts.items()}

    trainings: dict[str, dict[str, float]] = {"plain": {}}
    for weight in options.mask_weights:
        trainings[f"taught{weight:g}"] = {"objective__mask_weight": weight}
    rows: dict[str, Figures] = {}
    for name, told in trainings.items():
        own = part(f"{name}-{seed}", partial(of_all, **told))
        rows |= {f"{name}_{split}": figures for split, figures in own.items()}
    counts = {"train": len(train), "masks": sum(mask is not None for mask in masks)}
    return {"images": counts, **rows}


def compared(rows: dict[str, Figures]) -> Figures:
    """What masks change, and whether that reaches the bar."""
    figures: Figures = {}
    for name, taught in rows.items():
        if not name.startswith("taught"):
            continue
        plain = rows["plain_" + name.partition("_")[2]]
        left = taught["outside"] / plain["outside"]
        lost = plain["accuracy"] - taught["accuracy"]
        figures |= {f"{name}_outside_left": left, f"{name}_accuracy_lost": lost}
        figures[f"{name}_reaches_the_bar"] = bool(left <= LEAST_LEFT and lost <= MOST_LOST)
    return figures


def main() -> None:
    options_parser = photograph_parser(__doc__, "folder of the set")
    options_parser.add_argument("--masks", default="leaf_masks", help="which kind of masks")
    options_parser.add_argument("--share", type=float, default=0.2, help="of the images")
    options_parser.add_argument(
        "--mask-weights",
        type=float,
        nargs="+",
        default=[P2PObjectiveOptions().mask_weight],
        help="default: the estimator's",
    )
    options_parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options_parser.add_argument("--split", choices=("test", "validation"), default="test")
    options_parser.add_argument(
        "--out", type=Path, default=Path("corrections-run"), help="the run"
    )
    options = options_parser.parse_args()
    told = ("data", "weights", "masks", "share", "split")
    part = RunParts(options.out, **{name: getattr(options, name) for name in told})
    of_seeds = [run_seed(options, seed, part) for seed in options.seeds]
    mean = {row: means([own[row] for own in of_seeds]) for row in of_seeds[0]}
    each: Figures = {}
    for seed, own in zip(options.seeds, of_seeds, strict=True):
        each |= {f"seed{seed}_{name}": value for name, value in flat(own).items()}
    finish({"seeds": options.seeds} | flat(mean) | compared(mean) | each, options.json)


if __name__ == "__main__":
    main()
