"""Whose masks encode the label, where no single region tells it: verdicts of the audit.

Of 16 patches two have a color, and the label says whether they have the same; all others are
noise.  The selector is told the label at once, as a deep one would find it out, and can choose
which regions to show: both patches, or a code.  Each model is audited with a judge that is
trained to its end, and with one that is trained for a single epoch, which must convict nobody.

    OMP_NUM_THREADS=1 python benchmarks/encoding.py --json encoding.json

About 50 seconds of CPU time per seed.
"""

import sys
from collections import Counter
from typing import Any

import numpy as np
from measuring import Figures, finish, parser
from provenance import ROOT

from p2pselect import P2PClassifier, audit
from p2pselect.methods import JudgeClassifier, RealXClassifier

# The data and the networks of the tests.
sys.path.append(str(ROOT / "tests"))
from two_patches import SETTINGS, two_patches  # noqa: E402

VERDICTS = {
    "the mask encodes": "encodes",
    "evidence is in the pixels": "in_pixels",
    "cannot tell": "cannot_tell",
}

SHARED: dict[str, Any] = {**SETTINGS, "max_epochs": 30, "training__lr_schedule": "onecycle"}


def models() -> dict[str, Any]:
    """The released objective, the two that learn from random masks, and REAL-X.

    REAL-X may show four regions, or just the two that tell the label.
    """
    p2p = {"certainty_threshold": 0.95}
    released = {**p2p, "objective__random_share": 0.0}
    random = {**p2p, "objective__warmup_epochs": 3}
    alone = {**random, "objective__classifier_learns_from": "random"}
    return {
        "released": P2PClassifier().set_params(**SHARED, **released),
        "random_masks": P2PClassifier().set_params(**SHARED, **random),
        "alone_random_masks": P2PClassifier().set_params(**SHARED, **alone),
        "realx": RealXClassifier().set_params(**SHARED, mask_rate="uniform", tau=0.25),
        "tight_realx": RealXClassifier().set_params(**SHARED, mask_rate="uniform", tau=0.125),
    }


def main() -> None:
    options_parser = parser(__doc__)
    options_parser.add_argument("--seeds", type=int, default=5, help="how many (default: 5)")
    options = options_parser.parse_args()
    rows: dict[str, list[Counter[str]]] = {name: [] for name in models()}
    for seed in range(options.seeds):
        train, test = two_patches(800, seed), two_patches(1000, 1000 + seed)
        judge = JudgeClassifier.like(models()["released"], random_state=seed)
        weak = JudgeClassifier.like(models()["released"], random_state=seed, max_epochs=1)
        for name, clf in models().items():
            clf.set_params(random_state=seed).fit(*train)
            found = audit(clf, *train, *test, judge=judge)
            by_weak = audit(clf, *train, *test, judge=weak)
            row = Counter({VERDICTS[found.verdict]: 1.0})
            row["weak_judge_encodes"] += VERDICTS[by_weak.verdict] == "encodes"
            row["accuracy"] = found.model_accuracy[-2]
            row["judge_accuracy"] = found.judge_accuracy[-2]
            row["kept"] = found.figure("kept")[0, -2]
            rows[name].append(row)
            print(seed, name, found.verdict, *found.reasons, sep="; ")
    figures: Figures = {}
    for name, of_seeds in rows.items():
        for verdict in (*VERDICTS.values(), "weak_judge_encodes"):
            figures[f"{name}_{verdict}"] = int(sum(row[verdict] for row in of_seeds))
        for key in ("accuracy", "judge_accuracy", "kept"):
            figures[f"{name}_{key}"] = float(np.mean([row[key] for row in of_seeds]))
    finish(figures, options.json)


if __name__ == "__main__":
    main()
