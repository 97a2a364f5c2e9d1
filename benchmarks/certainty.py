"""What the certainty of P2P is worth on real photographs, before and after calibration.

Reads the paths that photographs.py has recorded, and trains nothing.  For every set, part and
seed:

- asked for a certainty, how many of the answers are right: by the classifier's own word, and
  calibrated on a random half of the images and measured on the other half;
- the expected calibration error at the stop, beside that of a perfect model of the same size;
- a bound on the error: calibrated on images drawn with replacement, half as many as there are,
  and measured on all of them: how often it is exceeded, what is answered, and the most that a
  threshold chosen by the truth would answer;
- the same for the answers that name a class, for every class, with a larger error;
- prediction sets, calibrated on a random half: how often the true class is in them, and how
  many classes are;
- a threshold from 50 to 150 images, as it is, and the median of those from four fifths of them;
- what images show that are not answered, by the fallback;
- what becomes of a calibration with emoji of known designs that is asked about new ones.

    OMP_NUM_THREADS=1 python benchmarks/certainty.py --run photographs-run \\
        --json benchmarks/results/certainty.json
"""

import json
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Figures, parser
from provenance import about
from recorded_tables import markdown, table_of

from p2pselect._answer_kinds import ONE_CLASS
from p2pselect._answering import FALLBACKS, stops, unanswered_levels
from p2pselect.atomic_write import write_json
from p2pselect.exceptions import InputError, P2PSelectWarning
from p2pselect.metrics import expected_calibration_error
from p2pselect.selection import StopCalibration
from p2pselect.selection import _calibrating as calibrating

ASKED = (0.8, 0.9, 0.95)
MAX_ERROR, ALPHA = 0.05, 0.1
CLASS_ERROR, SET_ERROR = 0.1, 0.1
FALLBACK = "most_certain"
#: Calibrated on images of one part, and asked about those of another.
SHIFT = ("emoji_scenes/test_seen_designs", "emoji_scenes/test")
FEW = (50, 100, 150)
N_HALVES, N_DRAWS = 60, 400
Paths = dict[str, np.ndarray]


