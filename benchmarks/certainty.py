"""What the certainty of P2P is worth on real photographs, before and after calibration.

Reads the paths that photographs.py has recorded, and trains nothing.  For every set, part and
seed:

- asked for a certainty, how many of the answers are right: by the classifier's own word, and
  calibrated on a random half of the images and measured on the other half;
- the expected calibration error at the stop, beside that of a perfect model of the same size;
- a bound on the error: calibrated on images drawn with replacement, half as many as there are,
  and measured on all of them: how often it is exceeded, what is answered, and the most that a
  threshold chosen by the truth would answer;
- what images show that are not answered: everything, or their most certain step.

    OMP_NUM_THREADS=1 python benchmarks/certainty.py --run photographs-run \\
        --json benchmarks/results/certainty.json
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Figures, parser
from provenance import about
from recorded_tables import markdown, table_of

from p2pselect.atomic_write import write_json
from p2pselect.exceptions import InputError
from p2pselect.metrics import expected_calibration_error
from p2pselect.metrics._stops import stops
from p2pselect.selection import StopCalibration

ASKED = (0.8, 0.9, 0.95)
MAX_ERROR, ALPHA = 0.05, 0.1
N_HALVES, N_DRAWS = 60, 400
Paths = dict[str, np.ndarray]


def read_paths(run: Path) -> dict[str, list[Paths]]:
    """The paths of every part, one entry for every seed."""
    found = defaultdict(list)
    for file in sorted(run.glob("*.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        for part, own in record.get("paths", {}).items():
            kinds = {"certainty": np.float32, "right": bool, "kept": float}
            paths = {name: np.array(own[name], kind) for name, kind in kinds.items()}
            found[f"{record['cell']['set']}/{part}"].append(paths)
    return found


def of_part(paths: Paths, rows: np.ndarray) -> StopCalibration:
    """The calibration that some of the images give."""
    return StopCalibration(*(paths[name][rows] for name in ("certainty", "right", "kept")))


def asked_for(paths: Paths, rng: np.random.Generator, n_halves: int) -> Figures:
    """Shares of right answers, by the classifier's word and calibrated."""
    figures: Figures = {}
    n = len(paths["right"])
    every = np.arange(n)
    for asked in ASKED:
        level, answered = stops(paths["certainty"], asked)
        raw = paths["right"][every, level][answered]
        rows = []
        for _ in range(n_halves):
            own, new = np.split(rng.permutation(n), [n // 2])
            calibration = of_part(paths, own)
            threshold = calibration.threshold(asked)
            level, answered = stops(paths["certainty"][new], threshold)
            right = paths["right"][new, level]
            certainty = paths["certainty"][new, level]
            reported = calibration.reported(threshold)(certainty)
            perfect = rng.random(len(new)) < reported
            rows.append(
                {
                    "right": right[answered].mean() if answered.any() else np.nan,
                    "answered": answered.mean(),
                    "ECE": expected_calibration_error(right, reported),
                    "ECE of a perfect model": expected_calibration_error(perfect, reported),
                    "ECE of the classifier": expected_calibration_error(right, certainty),
                    "of reach": not answered.any(),
                }
            )
        found = {name: float(np.nanmean([row[name] for row in rows])) for name in rows[0]}
        figures[f"@{asked}"] = {
            "right, classifier's word": float(raw.mean()) if len(raw) else None,
            **found,
        }
    return figures


def bounded(paths: Paths, rng: np.random.Generator, n_draws: int) -> Figures:
    """How a bound on the error fares over draws of the calibration images."""
    n = len(paths["right"])
    whole = of_part(paths, np.arange(n))
    thresholds = whole._thresholds
    answered, right = whole._counts(thresholds)
    keeps = 1 - right / np.maximum(answered, 1) <= MAX_ERROR
    best = (answered[keeps] / n).max(initial=0)
    rows = []
    for _ in range(n_draws):
        own = rng.integers(0, n, n // 2)
        try:
            bound = of_part(paths, own).bounded_threshold(MAX_ERROR, ALPHA)
        except InputError:
            rows.append({"exceeded": False, "answered": 0.0, "refused": True})
            continue
        given, correct = whole.answers(bound)
        rows.append(
            {
                "exceeded": 1 - correct / max(given, 1) > MAX_ERROR,
                "answered": given / n,
                "refused": False,
            }
        )
    found = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    return {"images": n // 2, **found, "most that could be answered": float(best)}


def shown(paths: Paths) -> Figures:
    """Accuracy and kept area of all images, by what those show that are not answered."""
    every = np.arange(len(paths["right"]))
    figures: Figures = {}
    for row, (fallback, threshold) in shown_rows().items():
        level, _ = stops(paths["certainty"], threshold, fallback)
        figures[row] = {
            "accuracy": float(paths["right"][every, level].mean()),
            "kept": float(paths["kept"][every, level].mean()),
        }
    return figures


def shown_rows() -> dict[str, tuple[str, float]]:
    """Names of rows: what images show that are not answered, and the certainty asked for."""
    return {
        f"{fallback}@{threshold}": (fallback, threshold)
        for threshold in (0.8, 0.95, 0.99)
        for fallback in ("everything", "most_certain")
    }


def mean_of(seeds: list[Figures]) -> Figures:
    """Means over the seeds of nested figures."""
    first = seeds[0]
    if isinstance(first, dict):
        return {name: mean_of([seed[name] for seed in seeds]) for name in first}
    known: list[Any] = [value for value in seeds if value is not None]
    return float(np.mean(known)) if known else None


def main() -> None:
    options_parser = parser(__doc__)
    options_parser.add_argument(
        "--run", type=Path, default=Path("photographs-run"), help="--out of photographs.py"
    )
    options_parser.add_argument("--halves", type=int, default=N_HALVES)
    options_parser.add_argument("--draws", type=int, default=N_DRAWS)
    options = options_parser.parse_args()
    found: Figures = {}
    for place, of_seeds in read_paths(options.run).items():
        rng = np.random.default_rng(0)
        of_place = mean_of(
            [
                {
                    **asked_for(paths, rng, options.halves),
                    "bound": bounded(paths, rng, options.draws),
                    **shown(paths),
                }
                for paths in of_seeds
            ]
        )
        found |= {
            f"{place}:{row}_{name}": value
            for row, columns in of_place.items()
            for name, value in columns.items()
        }
    if not found:
        raise SystemExit(f"{options.run} holds no paths: run photographs.py first")
    for rows in ([f"@{asked}" for asked in ASKED], ["bound"], [*shown_rows()]):
        places = [f"{place}:{row}" for place in read_paths(options.run) for row in rows]
        print(markdown(table_of({"": found}, places)) + "\n")
    if options.json:
        write_json(options.json, {"about": about(), **found})


if __name__ == "__main__":
    main()
