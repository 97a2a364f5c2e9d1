"""A run on disk: one file per finished cell, written in one step or not at all.

``RUN/run.json`` says what is run and with which versions, ``RUN/cells/KEY.json`` holds the
scores of a cell or the traceback of its failure, ``RUN/models`` the shared black boxes and
``RUN/examples`` explanations of a few test images.  A process that is killed leaves whole
records and at most a temporary file behind.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from p2pselect.atomic_write import write_json
from p2pselect.exceptions import InputError
from p2pselect.reproduction._cells import Cell

FORMAT = 1


class Row(NamedTuple):
    """One value in long form.

    Attributes
    ----------
    dataset, method : str
    seed : int
    setting : str
        What of the method was measured.
    metric : str
    value : float

    Examples
    --------
    >>> Row("digit_scenes", "p2p", 0, "default", "accuracy", 0.5)._asdict()["metric"]
    'accuracy'
    """

    dataset: str
    method: str
    seed: int
    setting: str
    metric: str
    value: float


@dataclass(frozen=True)
class Record:
    """What became of a cell.

    Parameters
    ----------
    cell : Cell
    scores : dict of str to dict of str to float
        By setting, then by metric; empty where the cell failed.
    facts : dict
        Settings, versions, seconds, memory: for a person to read.
    error : str
        The traceback; empty where the cell succeeded.

    Examples
    --------
    >>> record = Record(Cell("d", "p2p", "default", 0), {"default": {"accuracy": 0.5}})
    >>> [row.metric for row in record.rows()], record.failed
    (['accuracy'], False)
    """

    cell: Cell
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def failed(self) -> bool:
        """Whether the cell ended with an error."""
        return bool(self.error)

    def rows(self) -> Iterator[Row]:
        """The scores in long form."""
        cell = self.cell
        for setting, scores in self.scores.items():
            for metric, value in scores.items():
                yield Row(cell.dataset, cell.method, cell.seed, setting, metric, value)


class Records:
    """The records of a run in a folder.

    Parameters
    ----------
    folder : path-like
        Made when the first record is written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     records = Records(folder)
    ...     cell = Cell("digit_scenes", "p2p", "default", 0)
    ...     records.write(Record(cell, {"default": {"accuracy": 0.5}}))
    ...     [row.value for row in records.rows()]
    [0.5]
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(folder)

    @property
    def cells_folder(self) -> Path:
        """Where the records lie."""
        return self.folder / "cells"

    def model_path(self, cell: Cell) -> Path:
        """Where the trained model of a cell is kept, if it is."""
        return self.folder / "models" / cell.key

    def example_path(self, cell: Cell) -> Path:
        """Where explanations of a few test images are kept, if they are."""
        return self.folder / "examples" / f"{cell.key}.npz"

    def truth_path(self, cell: Cell) -> Path:
        """Where labels and object masks of the same images are kept."""
        return self.folder / "examples" / f"{cell.key}.truth.npz"

    def write(self, record: Record) -> None:
        """Store a record, replacing an earlier one of the same cell.

        Parameters
        ----------
        record : Record
        """
        content = {"format": FORMAT, **asdict(record)}
        write_json(self.cells_folder / f"{record.cell.key}.json", content)

    def read(self, cell: Cell) -> Record | None:
        """The record of a cell, None where there is none yet.

        Parameters
        ----------
        cell : Cell

        Returns
        -------
        Record or None
        """
        path = self.cells_folder / f"{cell.key}.json"
        return _read_record(path) if path.is_file() else None

    def all(self) -> list[Record]:
        """Every record there is, in the order of the cells."""
        if not self.cells_folder.is_dir():
            return []
        # Files with a leading dot are what a killed process was writing.
        paths = [p for p in self.cells_folder.glob("*.json") if not p.name.startswith(".")]
        return sorted((_read_record(path) for path in paths), key=lambda r: r.cell)

    def rows(self) -> list[Row]:
        """All scores in long form."""
        return [row for record in self.all() for row in record.rows()]

    def begin(self, facts: dict[str, Any]) -> None:
        """Say what is run, and refuse to mix it with a run of something else.

        Parameters
        ----------
        facts : dict
            With the key ``"scale"``: what must not change within a run, though more may
            be added to it.

        Raises
        ------
        InputError
            If the folder holds a run of another scale.
        """
        path = self.folder / "run.json"
        if path.is_file():
            before = json.loads(path.read_text(encoding="utf-8"))
            now, then = json.loads(json.dumps(facts["scale"])), before["scale"]
            different = sorted(k for k in {*then} & {*now} if then[k] != now[k])
            if different:
                raise InputError(
                    f"{self.folder} holds a run with other settings (different: "
                    f"{', '.join(different)}): name another folder"
                )
            facts = {**facts, "scale": {**then, **now}, "started": before["started"]}
        write_json(path, {"format": FORMAT, **facts})

    def about(self) -> dict[str, Any]:
        """What :meth:`begin` was told.

        Returns
        -------
        dict

        Raises
        ------
        InputError
            If the folder holds no run.
        """
        path = self.folder / "run.json"
        if not path.is_file():
            raise InputError(f"{self.folder} holds no run: it has no run.json")
        return json.loads(path.read_text(encoding="utf-8"))


def _read_record(path: Path) -> Record:
    content = json.loads(path.read_text(encoding="utf-8"))
    if content["format"] != FORMAT:
        raise InputError(f"{path} has format {content['format']}, this version reads {FORMAT}")
    scores = {
        # JSON has no NaN: a score that is not defined is null there.
        setting: {name: math.nan if v is None else v for name, v in values.items()}
        for setting, values in content["scores"].items()
    }
    return Record(Cell(**content["cell"]), scores, content["facts"], content["error"])
