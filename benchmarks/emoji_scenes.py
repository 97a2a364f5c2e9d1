"""P2P on photographs with pasted emoji, from ImageNet weights: both test splits.

Selector LR-ASPP on mobilenetv2_100, classifier tf_efficientnet_lite0, 96 px.  The data and
the weights are found through --data and --weights, or the environment variables
P2PSELECT_EMOJI_SCENES and P2PSELECT_WEIGHTS.  About 1 minute an epoch on 2 cores.

    python benchmarks/emoji_scenes.py --data emoji_scenes --weights weights --json emoji.json
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np

from p2pselect import P2PClassifier, datasets, metrics, presets
from p2pselect.methods import BlackboxClassifier

SETTINGS = {
    "selector": "mobilenetv2_100",
    "classifier": "tf_efficientnet_lite0",
    "image_size": 96,
    "lr": 5e-4,
    "batch_size": 32,
    "max_epochs": 12,
}
DELTAS = (0.8, 0.95, 0.99)


def pretrained(weights: Path) -> dict[str, Path]:
    """The files of the networks' weights in a folder."""
    return {
        "selector": weights / "mobilenetv2_100_features_timm.safetensors",
        "classifier": weights / "tf_efficientnet_lite0_timm.safetensors",
    }


def data_options(parser: argparse.ArgumentParser) -> None:
    """Where the data and the weights are."""
    for name, variable in (
        ("data", "P2PSELECT_EMOJI_SCENES"),
        ("weights", "P2PSELECT_WEIGHTS"),
    ):
        default = os.environ.get(variable)
        parser.add_argument(
            f"--{name}",
            type=Path,
            default=default,
            required=default is None,
            help=f"or {variable}",
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data_options(parser)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--model", type=Path, help="save P2P's model in this folder")
    parser.add_argument("--epochs", type=int, default=SETTINGS["max_epochs"])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    started = time.perf_counter()
    settings = {
        **SETTINGS,
        "max_epochs": options.epochs,
        "pretrained": pretrained(options.weights),
        "random_state": options.seed,
        "verbose": 1,
    }
    train = datasets.load_emoji_scenes(options.data, "train")
    clf = P2PClassifier(**settings).fit(train.images, train.target)
    if options.model:
        clf.save(options.model)
    blackbox = BlackboxClassifier(**presets.settings_for(BlackboxClassifier, settings))
    blackbox.fit(train.images, train.target)

    figures: dict[str, float] = {}
    print("| split | delta | accuracy | kept | localization | random | center | certain |")
    print("|---|---|---|---|---|---|---|---|")
    for split in ("test", "test_seen_designs"):
        test = datasets.load_emoji_scenes(options.data, split)
        accuracy = float(np.mean(blackbox.predict(test.images) == test.target))
        figures[f"{split}_blackbox_accuracy"] = accuracy
        print(f"| {split} | black box | {accuracy:.3f} | 1 | | | | |")
        for delta in DELTAS:
            exp = clf.explain(test.images, certainty_threshold=delta)
            kept = exp.pixel_masks
            row = {
                "accuracy": float(np.mean(exp.predicted == test.target)),
                "kept_fraction": float(exp.kept_fraction.mean()),
                "localization": float(metrics.localization_score(kept, test.masks)),
                "random_localization": float(metrics.random_localization(test.masks)),
                "center_localization": float(metrics.center_localization(kept, test.masks)),
                "certain": float(exp.certainty_reached.mean()),
            }
            figures |= {f"{split}_{delta}_{name}": value for name, value in row.items()}
            shown = " | ".join(f"{value:.3f}" for value in row.values())
            print(f"| {split} | {delta} | {shown} |", flush=True)
    figures["seconds"] = time.perf_counter() - started
    print(f"{figures['seconds']:.0f} s")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
