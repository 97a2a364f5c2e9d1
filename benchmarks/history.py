"""The history of the ratios that the documentation quotes, measured in small.

Measures the ratios within a few minutes, compares them with the last ones that were recorded
(on this machine, if there are any), and ends with exit code 1 if one has become worse by more
than its noise.  Both sides of a ratio are measured in turns, so that it moves less with the
machine than seconds do.

    python benchmarks/history.py            # compare
    python benchmarks/history.py --record   # compare, then append to results/history.json
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from provenance import PACKAGES, commit, processor, versions

HISTORY = Path(__file__).parent / "results" / "history.json"
#: A change of less than this share is never a regression.
TOLERANCE = 0.1


@dataclass(frozen=True)
class Ratio:
    """A ratio that was measured: the median, and half the interquartile range beside it."""

    value: float
    spread: float

    @classmethod
    def of(cls, numerator: list[float], denominator: list[float]) -> "Ratio":
        """The ratio of two runs that took turns."""
        ratios = np.array(numerator) / np.array(denominator)
        low, middle, high = np.percentile(ratios, (25, 50, 75))
        return cls(float(middle), float((high - low) / 2))

    def __str__(self) -> str:
        return f"{self.value:.3f} ± {self.spread:.3f}"


#: Ratios by name, and whether a greater one (1) or a smaller one (-1) is better.
BETTER = {
    "regions_speedup_over_skimage": 1,
    "predict_speedup_over_naive": 1,
    "networks_over_predict": 1,
    "step_over_networks_64": -1,
    "step_over_networks_224": -1,
    "fit_memory_many_over_few": -1,
    "predict_memory_many_over_few": -1,
}


def is_worse(name: str, now: Ratio, before: Ratio) -> bool:
    """Whether a ratio has become worse by more than the tolerance and the noise of both."""
    loss = BETTER[name] * (before.value - now.value)
    noise = float(np.hypot(now.spread, before.spread))
    return loss > TOLERANCE * before.value + 2 * noise


def compare(now: dict[str, Ratio], record: dict[str, Any]) -> list[str]:
    """Name the ratios that are worse than those of a record."""
    return [
        name
        for name, ratio in now.items()
        if name in record["ratios"] and is_worse(name, ratio, Ratio(**record["ratios"][name]))
    ]


def last_record(history: list[dict[str, Any]], machine: str) -> dict[str, Any] | None:
    """The last record of a machine, or of any machine if it has none."""
    own = [record for record in history if record["machine"] == machine]
    return (own or history or [None])[-1]


def measure_regions() -> dict[str, Ratio]:
    from measuring import interleaved
    from superpixels import engine_runs, photographs

    runs = engine_runs(["slic", "skimage-slic"], photographs())
    seconds = interleaved(runs, 9)
    return {"regions_speedup_over_skimage": Ratio.of(seconds["skimage-slic"], seconds["slic"])}


def measure_prediction() -> dict[str, Ratio]:
    from inference import count_passes, demo_images, networks_alone, search_runs
    from measuring import interleaved

    from p2pselect import P2PClassifier, datasets, presets

    # Scenes are learned in seconds, digits are not.
    train = datasets.make_digit_scenes(500, image_size=64, random_state=0)
    settings = {**presets.SMALL, "max_epochs": 6, "objective__warmup_epochs": 1}
    clf = P2PClassifier().set_params(**settings, validation=None, random_state=0)
    clf.fit(train.images, train.scenes)
    images = demo_images(256)
    clf.set_params(batch_size=64)
    regions = clf.regions_.propose_batch(images)
    n_classified, _ = count_passes(clf, images, regions)
    runs = search_runs(clf, images, regions)
    runs["networks"] = lambda: networks_alone(clf, images, n_classified)
    seconds = interleaved(runs, 5)
    return {
        "predict_speedup_over_naive": Ratio.of(seconds["naive"], seconds["predict_proba"]),
        "networks_over_predict": Ratio.of(seconds["networks"], seconds["predict_proba"]),
    }


def measure_step(image_size: int, repeats: int) -> dict[str, Ratio]:
    from measuring import interleaved
    from training import step_runs

    seconds = interleaved(step_runs(image_size), repeats, warm_up=2)
    return {f"step_over_networks_{image_size}": Ratio.of(seconds["p2p"], seconds["bare"])}


def measure_memory() -> dict[str, Ratio]:
    from memory import memory_figures

    # Large files: all of them in memory at once would double it.
    figures = memory_figures(200, 2000, size=64, side=256)
    return {
        f"{name}_memory_many_over_few": Ratio(figures[f"{name}_ratio"], 0.0)
        for name in ("fit", "predict")
    }


MEASUREMENTS: tuple[Callable[[], dict[str, Ratio]], ...] = (
    measure_prediction,
    # After networks have run, as in most programs: from then on, memory is used again.
    measure_regions,
    lambda: measure_step(64, repeats=15),
    lambda: measure_step(224, repeats=7),
    measure_memory,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--record", action="store_true", help="append the ratios to the history"
    )
    options = parser.parse_args()

    import torch

    torch.set_num_threads(1)
    history = json.loads(HISTORY.read_text(encoding="utf-8")) if HISTORY.is_file() else []
    before = last_record(history, processor())
    now: dict[str, Ratio] = {}
    for measure in MEASUREMENTS:
        for name, ratio in measure().items():
            now[name] = ratio
            known = before["ratios"].get(name) if before else None
            was = f" (before: {Ratio(**known)})" if known else ""
            print(f"{name}: {ratio}{was}", flush=True)
    if before and before["machine"] != processor():
        print(f"note: the record is from another machine, {before['machine']}")
    if options.record:
        record = {
            "date": datetime.now(UTC).date().isoformat(),
            **commit(),
            "machine": processor(),
            "versions": versions(PACKAGES),
            "ratios": {name: vars(ratio) for name, ratio in now.items()},
        }
        HISTORY.write_text(json.dumps([*history, record], indent=1) + "\n", encoding="utf-8")
    worse = compare(now, before) if before else []
    for name in worse:
        print(f"REGRESSION: {name}")
    return 1 if worse else 0


if __name__ == "__main__":
    raise SystemExit(main())
