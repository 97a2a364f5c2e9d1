"""Runs cells: in parallel, resumable, failures recorded."""

from __future__ import annotations

import os
import platform
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from p2pselect import datasets as datasets_room
from p2pselect import persistence
from p2pselect.exceptions import InputError, P2PSelectError, P2PSelectWarning
from p2pselect.explanations._explanation import Explanation
from p2pselect.reproduction._cells import DEFAULT, Cell
from p2pselect.reproduction._experiments import Plan, Scale, Training
from p2pselect.reproduction._measure import measure
from p2pselect.reproduction._memory import PeakMemory
from p2pselect.reproduction._records import Record, Records
from p2pselect.reproduction._splits import load_split

PACKAGES = "p2pselect numpy scipy scikit-learn scikit-image torch torchvision timm skorch"
#: Groups whose trainings take longest are started first.
_LONGEST_FIRST = ("p2p", "ablation", "method", "blackbox")


class RequirementError(P2PSelectError):
    """A cell whose result another cell uses has failed."""


@dataclass(frozen=True)
class Task:
    """A cell with all that a worker needs to know to run it."""

    cell: Cell
    training: Training
    requirements: tuple[Cell, ...]
    plan: Plan
    dataset: Any
    root: Path | None
    folder: Path
    certainty_thresholds: tuple[float, ...]
    n_curve_images: int
    device: str


