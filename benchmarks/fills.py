"""What stands in the place of removed pixels: which fill reads, localizes and leaks how much.

P2P on digit scenes with the settings of ``presets.SMALL``, once with each fill, and each model
audited.  The network of ``SMALL`` gets black, the mean color, a blur and noise.  Patches can be
dropped by vision transformers only, so a small one, from random weights, gets black and drops.
An interrupted run continues, and the same command with other code starts over.

    OMP_NUM_THREADS=1 python benchmarks/fills.py --json benchmarks/results/fills.json --n-jobs 2

A model passes 40,000 images, its judge up to 120,000: some hours of CPU time in all.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from measuring import Figures, finish, parser
from provenance import run_folder

from p2pselect import presets
from p2pselect.datasets import DATASETS
from p2pselect.model_selection._audit import AREAS
from p2pselect.reproduction import Plan, RunStore, Suite, run_suite
from p2pselect.reproduction._score_names import MATCHED, curve_point
from p2pselect.reproduction._suite import DEFAULT, P2P

VIT = {
    "classifier": "vit_tiny_patch16_224",
    "networks__classifier_options": {
        "patch_size": 8,
        "embed_dim": 64,
        "depth": 4,
        "num_heads": 4,
    },
}
#: Networks and fills by the names of their rows.
FILLS = {
    **{fill: {"networks__fill": fill} for fill in ("black", "mean", "blur", "noise")},
    **{f"vit_{fill}": {**VIT, "networks__fill": fill} for fill in ("black", "drop")},
}
SUITE = Suite(
    name="fills",
    plans={
        name: Plan(
            settings={**presets.SMALL, **settings},
            epochs={"p2p": 20},
            n_train=2000,
            n_test=1000,
            # The area at which all are compared: what P2P keeps of these scenes.
            tau=0.11,
        )
        for name, settings in FILLS.items()
    },
    variants=(P2P,),
    certainty_thresholds=(),
    n_curve_images=50,
    audit_epochs=60,
)
#: The recorded figures: name, setting of prediction, metric.
COLUMNS = (
    ("accuracy", DEFAULT, "accuracy"),
    ("kept", DEFAULT, "kept_fraction"),
    ("localization", DEFAULT, "localization"),
    ("random row", DEFAULT, "random_localization"),
    ("accuracy at .11", MATCHED, "accuracy"),
    ("localization at .11", MATCHED, "localization"),
    *((f"gap at {area:.1f}", DEFAULT, curve_point("audit_gap", area)) for area in AREAS),
    ("in the pixels", DEFAULT, "audit_pixels"),
    ("encodes", DEFAULT, "audit_encodes"),
    ("CPU seconds", DEFAULT, "fit_cpu_seconds"),
)


def figures_of(name: str, store: RunStore) -> Figures:
    """Means over the seeds; of the verdicts, the share of seeds that have them."""
    results = [r for r in store.results() if r.trial.dataset == name and not r.failed]
    if not results:
        return {}
    figures: Figures = {
        f"{name}_{column}": float(np.mean([r.scores[view][metric] for r in results]))
        for column, view, metric in COLUMNS
    }
    return figures | {f"{name}_seeds": len(results)}


def main() -> None:
    options_parser = parser(__doc__)
    options_parser.add_argument("--out", type=Path, default=Path("fills-run"), help="the run")
    options_parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options_parser.add_argument("--fills", nargs="+", choices=FILLS, default=[*FILLS])
    options_parser.add_argument("--n-jobs", type=int, default=1)
    options_parser.add_argument(
        "--images", type=int, help="train on this many for an epoch, to try it out"
    )
    options = options_parser.parse_args()
    suite = SUITE
    if options.images:
        small = {"n_train": options.images, "n_test": options.images, "epochs": {"p2p": 1}}
        plans = {name: replace(plan, **small) for name, plan in SUITE.plans.items()}
        suite = replace(SUITE, plans=plans, audit_epochs=1, n_curve_images=1)
    store = run_suite(
        suite,
        run_folder(options.out),
        dataset_table=dict.fromkeys(FILLS, DATASETS["digit_scenes"]),
        datasets=options.fills,
        seeds=options.seeds,
        n_jobs=options.n_jobs,
        log=print,
    )
    figures: Figures = {}
    for name in FILLS:
        figures |= figures_of(name, store)
    missing = [n for n in FILLS if figures.get(f"{n}_seeds", 0) < len(options.seeds)]
    finish(figures, None if missing or options.images else options.json)
    if missing:
        sys.exit(f"not all seeds of {', '.join(missing)} have run: no figures are written")


if __name__ == "__main__":
    main()
