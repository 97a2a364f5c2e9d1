"""What the benchmarks share: timing in turns, scores of a model, and figures as JSON."""

import argparse
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from provenance import about

from p2pselect import P2PClassifier, metrics
from p2pselect.atomic_write import write_json

Figures = dict[str, Any]


def parser(doc: str) -> argparse.ArgumentParser:
    """A parser that says what the first line of a script's docstring says."""
    made = argparse.ArgumentParser(description=doc.splitlines()[0])
    made.add_argument("--json", type=Path, help="write the figures to this file")
    return made


def photograph_parser(doc: str, data: str) -> argparse.ArgumentParser:
    """The same for trainings on photographs: ``--data``, with this help, and ``--weights``."""
    made = parser(doc)
    made.add_argument("--data", type=Path, required=True, help=data)
    made.add_argument(
        "--weights",
        type=Path,
        default=os.environ.get("P2PSELECT_WEIGHTS"),
        help="folder of pretrained weights, or the environment variable P2PSELECT_WEIGHTS",
    )
    return made


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--data`` and ``--weights``, which environment variables can replace."""
    variables = {"data": "P2PSELECT_EMOJI_SCENES", "weights": "P2PSELECT_WEIGHTS"}
    for name, variable in variables.items():
        default = os.environ.get(variable)
        parser.add_argument(
            f"--{name}",
            type=Path,
            default=default,
            required=default is None,
            help=f"or the environment variable {variable}",
        )


def flat(rows: Mapping[str, Figures]) -> Figures:
    """Rows of figures under the names by which tables find them, ROW_COLUMN."""
    return {
        f"{row}_{column}": value
        for row, figures in rows.items()
        for column, value in figures.items()
    }


def means(runs: Sequence[Figures]) -> Figures:
    """The mean of every figure over several runs, such as those of all seeds."""
    return {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}


def finish(figures: Figures, path: Path | None) -> None:
    """Print the figures, and write them, with what made them, if there is a path."""
    for name, value in figures.items():
        print(f"{name}: {value:.3f}" if isinstance(value, float) else f"{name}: {value}")
    if path:
        write_json(path, {"about": about(), **figures})


def interleaved(
    runs: dict[str, Callable[[], object]],
    repeats: int,
    *,
    warm_up: int = 0,
    slow: Collection[str] = (),
) -> dict[str, list[float]]:
    """CPU seconds of every run, several times.

    The runs take turns, so that a busy moment of the machine does not hit only one of them.
    The first rounds are a warm-up, and runs that are hopelessly slow get three rounds.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(warm_up + repeats):
        for name, run in runs.items():
            if name in slow and number >= 3:
                continue
            start = time.process_time()
            run()
            seconds[name].append(time.process_time() - start)
    return {name: values[min(warm_up, len(values) - 1) :] for name, values in seconds.items()}


def medians(seconds: dict[str, list[float]]) -> dict[str, float]:
    """The median of every run."""
    return {name: float(np.median(values)) for name, values in seconds.items()}


def scores(clf: P2PClassifier, images: Any, y: Any, masks: Any, **explain: Any) -> Figures:
    """Accuracy, kept area and localization of a model's explanations."""
    exp = clf.explain(images, **explain)
    return {
        "accuracy": float(np.mean(exp.predicted == y)),
        "kept_fraction": float(exp.kept_fraction.mean()),
        "localization": float(metrics.localization_score(exp.pixel_masks, masks)),
        "random_localization": float(metrics.random_localization(masks)),
        "center_localization": float(metrics.center_localization(exp.pixel_masks, masks)),
        "coverage": float(exp.answered.mean()),
    }