def run(
    scale: Scale,
    out: str | os.PathLike[str],
    *,
    root: str | os.PathLike[str] | None = None,
    table: Mapping[str, Any] | None = None,
    datasets: Iterable[str] | None = None,
    methods: Iterable[str] | None = None,
    seeds: Iterable[int] | None = None,
    n_jobs: int | None = 1,
    devices: Sequence[str] = ("auto",),
    retry_failed: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> Records:
    """Run what of a scale is not done yet.

    Parameters
    ----------
    scale : Scale
    out : path-like
        Folder of the run; one that was interrupted is continued.
    root : path-like, optional
        Where the data sets lie.
    table : dict of str to Dataset, optional
        Default: :data:`p2pselect.datasets.DATASETS`.
    datasets, methods, seeds : iterable, optional
        A choice; see :meth:`~p2pselect.reproduction._experiments.Scale.cells`.  Data sets that
        are not there are left out unless they are named.
    n_jobs : int, optional
        Cells at once.  ``joblib.parallel_config`` decides on the backend, and on the
        number where this is None.
    devices : sequence of str, default=("auto",)
        Dealt out to the cells in turn, for machines with several GPUs.
    retry_failed : bool, default=False
        Run cells again that failed before.
    tell : callable, optional
        Called with a line of text about every cell.

    Returns
    -------
    Records
        Every cell has its record: of its scores, or of its failure.

    Raises
    ------
    InputError
        If `out` holds a run with other settings, or a data set that was named is not there.
    UnknownNameError
        If a data set or a method that was named does not exist.

    Examples
    --------
    >>> from p2pselect.reproduction import SCALES
    >>> run(SCALES["small"], "small-run", n_jobs=2, tell=print)  # doctest: +SKIP
    """
    table = datasets_room.DATASETS if table is None else table
    records = Records(out)
    root = None if root is None else Path(root)
    names = list(scale.plans) if datasets is None else list(datasets)
    absent = [name for name in names if name in table and not table[name].is_present(root)]
    if datasets is None:
        for name in absent:
            tell(f"{name} is not there: left out")
        names = [name for name in names if name in table and name not in absent]
    elif absent:
        raise InputError(f"{absent[0]} is not there; {table[absent[0]]}")
    cells = scale.cells(names, methods, seeds)
    records.begin(
        {
            "scale": scale.described(),
            "command": " ".join(sys.argv),
            "versions": versions(),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
        }
    )
    waiting = {
        cell: training
        for cell, training in cells.items()
        if _is_open(records.read(cell), retry_failed)
    }
    tell(f"{len(cells)} cells, {len(cells) - len(waiting)} of them done before")
    parallel = Parallel(
        n_jobs=n_jobs, batch_size=1, pre_dispatch="n_jobs", return_as="generator"
    )
    while waiting:
        needs = {cell: scale.requirements(cell, t) for cell, t in waiting.items()}
        ready = [cell for cell in waiting if not set(needs[cell]) & set(waiting)]
        ready.sort(key=lambda c: (_LONGEST_FIRST.index(waiting[c].group), c.dataset, c.seed))
        tasks = [
            Task(
                cell,
                waiting[cell],
                tuple(needs[cell]),
                scale.plans[cell.dataset],
                table[cell.dataset],
                root,
                records.folder,
                scale.certainty_thresholds,
                scale.n_curve_images,
                devices[number % len(devices)],
            )
            for number, cell in enumerate(ready)
        ]
        for line in parallel(delayed(run_task)(task) for task in tasks):
            tell(line)
        waiting = {cell: t for cell, t in waiting.items() if cell not in set(ready)}
    return records


def run_task(task: Task) -> str:
    """Run one cell and write its record.

    Parameters
    ----------
    task : Task

    Returns
    -------
    str
        A line about it.
    """
    records = Records(task.folder)
    try:
        record = _run(task, records)
    except Exception as error:
        text = traceback.format_exc()
        records.write(Record(task.cell, facts={"versions": versions()}, error=text))
        return f"{task.cell.key} FAILED: {type(error).__name__}: {error}"
    records.write(record)
    scores = record.scores[task.cell.setting]
    shown = (f"{name} {scores[name]:.3f}" for name in _SHOWN if name in scores)
    return f"{task.cell.key}: {', '.join(shown)} ({record.facts['seconds']:.0f} s)"


_SHOWN = ("accuracy", "kept_fraction", "localization", "insertion_fidelity")


def _run(task: Task, records: Records) -> Record:
    cell, plan = task.cell, task.plan
    started, cpu, memory = time.perf_counter(), time.process_time(), PeakMemory()
    own: dict[str, Any] = {"random_state": cell.seed, "device": task.device}
    tau = plan.tau
    for needed in task.requirements:
        record = records.read(needed)
        if record is None or record.failed:
            raise RequirementError(f"{cell.key} uses {needed.key}, which failed")
        if needed.method == "blackbox":
            own["blackbox"] = persistence.load(records.model_path(needed))
        else:
            tau = tau or record.facts["tau"]
    own["tau"] = "dynamic" if task.training.group in ("p2p", "ablation") else tau
    if own["tau"] is None:  # the black box, which keeps everything
        del own["tau"]
    clf = plan.estimator(task.training, **own)
    train = load_split(task.dataset, task.root, "train", plan.n_train, cell.seed)
    test = load_split(task.dataset, task.root, "test", plan.n_test, cell.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("once", P2PSelectWarning)
        clf.fit(train.images, train.target)
        fitted, fitted_cpu = time.perf_counter(), time.process_time()
        measured = measure(
            clf,
            test,
            tau,
            setting=cell.setting,
            certainty_thresholds=task.certainty_thresholds,
            n_curve_images=task.n_curve_images,
        )
    if cell.method == "blackbox" and cell.setting == DEFAULT:
        clf.save(records.model_path(cell))
    if cell.setting == DEFAULT:
        save_examples(records, cell, measured.examples, measured.target, measured.masks)
    facts = {
        "tau": measured.tau,
        "n_train": len(train),
        "n_test": len(test),
        "settings": {k: repr(v) for k, v in clf.get_params(deep=False).items()},
        "device": str(clf.device_),
        "seconds": time.perf_counter() - started,
        "versions": versions(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    measured.scores[cell.setting] |= {
        "tau": measured.tau,
        "fit_seconds": fitted - started,
        "fit_cpu_seconds": fitted_cpu - cpu,
        "peak_memory_mib": memory.mib(),
    }
    return Record(cell, measured.scores, facts)


def save_examples(
    records: Records,
    cell: Cell,
    exp: Explanation,
    target: np.ndarray,
    masks: np.ndarray | None,
) -> None:
    """Keep explanations of a few images beside the record."""
    records.example_path(cell).parent.mkdir(parents=True, exist_ok=True)
    exp.save(records.example_path(cell))
    truth: dict[str, Any] = (
        {"target": target} if masks is None else {"target": target, "masks": masks}
    )
    np.savez_compressed(records.truth_path(cell), **truth)


def versions() -> dict[str, str]:
    """Versions of what the results depend on."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in PACKAGES.split():
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _is_open(record: Record | None, retry_failed: bool) -> bool:
    return record is None or (record.failed and retry_failed)
