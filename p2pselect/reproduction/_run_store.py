"""A run on disk: one file for each finished trial, which appears whole or not at all.

``RUN/run.json`` says what is run and with which versions; ``RUN/trials/KEY.json`` holds the
scores of a trial, or the traceback of its failure; ``RUN/models`` holds the shared black boxes;
``RUN/examples`` holds explanations of a few test images.

Since every trial has a file of its own, nothing has to be locked: several processes, also on
machines that share a network drive, write into one run.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from p2pselect.atomic_write import write_json
from p2pselect.exceptions import InputError
from p2pselect.explanations._explanation import Explanation
from p2pselect.reproduction._scores import Score
from p2pselect.reproduction._suite import Suite, Trial

FORMAT = 2


@dataclass(frozen=True)
class TrialResult:
    """What came out of a trial.

    Parameters
    ----------
    trial : Trial
        The trial.
    scores : dict of str to dict of str to float
        By setting, then by metric; empty if the trial failed.
    facts : dict
        Settings, versions and seconds, for people to read.
    error : str
        The traceback; empty if the trial succeeded.

    Examples
    --------
    >>> result = TrialResult(Trial("d", "p2p", "default", 0), {"default": {"accuracy": 0.5}})
    >>> [score.metric for score in result.long_form()], result.failed
    (['accuracy'], False)
    """

    trial: Trial
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def failed(self) -> bool:
        """Whether the trial ended with an error."""
        return bool(self.error)

    def long_form(self) -> list[Score]:
        """List the scores one by one.

        Returns
        -------
        list of Score
            Empty if the trial failed.
        """
        return [
            Score(
                self.trial.dataset, self.trial.method, self.trial.seed, setting, metric, value
            )
            for setting, scores in self.scores.items()
            for metric, value in scores.items()
        ]


class RunStore:
    """The results of a run, in a folder.

    Parameters
    ----------
    folder : path-like
        Made when the first result is written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = RunStore(folder)
    ...     trial = Trial("digit_scenes", "p2p", "default", 0)
    ...     store.write(TrialResult(trial, {"default": {"accuracy": 0.5}}))
    ...     [score.value for score in store.long_form()]
    [0.5]
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(folder)
        self.trials_folder = self.folder / "trials"

    def write(self, result: TrialResult) -> None:
        """Store a result.

        Parameters
        ----------
        result : TrialResult
            Takes the place of an earlier one of the same trial.
        """
        content = {"format": FORMAT, **asdict(result)}
        write_json(self.trials_folder / f"{result.trial.key}.json", content)

    def read(self, trial: Trial) -> TrialResult | None:
        """Return the result of a trial.

        Parameters
        ----------
        trial : Trial
            The trial.

        Returns
        -------
        TrialResult or None
            None if the trial has no result yet.
        """
        path = self.trials_folder / f"{trial.key}.json"
        return _read_result(path) if path.is_file() else None

    def results(self) -> list[TrialResult]:
        """Return all results.

        Returns
        -------
        list of TrialResult
            In the order of the trials.
        """
        if not self.trials_folder.is_dir():
            return []
        # A file with a leading dot is what a killed process was writing.
        paths = [p for p in self.trials_folder.glob("*.json") if not p.name.startswith(".")]
        return sorted(map(_read_result, paths), key=lambda result: result.trial)

    def long_form(self) -> list[Score]:
        """Return all scores of all trials.

        Returns
        -------
        list of Score
            One by one.
        """
        return [score for result in self.results() for score in result.long_form()]


def _read_result(path: Path) -> TrialResult:
    content = json.loads(path.read_text(encoding="utf-8"))
    if content["format"] != FORMAT:
        raise InputError(f"{path} has format {content['format']}, this version reads {FORMAT}")
    scores = {
        # JSON has no NaN: an undefined score is null there.
        setting: {name: math.nan if v is None else v for name, v in values.items()}
        for setting, values in content["scores"].items()
    }
    return TrialResult(Trial(**content["trial"]), scores, content["facts"], content["error"])


def begin_run(store: RunStore, facts: dict[str, Any]) -> None:
    """Say what is run, and refuse to mix it with a run of something else.

    ``facts["suite"]`` holds what must not change during a run, though more may be added.
    """
    path = store.folder / "run.json"
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        # Through JSON, which makes lists of tuples, so that both sides have the same types.
        now, then = json.loads(json.dumps(facts["suite"])), before["suite"]
        # Only what both name: a suite may have gained data sets and variants since.
        different = sorted(k for k in {*then} & {*now} if then[k] != now[k])
        if different:
            raise InputError(
                f"{store.folder} holds a run with other settings (different: "
                f"{', '.join(different)}); choose another folder"
            )
        facts = {**facts, "suite": {**then, **now}, "started": before["started"]}
    write_json(path, {"format": FORMAT, **facts})


def about_run(store: RunStore) -> dict[str, Any]:
    """What :func:`begin_run` was told."""
    path = store.folder / "run.json"
    if not path.is_file():
        raise InputError(f"{store.folder} does not hold a run: it has no run.json")
    return json.loads(path.read_text(encoding="utf-8"))


def model_path(store: RunStore, trial: Trial) -> Path:
    """Where the trained model of a trial is kept, if it is kept."""
    return store.folder / "models" / trial.key


def write_examples(
    store: RunStore, trial: Trial, exp: Explanation, target: np.ndarray, masks: Any
) -> None:
    """Keep explanations of a few test images, with their labels and object masks (or None)."""
    path = store.folder / "examples" / f"{trial.key}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    truth = {"target": target} if masks is None else {"target": target, "masks": masks}
    np.savez_compressed(path.with_suffix(".truth.npz"), **truth)
    # Last, because readers look for this file: by then the other one is complete.
    exp.save(path)


def read_examples(
    store: RunStore, trial: Trial
) -> tuple[Explanation, np.ndarray, np.ndarray | None] | None:
    """What :func:`write_examples` has kept, or None."""
    path = store.folder / "examples" / f"{trial.key}.npz"
    if not path.is_file():
        return None
    with np.load(path.with_suffix(".truth.npz")) as truth:
        masks = truth["masks"] if "masks" in truth.files else None
        return Explanation.load(path), truth["target"], masks


def fixed_settings(suite: Suite) -> dict[str, Any]:
    """What may not change while a run of a suite goes on, as plain data."""
    # Seeds are left out: more of them may be added to a run.
    plain: dict[str, Any] = {
        "name": suite.name,
        "certainty_thresholds": list(suite.certainty_thresholds),
        "n_curve_images": suite.n_curve_images,
        "audit_epochs": suite.audit_epochs,
    }
    for dataset, plan in suite.plans.items():
        plain[f"plan of {dataset}"] = _plain(asdict(plan))
    for variant in (*suite.on_request, *suite.variants):
        plain[f"variant {variant.name}"] = _plain(variant.changes)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, BaseEstimator):
        return _plain(value.get_params(deep=False))
    # A function is described by its name: its address differs from process to process.
    return getattr(value, "__qualname__", None) or str(value)
