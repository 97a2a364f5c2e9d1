"""How tau enters the selector: ``tau_input="logit"`` against ``"additive"`` (as released).

The demo's data and training with either form, on the test split of the digit scenes.
About 3 minutes per form on 2 idle cores.

    python benchmarks/tau_input.py --json tau_input.json
"""

import argparse
import json
from pathlib import Path

import numpy as np

from p2pselect import P2PClassifier, datasets, metrics, presets

DELTAS = (0.8, 0.95, 0.99)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    train, test = (
        datasets.make_digit_scenes(n, image_size=64, split=split, random_state=options.seed)
        for n, split in ((4000, "train"), (500, "test"))
    )
    settings = {**presets.SMALL, "max_epochs": 14, "objective__warmup_epochs": 1}
    figures: dict[str, float] = {}
    print("| tau_input | delta | accuracy | kept | localization | certain | passes per image |")
    print("|---|---|---|---|---|---|---|")
    for tau_input in ("additive", "logit"):
        clf = P2PClassifier().set_params(
            **settings, networks__tau_input=tau_input, random_state=options.seed
        )
        clf.fit(train.images, train.target)
        for delta in DELTAS:
            exp = clf.explain(test.images, certainty_threshold=delta)
            looked_at = ~np.isnan(exp.path_proba[:, :, 0])
            distinct = np.diff(exp.path_counts, axis=1, prepend=-1) != 0
            row = {
                "accuracy": float(np.mean(exp.predicted == test.target)),
                "kept_fraction": float(exp.kept_fraction.mean()),
                "localization": float(metrics.localization_score(exp.pixel_masks, test.masks)),
                "certain": float(exp.certainty_reached.mean()),
                "passes": float((looked_at & distinct).sum(axis=1).mean()),
            }
            figures |= {f"{tau_input}_{delta}_{name}": value for name, value in row.items()}
            shown = " | ".join(f"{value:.3f}" for value in row.values())
            print(f"| {tau_input} | {delta} | {shown} |", flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
