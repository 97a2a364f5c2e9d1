"""Several labels that share a mask, have one each, or have a model each, on made pictures.

A picture has 16 patches of noise, and each of four labels is the color of one of them, wherever
that is.  Every label is explained on its own (``explain(target=)``): how much of what is shown,
where it is present, is its own patch.  A judge that learned from random masks alone says how
much there is to be seen in what is shown: accuracy above that comes from where masks are.

    OMP_NUM_THREADS=1 python benchmarks/label_masks.py \\
        --json benchmarks/results/label_masks.json

About 3 minutes of CPU time.
"""

import time
import warnings
from typing import Any

import numpy as np
from measuring import Figures, finish, parser
from torch import nn

from p2pselect import Explanation, P2PClassifier, SuperpixelTransformer
from p2pselect.exceptions import P2PSelectWarning

PATCH, SIDE, N_TRAIN, N_TEST = 8, 4, 512, 400
COLORS = np.array([[220, 30, 30], [30, 30, 220], [30, 200, 30], [220, 220, 30]])
LABELS = range(len(COLORS))
WITH_RANDOM = (0.0, 0.5)


def made(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures (n, h, w, 3), labels (n, 4), and the patch of each label, present or not."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(60, 200, (n, SIDE**2, 1)) + rng.integers(-20, 20, (n, SIDE**2, 3))
    y = rng.integers(0, 2, (n, len(LABELS)))
    where = np.stack([rng.permutation(SIDE**2)[: len(LABELS)] for _ in range(n)])
    for label in LABELS:
        rows = np.flatnonzero(y[:, label])
        noise = rng.integers(-25, 26, (len(rows), 3))
        patches[rows, where[rows, label]] = np.clip(COLORS[label] + noise, 0, 255)
    small = patches.reshape(n, SIDE, SIDE, 3).astype(np.uint8)
    return small.repeat(PATCH, axis=1).repeat(PATCH, axis=2), y, where


def selector(n_maps: int) -> nn.Module:
    """Maps of patches, each by its color."""
    return nn.Sequential(
        nn.AvgPool2d(PATCH), nn.Conv2d(3, 32, 1), nn.ReLU(), nn.Conv2d(32, n_maps, 1)
    )


def classifier(n_classes: int) -> nn.Module:
    """The strongest of what patches say, wherever they are."""
    return nn.Sequential(
        nn.AvgPool2d(PATCH),
        nn.Conv2d(3, 32, 1),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(32, n_classes),
    )


def model(epochs: int, seed: int, **settings: Any) -> P2PClassifier:
    """P2P with networks for these pictures."""
    ours = {
        "selector": selector,
        "classifier": classifier,
        "pretrained": False,
        "image_size": PATCH * SIDE,
        "regions": SuperpixelTransformer(n_segments=SIDE**2, engine="grid"),
        "batch_size": 64,
        "lr": 0.02,
        "max_epochs": epochs,
        "objective__warmup_epochs": epochs // 4,
        "augment": None,
        "validation": None,
        "certainty_threshold": 0.9,
        "random_state": seed,
    }
    return P2PClassifier().set_params(**{**ours, **settings})


def figures_of(explained: list[Explanation], y: np.ndarray, where: np.ndarray) -> Figures:
    """Means over the labels, each explained on its own."""
    found: dict[str, list[float]] = {name: [] for name in ("accuracy", "kept", "own", "shown")}
    for label, exp in enumerate(explained):
        present, rows = y[:, label] == 1, np.arange(len(y))
        kept = exp.pixel_masks[:, ::PATCH, ::PATCH].reshape(len(y), -1)
        own = kept[rows, where[:, label]][present]
        found["accuracy"].append((_said(exp.proba, label) == present).mean())
        found["kept"].append(kept.mean())
        found["own"].append((own / np.maximum(kept[present].sum(axis=1), 1)).mean())
        found["shown"].append(own.mean())
    names = {
        "accuracy": "accuracy",
        "kept": "kept_fraction",
        "own": "share_of_own_patch",
        "shown": "own_patch_shown",
    }
    return {names[name]: float(np.mean(values)) for name, values in found.items()}


def _said(proba: np.ndarray, label: int) -> np.ndarray:
    # A model of one label has two classes: without it, and with it.
    return proba[:, label if proba.shape[1] == len(LABELS) else 1] > 0.5


def run(epochs: int, seed: int, random_share: float) -> Figures:
    """All three, learned from the same pictures."""
    X, y, _ = made(N_TRAIN, seed)
    new, truth, where = made(N_TEST, 1000 + seed)
    judge = model(epochs, seed, objective__random_share=0.5, objective__warmup_epochs=epochs)
    judge.fit(X, y)
    figures: Figures = {}
    for name, own_masks, one_by_one in (
        ("shared", False, False),
        ("own_masks", True, False),
        ("own_models", False, True),
    ):
        settings = {"objective__random_share": random_share}
        start = time.process_time()
        if one_by_one:
            models = [model(epochs, seed, **settings).fit(X, y[:, label]) for label in LABELS]
            explained = [clf.explain(new) for clf in models]
        else:
            clf = model(epochs, seed, networks__label_masks=own_masks, **settings).fit(X, y)
            explained = [clf.explain(new, target=label) for label in LABELS]
        figures[name] = figures_of(explained, truth, where)
        figures[name]["cpu_seconds"] = time.process_time() - start
        seen = [judge.predict_proba_masked(exp.masked_images) for exp in explained]
        right = [(seen[k][:, k] > 0.5) == truth[:, k] for k in LABELS]
        figures[name]["judge_accuracy"] = float(np.mean(right))
        if not one_by_one:
            every = clf.explain(new)
            figures[name]["accuracy_at_once"] = float((every.predicted == truth).mean())
            figures[name]["kept_fraction_at_once"] = float(every.kept_fraction.mean())
    return figures


def main() -> None:
    options_parser = parser(__doc__)
    options_parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options_parser.add_argument("--epochs", type=int, default=40)
    options = options_parser.parse_args()
    warnings.simplefilter("ignore", P2PSelectWarning)
    figures: Figures = {"epochs": options.epochs}
    for share in WITH_RANDOM:
        runs = [run(options.epochs, seed, share) for seed in options.seeds]
        for name, values in runs[0].items():
            for key in values:
                mean = float(np.mean([one[name][key] for one in runs]))
                figures[f"{share:.0%}:{name}_{key}"] = mean
    finish(figures, options.json)


if __name__ == "__main__":
    main()
