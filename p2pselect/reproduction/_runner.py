"""Run the trials of a suite: in parallel, resumable, with every failure recorded."""

from __future__ import annotations

import os
import platform
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed

from p2pselect import datasets as datasets_room
from p2pselect import persistence
from p2pselect._show_versions import package_versions
from p2pselect.exceptions import InputError, P2PSelectError, P2PSelectWarning
from p2pselect.nn._weight_sources import networks_in_folder
from p2pselect.reproduction._auditing import audit_scores
from p2pselect.reproduction._equal_cpu import EqualCPU
from p2pselect.reproduction._measure import measure
from p2pselect.reproduction._memory import PeakMemory
from p2pselect.reproduction._run_store import (
    RunStore,
    TrialResult,
    begin_run,
    fixed_settings,
    model_path,
    write_examples,
)
from p2pselect.reproduction._split import load_split
from p2pselect.reproduction._suite import (
    DEFAULT,
    EQUAL_CPU,
    Suite,
    Trial,
    Variant,
    dependencies,
)

# The groups whose trials take longest are started first.
_LONGEST_FIRST = ("p2p", "ablation", "method", "blackbox")
_SHOWN = ("accuracy", "kept_fraction", "localization", "insertion_fidelity")


class DependencyError(P2PSelectError):
    """A trial whose result another trial uses has failed."""


def run_suite(
    suite: Suite,
    out: str | os.PathLike[str],
    *,
    root: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    dataset_table: Mapping[str, Any] | None = None,
    datasets: Iterable[str] | None = None,
    methods: Iterable[str] | None = None,
    seeds: Iterable[int] | None = None,
    n_jobs: int | None = 1,
    devices: Sequence[str] = ("auto",),
    retry_failed: bool = False,
    log: Callable[[str], None] = lambda line: None,
) -> RunStore:
    """Run the trials of a suite that have not been run yet.

    Parameters
    ----------
    suite : Suite
        The trials, and how each is set up.
    out : path-like
        Folder of the run; a run that was interrupted continues.
    root : path-like, optional
        The folder that contains the data sets.
    weights : path-like, optional
        A folder of pretrained weights, as ``pretrained`` of
        :class:`~p2pselect.P2PClassifier` takes it, for all networks that do not start from
        random weights.  Default: they come from the cache or are downloaded.  A trial whose
        weights cannot be found fails.
    dataset_table : dict of str to Dataset, optional
        Default: :data:`p2pselect.datasets.DATASETS`.
    datasets, methods, seeds : iterable, optional
        A selection, as for :meth:`Suite.trials`.  Data sets that are missing from `root` are
        skipped unless they are named.
    n_jobs : int, optional
        Number of trials at a time.  ``joblib.parallel_config`` chooses the backend, and the
        number if this is None.
    devices : sequence of str, default=("auto",)
        Assigned to the trials in turn, for machines with several GPUs.
    retry_failed : bool, default=False
        Run trials again that failed before.
    log : callable, optional
        Called with one line of text for every trial.

    Returns
    -------
    RunStore
        Holds a result for every trial: its scores, or its failure.

    Raises
    ------
    InputError
        If `out` holds a run with other settings, or a data set that was named is missing.
    UnknownNameError
        If a data set or a method that was named does not exist.
    WeightsNotFoundError
        If the folder of weights does not exist.

    Examples
    --------
    >>> from p2pselect.reproduction import SUITES
    >>> run_suite(SUITES["small"], "small-run", n_jobs=2, log=print)  # doctest: +SKIP
    """
    known = datasets_room.DATASETS if dataset_table is None else dataset_table
    root = None if root is None else Path(root)
    if weights is not None:
        weights = os.fspath(weights)
        networks_in_folder(weights)  # said once, not by every trial
    store = RunStore(out)
    names = list(suite.plans if datasets is None else datasets)
    missing = [name for name in names if name in known and not known[name].is_present(root)]
    if datasets is None:
        for name in missing:
            log(f"{name} is missing and will be skipped")
        names = [name for name in names if name in known and name not in missing]
    elif missing:
        raise InputError(f"{missing[0]} is missing; {known[missing[0]]}")
    trials = suite.trials(names, methods, seeds)
    about = {"suite": fixed_settings(suite), "command": " ".join(sys.argv)}
    begin_run(store, {**about, "versions": _versions(), "started": _now()})
    waiting = {
        trial: variant
        for trial, variant in trials.items()
        if (done := store.read(trial)) is None or (done.failed and retry_failed)
    }
    log(f"{len(trials)} trials, {len(trials) - len(waiting)} of them already done")
    places: dict[str, Any] = {"root": root, "store": store, "weights": weights}
    waiting = _with_epochs(suite, waiting, known, device=devices[0], log=log, **places)
    # A trial is long: hand out one at a time, and log each as soon as it is done.
    parallel = Parallel(
        n_jobs=n_jobs, batch_size=1, pre_dispatch="n_jobs", return_as="generator"
    )
    # In rounds, because a trial can start only once those it depends on have results.
    while waiting:
        ready = [
            trial
            for trial, variant in waiting.items()
            if not any(other in waiting for other in dependencies(suite, trial, variant))
        ]
        # Neighbors share data set and seed, so that a worker finds their images in its cache.
        ready.sort(key=lambda t: (_LONGEST_FIRST.index(waiting[t].group), t.dataset, t.seed))
        tasks = [
            delayed(_run_trial)(
                suite,
                trial,
                waiting.pop(trial),
                dataset=known[trial.dataset],
                device=devices[number % len(devices)],
                **places,
            )
            for number, trial in enumerate(ready)
        ]
        for line in parallel(tasks):
            log(line)
    return store


