"""Every method on digit scenes, trained for minutes each: accuracy, localization, bars.

64 px, presets.SMALL networks from random weights, three seeds.  Epochs are such that every
method takes at most ten minutes on two cores; they were chosen on scans and photographs that
were held out of the training split.  What a stopped run has done is not done again; --methods
runs some of them anew, and leaves the figures of the others in the file as they are.

    python benchmarks/digit_scenes.py --out digits-run --json digits.json --n-jobs 2

About 75 minutes on two cores.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from p2pselect import presets
from p2pselect.reproduction import Plan, Suite, Variant, run_suite
from p2pselect.reproduction._paper_suites import MAIN

EPOCHS = {
    "p2p": 28,
    "blackbox": 14,
    "blackbox_pixel": 36,
    "comet": 20,
    "comet1": 8,  # cut for time: it had 12
    "diet": 1,
    "rbaem": 20,
    "realx": 20,
    "bcos": 6,
    "infomask": 16,
    "l2x": 28,
    "invase": 28,
}
#: Their faithful and their repaired setting, where that is not the default; the lattice at the
#: density of the paper's data sets of pasted objects; and COMET-1's other reading.
BOTH_WAYS = (
    Variant("blackbox_pixel", "tau20", {"tau": 0.2}),
    Variant("comet1", "after", {"inversion": "after"}),
    Variant("diet", "released", {"convergence": "loss", "mask_step": 0.003}),
    Variant("rbaem", "repaired", {"center": "softargmax", "sigma_range": (0.16, 0.34)}),
)
SUITE = Suite(
    name="digit_scenes",
    plans={
        "digit_scenes": Plan(
            settings={**presets.SMALL, "objective__warmup_epochs": 2},
            epochs=EPOCHS,
            n_train=4000,
            n_test=500,
            changes={
                # Fewer and larger steps of the search than DiET's default, which takes hours.
                "diet": {"n_stages": 1, "max_steps": 12, "mask_step": 0.1},
                # Dim images, and a lattice that hides what tells strokes from grounds: a higher
                # rate and more views, also chosen on held-out scans.
                "blackbox_pixel": {"lr": 1.6e-2, "augment": "affine+tint"},
            },
            # What P2P keeps here, so that every method can be run without it.
            tau=0.11,
        )
    },
    variants=(*MAIN, *BOTH_WAYS),
    certainty_thresholds=(),
    n_curve_images=50,
)
#: Columns of the recorded figures.
COLUMNS = {
    "accuracy": "accuracy",
    "accuracy of binary masks": "matched_accuracy",
    "localization": "matched_localization",
    "std over seeds": "matched_localization_std",
    "random row": "random_localization",
    "center row": "matched_center_localization",
    "kept": "matched_kept_fraction",
    "CPU seconds": "fit_cpu_seconds",
    "seeds": "seeds",
}
NATIVE, MATCHED = "default", "matched"
#: Methods that do not choose what they show.
CONTROLS = ("blackbox", "blackbox_pixel")


def view(setting: str, kind: str) -> str:
    """Name of a view of a training's scores."""
    if setting == "default":
        return kind
    return setting if kind == NATIVE else f"{setting}:{kind}"


def bars(figures: dict[str, float]) -> dict[str, bool]:
    """What is expected of the methods, and whether it is so."""

    def of(name: str, column: str) -> float:
        return figures[f"{name}:default_{column}"]

    def near(name: str) -> bool:
        return of(name, "accuracy") >= of("blackbox", "accuracy") - 0.03

    def above_random(name: str) -> float:
        return of(name, "localization") - of(name, "random row")

    def beaten(figure: str) -> bool:
        method, _, column = figure.partition(":")
        is_row = column.endswith("_localization") and method not in ("p2p", *CONTROLS)
        return not is_row or figures[figure] < of("p2p", "localization")

    found = {
        "blackbox_pixel within 3 points of blackbox": near("blackbox_pixel"),
        "blackbox_pixel within 3 points of blackbox at tau .2": (
            figures["blackbox_pixel:tau20_accuracy"] >= of("blackbox", "accuracy") - 0.03
        ),
        "blackbox_pixel: the random row's localization": (
            abs(above_random("blackbox_pixel")) < 0.01
        ),
        "comet within 3 points of blackbox": near("comet"),
        "comet localizes above the random row": above_random("comet") > 0,
        "comet1:after within 3 points of blackbox": (
            figures["comet1:after_accuracy"] >= of("blackbox", "accuracy") - 0.03
        ),
        "comet1:after: at most the random row's localization": (
            figures["comet1:after_localization"] <= of("comet1", "random row") + 0.01
        ),
        "p2p: accuracy of at least .95": of("p2p", "accuracy") >= 0.95,
        "p2p: localization of at least .85": of("p2p", "localization") >= 0.85,
        "p2p localizes best at the same area": all(map(beaten, figures)),
    }
    for name in ("realx", "l2x", "invase", "rbaem", "diet", "bcos"):
        found[f"{name}: 3 times chance"] = of(name, "accuracy") > 0.3
        found[f"{name} localizes above the random row"] = above_random(name) > 0
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("digits-run"), help="what is done")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", help="default: all")
    parser.add_argument("--n-jobs", type=int, default=2)
    options = parser.parse_args()
    store = run_suite(
        SUITE,
        options.out,
        methods=options.methods,
        seeds=options.seeds,
        n_jobs=options.n_jobs,
        log=print,
    )
    rows: dict[str, dict[str, float]] = {}
    for variant in SUITE.variants:
        results = [
            result
            for result in store.results()
            if (result.trial.method, result.trial.setting) == (variant.method, variant.setting)
            and not result.failed
        ]
        if not results:
            continue
        row: dict[str, float] = {"seeds": len(results)}
        for kind, prefix in ((NATIVE, ""), (MATCHED, "matched_")):
            of_kind = [result.scores[view(variant.setting, kind)] for result in results]
            for name in (
                "accuracy",
                "localization",
                "kept_fraction",
                "random_localization",
                "center_localization",
            ):
                values = [scores[name] for scores in of_kind]
                row[prefix + name] = float(np.mean(values))
                row[f"{prefix}{name}_std"] = float(np.std(values))
        native = [result.scores[variant.setting] for result in results]
        row["fit_cpu_seconds"] = max(scores["fit_cpu_seconds"] for scores in native)
        rows[variant.name] = row
    print(
        "\n| method | accuracy | binary mask | localization | random | center | kept | CPU s |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, row in sorted(rows.items(), key=lambda item: -item[1]["matched_localization"]):
        print(
            f"| {name} | {row['accuracy']:.3f} ± {row['accuracy_std']:.3f} "
            f"| {row['matched_accuracy']:.3f} | {row['matched_localization']:.3f} "
            f"± {row['matched_localization_std']:.3f} | {row['random_localization']:.3f} "
            f"| {row['matched_center_localization']:.3f} | {row['kept_fraction']:.3f} "
            f"| {row['fit_cpu_seconds']:.0f} |"
        )
    is_there = options.json is not None and options.json.exists()
    figures = json.loads(options.json.read_text()) if is_there else {}
    figures |= {
        f"{name if ':' in name else name + ':default'}_{column}": row[key]
        for name, row in rows.items()
        for column, key in COLUMNS.items()
    }
    needed = {f"{name}:default_accuracy" for name in EPOCHS}
    if needed | {"blackbox_pixel:tau20_accuracy"} <= figures.keys():
        reached = bars(figures)
        for text, is_so in reached.items():
            print("yes" if is_so else "NO ", text)
        figures |= reached
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