def read_paths(run: Path) -> dict[str, list[Paths]]:
    """The paths of every part, one entry for every seed."""
    found = defaultdict(list)
    for file in sorted(run.glob("*.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        for part, own in record.get("paths", {}).items():
            kinds = {"certainty": np.float32, "right": bool, "kept": float}
            kinds |= {"proba": np.float32, "truth": int} if "proba" in own else {}
            paths = {name: np.array(own[name], kind) for name, kind in kinds.items()}
            # Without the probabilities of all classes, as if the answer never changed.
            proba = paths.get("proba", paths["certainty"][..., None])
            for fallback in FALLBACKS:
                paths[fallback] = unanswered_levels(proba, fallback, ONE_CLASS)
            found[f"{record['cell']['set']}/{part}"].append(paths)
    return found


def of_part(paths: Paths, rows: np.ndarray) -> StopCalibration:
    """The calibration that some of the images give."""
    names = "certainty", "right", "kept", FALLBACK
    return StopCalibration(*(paths[name][rows] for name in names))


def asked_for(paths: Paths, rng: np.random.Generator, n_halves: int) -> Figures:
    """Shares of right answers, by the classifier's word and calibrated."""
    figures: Figures = {}
    n = len(paths["right"])
    every = np.arange(n)
    for asked in ASKED:
        level, answered = stops(paths["certainty"], asked, paths[FALLBACK])
        raw = paths["right"][every, level][answered]
        rows = []
        for _ in range(n_halves):
            own, new = np.split(rng.permutation(n), [n // 2])
            calibration = of_part(paths, own)
            threshold = calibration.threshold(asked)
            level, answered = stops(paths["certainty"][new], threshold, paths[FALLBACK][new])
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


def whole(paths: Paths) -> calibrating.Paths:
    """The paths with the probabilities of all classes, for what needs them."""
    n = len(paths["truth"])
    return calibrating.Paths(paths["proba"], paths["kept"], np.zeros(n), paths["truth"])


def bounded_by_class(paths: Paths, rng: np.random.Generator, n_draws: int) -> Figures:
    """How a bound for every class fares over draws of the calibration images."""
    if "proba" not in paths:
        return {}
    every, asked = whole(paths), calibrating.Asked(CLASS_ERROR, ALPHA, per_class=True)
    n, _, n_classes = every.proba.shape
    rows = []
    for _ in range(n_draws):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", P2PSelectWarning)
                found = calibrating.calibrated(
                    every[rng.integers(0, n, n // 2)], np.arange(n_classes), asked, FALLBACK
                )
        except InputError:
            rows.append({"exceeded": False, "answered": 0.0, "classes": 0.0, "refused": True})
            continue
        level, certain = stops(every.certainty, found.bound)
        named = every.predicted[np.arange(n), level]
        given = certain & found.answered_classes[named]
        counts = np.bincount(named[given], minlength=n_classes)
        wrong = np.bincount(named[given & (named != every.truth)], minlength=n_classes)
        rows.append(
            {
                "exceeded": bool((wrong > CLASS_ERROR * counts).any()),
                "answered": given.mean(),
                "classes": found.answered_classes.mean(),
                "refused": False,
            }
        )
    return {"images": n // 2, **means(rows)}


def in_sets(paths: Paths, rng: np.random.Generator, n_halves: int) -> Figures:
    """How often prediction sets hold the true class, and how large they are."""
    if "proba" not in paths:
        return {}
    every, rows = whole(paths), []
    n, _, n_classes = every.proba.shape
    for _ in range(n_halves):
        own, new = np.split(rng.permutation(n), [n // 2])
        asked = calibrating.Asked(set_error=SET_ERROR)
        found = calibrating.calibrated(every[own], np.arange(n_classes), asked, FALLBACK)
        threshold = found.threshold(0.9)
        level, answered = stops(every.certainty[new], threshold, paths[FALLBACK][new])
        sets = found.reported(threshold).prediction_sets(every.proba[new, level])
        has, size = sets[np.arange(len(new)), every.truth[new]], sets.sum(axis=1)
        rows.append(
            {
                "true class in it": has.mean(),
                "of answered": has[answered].mean() if answered.any() else np.nan,
                "of others": has[~answered].mean() if not answered.all() else np.nan,
                "classes, answered": size[answered].mean() if answered.any() else np.nan,
                "classes, others": size[~answered].mean() if not answered.all() else np.nan,
            }
        )
    return means(rows)


def from_few(paths: Paths, rng: np.random.Generator, n_draws: int) -> dict[str, Figures]:
    """Thresholds from few images: right answers of all images, asked for .9."""
    n = len(paths["right"])
    every, figures = of_part(paths, np.arange(n)), {}
    for size in FEW:
        rows = []
        for _ in range(n_draws):
            own = rng.integers(0, n, size)
            parts = [of_part(paths, np.delete(own, np.s_[k::5])) for k in range(5)]
            row = {}
            for name, threshold in (
                ("right", of_part(paths, own).threshold(0.9)),
                ("right, cross-fitted", np.median([part.threshold(0.9) for part in parts])),
            ):
                answered, right = every.answers(float(threshold))
                row[name] = right / answered if answered else np.nan
                row[name.replace("right", "answered")] = answered / n
            rows.append(row)
        figures[f"{size} images"] = means(rows)
    return figures


def shifted(known: Paths, new: Paths) -> Figures:
    """Answers about images of another kind than those of the calibration."""
    calibration = of_part(known, np.arange(len(known["right"])))
    thresholds = {f"shift@{asked}": calibration.threshold(asked) for asked in ASKED}
    try:
        thresholds["shift@bound"] = calibration.bounded_threshold(MAX_ERROR, ALPHA)
    except InputError:
        thresholds["shift@bound"] = np.inf
    every = of_part(new, np.arange(len(new["right"])))
    figures: Figures = {}
    for row, threshold in thresholds.items():
        figures[row] = {}
        for name, part in (("known", calibration), ("new", every)):
            answered, right = part.answers(threshold)
            figures[row][f"right, {name}"] = right / answered if answered else None
            figures[row][f"answered, {name}"] = answered / len(part)
    return figures


def shown(paths: Paths) -> Figures:
    """Accuracy and kept area of all images, by what those show that are not answered."""
    every = np.arange(len(paths["right"]))
    figures: Figures = {}
    for row, (fallback, threshold) in shown_rows().items():
        level, _ = stops(paths["certainty"], threshold, paths[fallback])
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
        for fallback in FALLBACKS
    }


def means(rows: list[Figures]) -> Figures:
    """Means of the figures of draws, without those that a draw does not have."""
    columns = {name: np.array([row[name] for row in rows], float) for name in rows[0]}
    return {
        name: None if np.isnan(values).all() else float(np.nanmean(values))
        for name, values in columns.items()
    }


def mean_of(seeds: list[Figures]) -> Figures:
    """Means over the seeds of nested figures."""
    first = seeds[0]
    if isinstance(first, dict):
        return {name: mean_of([seed[name] for seed in seeds]) for name in first}
    known: list[Any] = [value for value in seeds if value is not None]
    return float(np.mean(known)) if known else None


def flat(place: str, of_place: Figures) -> Figures:
    """Figures of rows under one name each."""
    return {
        f"{place}:{row}_{name}": value
        for row, columns in of_place.items()
        for name, value in columns.items()
    }


def main() -> None:
    options_parser = parser(__doc__)
    options_parser.add_argument(
        "--run", type=Path, default=Path("photographs-run"), help="--out of photographs.py"
    )
    options_parser.add_argument("--halves", type=int, default=N_HALVES)
    options_parser.add_argument("--draws", type=int, default=N_DRAWS)
    options = options_parser.parse_args()
    found: Figures = {}
    recorded = read_paths(options.run)
    for place, of_seeds in recorded.items():
        rng = np.random.default_rng(0)
        of_place = mean_of(
            [
                {
                    **asked_for(paths, rng, options.halves),
                    "bound": bounded(paths, rng, options.draws),
                    "by class": bounded_by_class(paths, rng, options.draws),
                    "sets": in_sets(paths, rng, options.halves),
                    **from_few(paths, rng, options.halves),
                    **shown(paths),
                }
                for paths in of_seeds
            ]
        )
        found |= flat(place, of_place)
    if set(SHIFT) <= set(recorded):
        pairs = zip(*(recorded[place] for place in SHIFT), strict=True)
        found |= flat(SHIFT[1], mean_of([shifted(*pair) for pair in pairs]))
    if not found:
        raise SystemExit(f"{options.run} holds no paths: run photographs.py first")
    few = [f"{size} images" for size in FEW]
    tables = [f"@{asked}" for asked in ASKED], ["bound"], ["by class"], ["sets"], few
    shift = [*(f"shift@{asked}" for asked in ASKED), "shift@bound"]
    for rows in (*tables, [*shown_rows()], shift):
        places = [f"{place}:{row}" for place in recorded for row in rows]
        places = [place for place in places if any(k.startswith(f"{place}_") for k in found)]
        if places:
            print(markdown(table_of({"": found}, places)) + "\n")
    if options.json:
        write_json(options.json, {"about": about(), **found})


if __name__ == "__main__":
    main()