def _with_epochs(
    suite: Suite,
    waiting: Mapping[Trial, Variant],
    known: Mapping[str, Any],
    *,
    store: RunStore,
    log: Callable[[str], None],
    **more: Any,
) -> dict[Trial, Variant]:
    """The same trials; of those that get P2P's CPU time, the epochs are known now.

    They are measured here, one after the other, before trials that run side by side disturb
    the measurement.
    """
    clocks: dict[str, EqualCPU] = {}
    found = dict(waiting)
    for trial, variant in waiting.items():
        if trial.setting != EQUAL_CPU:
            continue
        name = trial.dataset
        if name not in clocks:
            clocks[name] = EqualCPU(suite, name, dataset=known[name], store=store, **more)
        try:
            changes = {**variant.changes, "max_epochs": clocks[name].epochs(variant)}
        except Exception as error:
            del found[trial]
            log(_failed(store, trial, error))
        else:
            found[trial] = replace(variant, changes=changes)
    return found


def _failed(store: RunStore, trial: Trial, error: Exception) -> str:
    text = "".join(traceback.format_exception(error))
    store.write(TrialResult(trial, facts={"versions": _versions()}, error=text))
    return f"{trial.key} FAILED: {type(error).__name__}: {error}"


def _run_trial(
    suite: Suite, trial: Trial, variant: Variant, *, store: RunStore, **more: Any
) -> str:
    """Run one trial, store its result, and say in one line how it went."""
    try:
        result = _result_of(suite, trial, variant, store=store, **more)
    # Whatever goes wrong in one trial, the others go on.
    except Exception as error:
        return _failed(store, trial, error)
    store.write(result)
    scores = result.scores[trial.setting]
    shown = (f"{name} {scores[name]:.3f}" for name in _SHOWN if name in scores)
    return f"{trial.key}: {', '.join(shown)} ({result.facts['seconds']:.0f} s)"


def _result_of(
    suite: Suite,
    trial: Trial,
    variant: Variant,
    *,
    dataset: Any,
    root: Path | None,
    store: RunStore,
    device: str,
    weights: str | None,
) -> TrialResult:
    started, cpu, memory = time.perf_counter(), time.process_time(), PeakMemory()
    plan = suite.plans[trial.dataset].with_weights(weights)
    own: dict[str, Any] = {"random_state": trial.seed, "device": device}
    tau = plan.tau
    for other in dependencies(suite, trial, variant):
        done = store.read(other)
        if done is None or done.failed:
            raise DependencyError(f"{trial.key} uses the result of {other.key}, which failed")
        if other.method == "blackbox":
            own["blackbox"] = persistence.load(model_path(store, other))
        else:
            tau = tau or done.facts["tau"]
    if variant.group in ("p2p", "ablation"):
        own["tau"] = "dynamic"
    elif tau is not None:  # None for the black box, which sees everything
        own["tau"] = tau
    clf = plan.make_estimator(variant, **own)
    train = load_split(dataset, root, "train", plan.n_train, trial.seed)
    test = load_split(dataset, root, "test", plan.n_test, trial.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("once", P2PSelectWarning)
        clf.fit(train.images, train.target)
        fit_seconds, fit_cpu = time.perf_counter() - started, time.process_time() - cpu
        measured = measure(
            clf,
            test,
            tau,
            setting=trial.setting,
            certainty_thresholds=suite.certainty_thresholds,
            n_curve_images=suite.n_curve_images,
        )
        if suite.audit_epochs and trial.setting == DEFAULT:
            measured.scores[DEFAULT] |= audit_scores(
                clf,
                train,
                test,
                measured.examples,
                n_epochs=suite.audit_epochs,
                seed=trial.seed,
            )
    if trial.setting == DEFAULT:
        # Only black boxes are used again, by the methods that learn from one.
        if trial.method == "blackbox":
            clf.save(model_path(store, trial))
        write_examples(store, trial, measured.examples, measured.target, measured.masks)
    facts = {
        "tau": measured.tau,
        "n_train": len(train),
        "n_test": len(test),
        "settings": {k: repr(v) for k, v in clf.get_params(deep=False).items()},
        "device": str(clf.device_),
        "seconds": time.perf_counter() - started,
        "versions": _versions(),
        "finished": _now(),
    }
    measured.scores[trial.setting] |= {
        "tau": measured.tau,
        "epochs": clf.max_epochs,
        "fit_seconds": fit_seconds,
        "fit_cpu_seconds": fit_cpu,
        "peak_memory_mib": memory.mib(),
    }
    return TrialResult(trial, measured.scores, facts)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _versions() -> dict[str, str]:
    """Versions of what the results depend on."""
    python = {"python": platform.python_version(), "platform": platform.platform()}
    return python | package_versions()
