"""P2P on photographs with pasted emoji, from ImageNet weights: both test splits.

Selector LR-ASPP on mobilenetv2_100, classifier tf_efficientnet_lite0, 96 px.  The data and
the weights are found through --data and --weights, or the environment variables
P2PSELECT_EMOJI_SCENES and P2PSELECT_WEIGHTS.  An interrupted run continues after the last
epoch; with other code it starts over.

    python benchmarks/emoji_scenes.py --data emoji_scenes --weights weights --json emoji.json

About 1 minute of CPU time an epoch.
"""

from pathlib import Path

import numpy as np
from measuring import Figures, add_data_options, finish, parser, scores
from provenance import run_folder

from p2pselect import P2PClassifier, datasets, presets
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


def main() -> None:
    options_parser = parser(__doc__)
    add_data_options(options_parser)
    options_parser.add_argument("--out", type=Path, default=Path("emoji-run"), help="the run")
    options_parser.add_argument("--model", type=Path, help="save P2P's model in this folder")
    options_parser.add_argument("--epochs", type=int, default=SETTINGS["max_epochs"])
    options_parser.add_argument("--seed", type=int, default=0)
    options = options_parser.parse_args()
    settings = {
        **SETTINGS,
        "max_epochs": options.epochs,
        "pretrained": pretrained(options.weights),
        "random_state": options.seed,
        "training__checkpoint_dir": run_folder(options.out),
        "verbose": 1,
    }
    train = datasets.load_emoji_scenes(options.data, "train")
    clf = P2PClassifier().set_params(**settings).fit(train.images, train.target)
    if options.model:
        clf.save(options.model)
    blackbox = BlackboxClassifier(**presets.settings_for(BlackboxClassifier, settings))
    blackbox.fit(train.images, train.target)
    figures: Figures = {}
    for split in ("test", "test_seen_designs"):
        test = datasets.load_emoji_scenes(options.data, split)
        accuracy = np.mean(blackbox.predict(test.images) == test.target)
        figures[f"{split}_blackbox_accuracy"] = float(accuracy)
        for delta in DELTAS:
            row = scores(clf, test.images, test.target, test.masks, certainty_threshold=delta)
            figures |= {f"{split}_{delta}_{name}": value for name, value in row.items()}
    finish(figures, options.json)


if __name__ == "__main__":
    main()
