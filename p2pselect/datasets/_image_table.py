"""Tables of images: a CSV file with a row for each image."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from sklearn.utils import Bunch

from p2pselect.datasets._csv_rows import read_csv
from p2pselect.datasets._mask_files import MaskFiles
from p2pselect.datasets._masks import MaskSequence
from p2pselect.datasets._table_columns import COLUMNS, Header
from p2pselect.exceptions import (
    ImageReadError,
    InputError,
    P2PSelectWarning,
    UnknownNameError,
    brief,
    brief_path,
    did_you_mean,
)
from p2pselect.images import as_images
from p2pselect.images._geometry import Grid

_SPLITS = ("train", "validation", "test")
_SHORT_SPLITS = {"valid": "validation", "val": "validation"}


def load_image_table(
    table: str | os.PathLike[str],
    split: str | None = None,
    *,
    path_column: str = "auto",
    label_column: str | Sequence[str] | None = "auto",
    split_column: str | None = "auto",
    group_column: str | None = "auto",
    mask_column: str | None = "auto",
    size: int | tuple[int, int] | None = None,
    resize: Literal["pad", "crop", "stretch"] = "stretch",
    on_error: Literal["raise", "skip"] = "raise",
    **meaning: Any,
) -> Bunch:
    """List the images of a CSV file that has a row for each of them.

    The first line names the columns, cells are divided by commas, and the text is UTF-8.
    Space around cells does not count.  Paths are relative to the folder of the table.

    Parameters
    ----------
    table : str or path-like
        The CSV file.
    split : str, default None
        Which rows: those with this value in the column of splits, where ``valid`` and ``val``
        stand for ``validation``.  A table with such a column needs it.
    path_column : str, default "auto"
        Name of the column of image files.  ``"auto"`` finds ``path``, ``file``, ``filename``
        or ``image``, in upper or lower case, if the table has exactly one of them.
    label_column : str, sequence of str, or None, default "auto"
        Name of the column of classes; ``"auto"`` finds ``label`` or ``class``.  Several names,
        or one text of them divided by commas, are columns of 0 and 1, which say what labels an
        image has.  None is for images without labels.
    split_column : str or None, default "auto"
        Name of the column of splits; ``"auto"`` finds ``split``, if there is one.  None takes
        all rows.
    group_column : str or None, default "auto"
        Name of a column that says which images belong together, such as those of one patient;
        ``"auto"`` finds ``group``, if there is one.
    mask_column : str or None, default "auto"
        Name of a column of mask files, which say what :func:`load_mask_folder` reads; an empty
        cell is an image without an object.  ``"auto"`` finds ``mask``, if there is one.
    size : int or (int, int), default None
        Height and width to resize masks to.  None keeps their own.
    resize : {"stretch", "pad", "crop"}, default "stretch"
        How images of another aspect come to that size: masks go the same way.  The masks for a
        classifier ``clf`` are those with ``size=clf.image_size, resize=clf.resize``.
    on_error : {"raise", "skip"}, default "raise"
        ``"skip"`` lets missing images pass: the caller leaves them out, together with the
        damaged ones and their labels, by :meth:`p2pselect.images.ImageSequence.readable`.
    **meaning
        What :func:`p2pselect.images.as_images` is told about images that are no ordinary
        photographs, such as ``n_channels=5`` or ``value_range=(0, 4095)``.

    Returns
    -------
    Bunch
        In the order of the rows:

        ``images`` : ImageSequence of n files, which are opened when they are read;
        ``labels`` : str (n,), or None without a column of classes; of several columns, 0 and
        1, int (n, n_labels);
        ``label_names`` : the names of these columns, or None;
        ``groups`` : str (n,), or None;
        ``masks`` : MaskSequence of n masks, read when needed, or None where no row has one.

    Raises
    ------
    InputError
        If the table cannot be read, lacks a column, has several columns for one purpose or
        splits of which none is chosen, if a path is there twice, or if a cell of the chosen
        rows is empty or names a mask that does not exist.  The message names the line.
    ImageReadError
        If an image does not exist; the message names the line.
    UnknownNameError
        If there is no such split or column.

    Warns
    -----
    P2PSelectWarning
        If a group has images in several splits.

    Examples
    --------
    >>> train = load_image_table("leaves/labels.csv", "train")  # doctest: +SKIP
    >>> clf.fit(train.images, train.labels, groups=train.groups)  # doctest: +SKIP
    """
    columns = {
        "path": path_column,
        "label": label_column,
        "split": split_column,
        "group": group_column,
        "mask": mask_column,
    }
    found = ImageTable(table, columns)
    if label_column is not None:
        found.require("label")
    return found.load(split, size=size, resize=resize, on_error=on_error, **meaning)


class ImageTable:
    """The rows of a CSV file, and which of its columns hold what.

    ``columns`` has a name, ``"auto"`` or None for keys of :data:`COLUMNS`, and may have several
    names for labels; the others are ``"auto"``.  ``splits`` counts the rows by split, and is
    empty without a column of splits.  ``label_names`` are those of several columns of labels.
    """

    def __init__(self, file: str | os.PathLike[str], columns: Mapping[str, Any]):
        self.file = os.fspath(file)
        names, rows, self._lines = read_csv(self.file)
        self._header = Header(self.file, names)
        self._cells: dict[str, list[str]] = {}
        self.label_names = self._header.several(columns.get("label", "auto"))
        for kind in COLUMNS:
            if kind == "label" and self.label_names is not None:
                places = [self._header.find(kind, name) for name in self.label_names]
                self._bits = [[row[p] for p in places if p is not None] for row in rows]
                self._cells[kind] = [" ".join(own) if all(own) else "" for own in self._bits]
                continue
            place = self._header.find(kind, columns.get(kind, "auto"))
            if place is not None:
                self._cells[kind] = [row[place] for row in rows]
        self.require("path")
        if not rows:
            raise InputError(f"{self.file} has no rows below its first line")
        everywhere = range(len(rows))
        self._refuse_empty("path", everywhere)
        self._check_paths()
        self._split_of: list[str] = []
        if "split" in self._cells:
            self._refuse_empty("split", everywhere)
            self._split_of = [_plain_split(value) for value in self._cells["split"]]
            if "group" in self._cells:
                self._check_groups()
        self.splits = Counter(self._split_of)

    def has(self, names: Iterable[str]) -> bool:
        """Whether all of these are names of columns."""
        return set(names) <= set(self._header.names)

    def require(self, kind: str) -> None:
        """Raise an InputError if no column holds this."""
        if kind not in self._cells:
            raise self._header.lacks(kind)

    def load(
        self,
        split: str | None,
        *,
        with_labels: bool = True,
        size: int | tuple[int, int] | None = None,
        resize: str = "stretch",
        on_error: Any = "raise",
        **meaning: Any,
    ) -> Bunch:
        """What :func:`load_image_table` returns; without ``with_labels``, they may be lacking.

        Labels are then those of the table if it has one for each of the rows, and otherwise
        None.
        """
        rows = self._rows(split)
        files = [self._place("path", row) for row in rows]
        if on_error == "raise":
            self._refuse_missing("image", rows, files, ImageReadError)
        images = as_images(files, on_error=on_error, **meaning)
        labels = self._column("label", rows)
        if labels is not None and not with_labels and not all(labels):
            labels = None
        elif labels is not None:
            self._refuse_empty("label", rows)
            labels = labels if self.label_names is None else self._indicator(rows)
        self._refuse_empty("group", rows)
        return Bunch(
            images=images,
            labels=labels,
            label_names=self.label_names,
            groups=self._column("group", rows),
            masks=self._masks(rows, images, None if size is None else Grid.of(size, resize)),
        )

    def _indicator(self, rows: list[int]) -> np.ndarray:
        """The columns of labels of these rows, 0 and 1."""
        odd = [row for row in rows if set(self._bits[row]) - {"0", "1"}]
        self._refuse(odd, lambda row: f"labels must be 0 or 1, got {brief(self._bits[row])}")
        return np.array([self._bits[row] for row in rows], dtype=np.int64)

    def _rows(self, split: str | None) -> list[int]:
        if split is None and self.splits:
            raise InputError(
                f"{self.file} has several splits, {self._counted()}: say which (split=), or "
                "split_column=None for all rows"
            )
        if split is None:
            return list(range(len(self._lines)))
        self.require("split")
        wanted = _plain_split(split)
        rows = [row for row, own in enumerate(self._split_of) if own == wanted]
        if not rows:
            raise UnknownNameError(
                f"{self.file}: no row has the split {brief(wanted)}, only {self._counted()}"
                f"{did_you_mean(wanted, self.splits)}"
            )
        return rows

    def _counted(self) -> str:
        first = self.splits.most_common(8)
        return ", ".join(f"{brief(split)} ({n} rows)" for split, n in first)

    def _column(self, kind: str, rows: list[int]) -> np.ndarray | None:
        cells = self._cells.get(kind)
        return None if cells is None else np.array([cells[row] for row in rows])

    def _place(self, kind: str, row: int) -> str:
        """The path of a file that a cell names."""
        return os.path.join(os.path.dirname(self.file), self._cells[kind][row])  # noqa: PTH118, PTH120

    def _masks(self, rows: list[int], images: Any, grid: Grid | None) -> MaskSequence | None:
        cells = self._cells.get("mask")
        if cells is None or not any(cells[row] for row in rows):
            return None
        files = [self._place("mask", row) if cells[row] else None for row in rows]
        self._refuse_missing("mask", rows, files, InputError)
        return MaskSequence(range(len(rows)), MaskFiles(files, images, grid))

    def _check_paths(self) -> None:
        lines: dict[str, int] = {}
        twice = [
            row
            for row, line in enumerate(self._lines)
            if lines.setdefault(os.path.normpath(self._place("path", row)), line) != line
        ]
        self._refuse(
            twice,
            lambda row: (
                f"the image {brief_path(self._cells['path'][row])} is in line "
                f"{lines[os.path.normpath(self._place('path', row))]} already"
            ),
        )

    def _check_groups(self) -> None:
        own: dict[str, tuple[str, int]] = {}
        rows = zip(self._cells["group"], self._split_of, self._lines, strict=True)
        for group, split, line in rows:
            first, where = own.setdefault(group, (split, line))
            if group and first != split:
                warnings.warn(
                    f"{self.file}: the group {brief(group)} has images in several splits, "
                    f"{brief(first)} (line {where}) and {brief(split)} (line {line})",
                    P2PSelectWarning,
                    stacklevel=4,
                )
                return

    def _refuse_empty(self, kind: str, rows: Iterable[int]) -> None:
        cells = self._cells.get(kind)
        if cells is not None:
            self._refuse([row for row in rows if not cells[row]], lambda _: f"no {kind}")

    def _refuse_missing(
        self, what: str, rows: list[int], files: list[Any], error: type[Exception]
    ) -> None:
        lost = {
            row: file
            for row, file in zip(rows, files, strict=True)
            if file is not None and not os.path.isfile(file)  # noqa: PTH113 (NUL is no error)
        }
        self._refuse(
            list(lost), lambda row: f"there is no {what} {brief_path(lost[row])}", error
        )

    def _refuse(
        self,
        rows: list[int],
        fault: Callable[[int], str],
        error: type[Exception] = InputError,
    ) -> None:
        """Raise an error about the first of these rows, which says how many there are."""
        if rows:
            others = f"; this is so for {len(rows)} rows" if len(rows) > 1 else ""
            raise error(f"{self.file}, line {self._lines[rows[0]]}: {fault(rows[0])}{others}")


def _plain_split(value: str) -> str:
    """The usual splits in one spelling; others as they are."""
    short = _SHORT_SPLITS.get(value.casefold(), value.casefold())
    return short if short in _SPLITS else value
