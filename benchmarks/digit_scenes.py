"""Every method on digit scenes, trained for minutes each: accuracy, localization, bars.

64 px, presets.SMALL networks from random weights, three seeds.  Epochs are such that every
method takes at most ten minutes on two cores; they were chosen on scans and photographs that
were held out of the training split.  What a stopped run has done is not done again.

    python benchmarks/digit_scenes.py --out digits-run --json digits.json --n-jobs 2

About 75 minutes on two cores.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from p2pselect import presets
from p2pselect.benchmark import Plan, Scale, Training, run
from p2pselect.benchmark.scales import MAIN

EPOCHS = {
    "p2p": 28,
    "blackbox": 14,
    "blackbox_pixel": 56,
    "comet": 20,
    "comet1": 20,
    "diet": 1,
    "rbaem": 20,
    "realx": 20,
    "bcos": 6,
    "infomask": 16,
    "l2x": 28,
    "invase": 28,
}
#: Their faithful and their repaired setting, where that is not the default.
BOTH_WAYS = (
    Training("diet", "released", {"convergence": "loss", "mask_step": 0.003}),
    Training("rbaem", "repaired", {"centre": "softargmax", "sigma_range": (0.16, 0.34)}),
)
SCALE = Scale(
    name="digit_scenes",
    plans={
        "digit_scenes": Plan(
            settings={**presets.SMALL, "warmup_epochs": 2},
            epochs=EPOCHS,
            n_train=4000,
            n_test=500,
            # Fewer and larger steps of the mask search than DiET's default, which takes hours.
            changes={"diet": {"n_stages": 1, "max_steps": 12, "mask_step": 0.1}},
        )
    },
    trainings=(*MAIN, *BOTH_WAYS),
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
    "kept": "kept_fraction",
    "CPU seconds": "fit_cpu_seconds",
}
NATIVE, MATCHED = "default", "matched"


def view(setting: str, kind: str) -> str:
    """Name of a view of a training's scores."""
    if setting == "default":
        return kind
    return setting if kind == NATIVE else f"{setting}:{kind}"


def bars(rows: dict[str, dict[str, float]]) -> dict[str, bool]:
    """What is expected of the methods, and whether it is so."""
    blackbox, p2p = rows["blackbox"], rows["p2p"]
    random = blackbox["random_localization"]
    others = [name for name in rows if name not in ("p2p", "blackbox", "blackbox_pixel")]

    def near(name: str) -> bool:
        return rows[name]["accuracy"] >= blackbox["accuracy"] - 0.03

    pixel = rows["blackbox_pixel"]["localization"]
    found = {
        "blackbox_pixel within 3 points of blackbox": near("blackbox_pixel"),
        "blackbox_pixel: the random row's localization": abs(pixel - random) < 0.01,
        "comet within 3 points of blackbox": near("comet"),
        "comet localizes above the random row": rows["comet"]["localization"] > random,
        "comet1 within 3 points of blackbox": near("comet1"),
        "comet1: at most the random row's localization": (
            rows["comet1"]["localization"] <= random + 0.01
        ),
        "infomask: the random row's localization": (
            abs(rows["infomask"]["localization"] - random) < 0.01
        ),
        "p2p: accuracy of at least .95": p2p["accuracy"] >= 0.95,
        "p2p: localization of at least .85": p2p["localization"] >= 0.85,
        "p2p localizes best at the same area": all(
            p2p["matched_localization"] > rows[name]["matched_localization"] for name in others
        ),
    }
    for name in ("realx", "l2x", "invase", "rbaem", "diet", "bcos"):
        found[f"{name}: 3 times chance"] = rows[name]["accuracy"] > 0.3
        found[f"{name} localizes above the random row"] = rows[name]["localization"] > random
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("digits-run"), help="what is done")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", help="default: all")
    parser.add_argument("--n-jobs", type=int, default=2)
    options = parser.parse_args()
    records = run(
        SCALE,
        options.out,
        methods=options.methods,
        seeds=options.seeds,
        n_jobs=options.n_jobs,
        tell=print,
    )
    rows: dict[str, dict[str, float]] = {}
    for training in SCALE.trainings:
        cells = [
            record
            for record in records.all()
            if (record.cell.method, record.cell.setting) == (training.method, training.setting)
            and not record.failed
        ]
        if not cells:
            continue
        row: dict[str, float] = {"seeds": len(cells)}
        for kind, prefix in ((NATIVE, ""), (MATCHED, "matched_")):
            of_kind = [cell.scores[view(training.setting, kind)] for cell in cells]
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
        native = [cell.scores[training.setting] for cell in cells]
        row["fit_cpu_seconds"] = max(scores["fit_cpu_seconds"] for scores in native)
        rows[training.name] = row
    print(
        "\n| method | accuracy | binary mask | localization | random | centre | kept | CPU s |"
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
    reached = bars(rows) if options.methods is None else {}
    for text, is_so in reached.items():
        print("yes" if is_so else "NO ", text)
    if options.json:
        figures: dict[str, float | bool] = {
            f"{name if ':' in name else name + ':default'}_{column}": row[key]
            for name, row in rows.items()
            for column, key in COLUMNS.items()
        }
        options.json.write_text(json.dumps({**figures, **reached}, indent=1) + "\n")


if __name__ == "__main__":
    main()
