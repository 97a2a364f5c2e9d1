"""What cheaper training steps cost in quality, on photographs with pasted emoji.

The settings of training.py that save most, for the same share of the image's side, versus the
default P2P; data, networks and settings are those of emoji_scenes.py.  Localization falls with
the area that is kept, and the kept area depends on how certain a classifier is.  The scores are
therefore reported at the certainty asked for, and for masks of a tenth of the pixels.  On a
processor that is slow at bfloat16, its rounding is computed in 32 bits.  An interrupted run
continues after the last epoch; with other code it starts over.

    python benchmarks/cheap_steps.py --data emoji_scenes --weights weights --out cheap-run

About 12 minutes of CPU time a model, nine models.
"""

from pathlib import Path

import numpy as np
from bfloat16 import RoundNetworks, is_fast
from emoji_scenes import SETTINGS, pretrained
from measuring import Figures, add_data_options, finish, parser, scores
from provenance import run_folder

from p2pselect import P2PClassifier, datasets

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


def trained(name: str, seed: int, data: Path, weights: Path, run: Path) -> P2PClassifier:
    """A model of one configuration."""
    settings = {**SETTINGS, "pretrained": pretrained(weights), "random_state": seed}
    # A folder for each: where the rounding is computed, the settings do not tell them apart.
    settings["training__checkpoint_dir"] = run / name
    clf = P2PClassifier().set_params(**settings, **CONFIGURATIONS[name])
    if clf.get_params()["training__precision"] == "bf16-mixed" and not is_fast():
        clf.set_params(training__precision="32", training__callbacks=[RoundNetworks()])
    train = datasets.load_emoji_scenes(data, "train")
    return clf.fit(train.images, train.target)


def scores_by_designs(clf: P2PClassifier, data: Path) -> Figures:
    """Scores of one model, on designs that training has and has not seen."""
    found: Figures = {}
    for designs, split in SPLITS.items():
        test = datasets.load_emoji_scenes(data, split)
        truth = test.images, test.target, test.masks
        own = scores(clf, *truth, certainty_threshold=DELTA)
        same_area = scores(clf.set_params(selection="budget"), *truth, tau=AREA)
        clf.set_params(selection="threshold")
        row = {
            "accuracy": own["accuracy"],
            "kept": own["kept_fraction"],
            "localization": own["localization"],
            "accuracy of a tenth": same_area["accuracy"],
            "localization of a tenth": same_area["localization"],
            "random row": own["random_localization"],
            "center row": same_area["center_localization"],
        }
        found |= {f"{designs}_{column}": value for column, value in row.items()}
    return found


def main() -> None:
    options_parser = parser(__doc__)
    add_data_options(options_parser)
    options_parser.add_argument("--out", type=Path, default=Path("cheap-run"), help="the run")
    options_parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = options_parser.parse_args()
    run = run_folder(options.out)
    figures: Figures = {}
    for name in CONFIGURATIONS:
        rows = []
        for seed in options.seeds:
            clf = trained(name, seed, options.data, options.weights, run)
            rows.append(scores_by_designs(clf, options.data))
        for key in rows[0]:
            values = [row[key] for row in rows]
            figures[f"{name}:{key}"] = float(np.mean(values))
            if key.partition("_")[2] in COMPARED and len(values) > 1:
                error = np.std(values, ddof=1) / len(values) ** 0.5
                figures[f"{name}:{key} ±"] = float(error)
    finish(figures, options.json)


if __name__ == "__main__":
    main()
