"""How tau enters the selector: ``tau_input="logit"`` versus ``"additive"`` (as released).

The demo's data and training with either form, on the test split of the digit scenes.  An
interrupted run continues after the last epoch; with other code it starts over.

    python benchmarks/tau_input.py --json tau_input.json

About 5 minutes of CPU time per form.
"""

from pathlib import Path

import numpy as np
from measuring import Figures, finish, parser, scores
from provenance import run_folder

from p2pselect import P2PClassifier, datasets, presets

DELTAS = (0.8, 0.95, 0.99)


def passes_per_image(clf: P2PClassifier, images: np.ndarray, delta: float) -> float:
    """Mean number of different masks that the certainty search looks at."""
    exp = clf.explain(images, certainty_threshold=delta)
    looked_at = ~np.isnan(exp.path_proba[:, :, 0])
    different = np.diff(exp.path_counts, axis=1, prepend=-1) != 0
    return float((looked_at & different).sum(axis=1).mean())


def main() -> None:
    options_parser = parser(__doc__)
    options_parser.add_argument("--out", type=Path, default=Path("tau-run"), help="the run")
    options_parser.add_argument("--seed", type=int, default=0)
    options = options_parser.parse_args()
    train, test = (
        datasets.make_digit_scenes(n, image_size=64, split=split, random_state=options.seed)
        for n, split in ((4000, "train"), (500, "test"))
    )
    settings = {**presets.SMALL, "max_epochs": 14, "objective__warmup_epochs": 1}
    settings["training__checkpoint_dir"] = run_folder(options.out)
    figures: Figures = {}
    for tau_input in ("additive", "logit"):
        clf = P2PClassifier().set_params(
            **settings, networks__tau_input=tau_input, random_state=options.seed
        )
        clf.fit(train.images, train.target)
        for delta in DELTAS:
            row = scores(clf, test.images, test.target, test.masks, certainty_threshold=delta)
            row["passes"] = passes_per_image(clf, test.images, delta)
            for name in ("accuracy", "kept_fraction", "localization", "coverage", "passes"):
                figures[f"{tau_input}_{delta}_{name}"] = row[name]
    finish(figures, options.json)


if __name__ == "__main__":
    main()
