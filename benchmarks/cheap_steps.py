"""What cheaper steps of training cost in quality, on photographs with pasted emoji.

The settings of training.py that save most, at the same share of the image's side, against
P2P as it comes; data, networks and settings are those of emoji_scenes.py.  Localization falls
with the area that is kept, and how much is kept depends on how certain a classifier is: it is
reported at the certainty asked for, and for masks of a tenth of the pixels.  Where the
processor is slow at bfloat16, its rounding is computed in 32 bits.  Models that are in --out
are not trained again.

    python benchmarks/cheap_steps.py --data emoji_scenes --weights weights --out cheap-run

About 12 minutes a model in one thread.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from bfloat16 import is_fast, round_networks
from emoji_scenes import SETTINGS, data_options, pretrained

from p2pselect import P2PClassifier, datasets, metrics

CONFIGURATIONS = {
    "full": {},
    "bf16": {"training__precision": "bf16-mixed"},
    "selector_160_frozen_half": {
        "networks__selector_image_size": SETTINGS["image_size"] * 160 // 224,
        "networks__frozen_share": 0.5,
    },
}
DELTA, AREA = 0.95, 0.1
SPLITS = {"unseen": "test", "seen": "test_seen_designs"}
#: Columns with a standard error over the seeds.
COMPARED = ("accuracy", "localization", "localization of a tenth")


def trained(name: str, seed: int, data: Path, weights: Path) -> P2PClassifier:
    """A model of one configuration."""
    settings = {**SETTINGS, "pretrained": pretrained(weights), "random_state": seed}
    clf = P2PClassifier().set_params(**settings, **CONFIGURATIONS[name])
    if clf.get_params()["training__precision"] == "bf16-mixed" and not is_fast():
        clf.set_params(training__precision="32")
        clf._ready = round_networks
    train = datasets.load_emoji_scenes(data, "train")
    return clf.fit(train.images, train.target)


def scores(clf: P2PClassifier, data: Path) -> dict[str, float]:
    """Figures of one model, on designs that training has and has not seen."""
    found: dict[str, float] = {}
    for designs, split in SPLITS.items():
        test = datasets.load_emoji_scenes(data, split)
        exp = clf.explain(test.images, certainty_threshold=DELTA)
        same = clf.set_params(selection="budget").explain(test.images, tau=AREA)
        clf.set_params(selection="threshold")
        of_masks = metrics.localization_score
        row = {
            "accuracy": np.mean(exp.predicted == test.target),
            "kept": exp.kept_fraction.mean(),
            "localization": of_masks(exp.pixel_masks, test.masks),
            "accuracy of a tenth": np.mean(same.predicted == test.target),
            "localization of a tenth": of_masks(same.pixel_masks, test.masks),
            "random row": metrics.random_localization(test.masks),
            "center row": metrics.center_localization(same.pixel_masks, test.masks),
        }
        found |= {f"{designs}_{column}": float(value) for column, value in row.items()}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data_options(parser)
    parser.add_argument("--out", type=Path, default=Path("cheap-run"), help="trained models")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    figures: dict[str, float] = {}
    for name in CONFIGURATIONS:
        rows = []
        for seed in options.seeds:
            path = options.out / f"{name}-{seed}"
            if not path.exists():
                trained(name, seed, options.data, options.weights).save(path)
            rows.append(scores(P2PClassifier.load(path), options.data))
            print(name, seed, {key: round(value, 3) for key, value in rows[-1].items()})
        for key in rows[0]:
            values = [row[key] for row in rows]
            figures[f"{name}:{key}"] = float(np.mean(values))
            if key.partition("_")[2] in COMPARED and len(values) > 1:
                error = np.std(values, ddof=1) / len(values) ** 0.5
                figures[f"{name}:{key} ±"] = float(error)
    for name, value in figures.items():
        print(f"{name}: {value:.3f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
