"""Results as one table of values: what is committed, and what tables and figures read."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path

from p2pselect.atomic_write import atomic_open
from p2pselect.exceptions import InputError
from p2pselect.reproduction._records import Row


def write_csv(rows: Iterable[Row], path: str | os.PathLike[str]) -> None:
    """Write values in long form, with six digits.

    Parameters
    ----------
    rows : iterable of Row
    path : path-like
        Columns ``dataset, method, seed, setting, metric, value``.

    Examples
    --------
    >>> import tempfile
    >>> rows = [Row("digit_scenes", "p2p", 0, "default", "accuracy", 0.5)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_csv(rows, f"{folder}/values.csv")
    ...     read_csv(f"{folder}/values.csv") == rows
    True
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_open(path, newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows((*row[:-1], f"{row.value:.6g}") for row in rows)


def read_csv(path: str | os.PathLike[str]) -> list[Row]:
    """Read what :func:`write_csv` wrote.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    list of Row

    Raises
    ------
    InputError
        If the file has other columns.

    Examples
    --------
    >>> rows = read_csv("benchmarks/results/small.csv")  # doctest: +SKIP
    """
    with Path(path).open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != Row._fields:
            raise InputError(
                f"{path} must have the columns {', '.join(Row._fields)}, "
                f"got {', '.join(reader.fieldnames or ())}"
            )
        return [
            Row(
                line["dataset"],
                line["method"],
                int(line["seed"]),
                line["setting"],
                line["metric"],
                float(line["value"]),
            )
            for line in reader
        ]
