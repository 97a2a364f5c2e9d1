"""The cells of a CSV file, or one sentence about what is wrong with it."""

from __future__ import annotations

import csv

from p2pselect.exceptions import InputError


def read_csv(file: str) -> tuple[list[str], list[list[str]], list[int]]:
    """The names of the columns, the cells of every row, and the line that it ends in.

    The file is UTF-8, and cells are divided by commas.  Space around them is removed.  Rows
    without any text, which spreadsheets leave at the end, are none.

    Raises
    ------
    InputError
        If the file is missing, is not such a table.
    """
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        # -sig: tables from Windows often begin with a byte order mark.
        with open(file, newline="", encoding="utf-8-sig") as opened:  # noqa: PTH123
            reader = csv.reader(opened, strict=True)
            header = [name.strip() for name in next(reader, [])]
            for cells in reader:
                row = [cell.strip() for cell in cells]
                if not any(row):
                    continue
                if len(row) != len(header):
                    raise InputError(
                        f"{file}, line {reader.line_num}: expected {len(header)} cells, as in "
                        f"the first line, got {len(row)}"
                    )
                rows.append(row)
                lines.append(reader.line_num)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not text in UTF-8: {error.reason}") from error
    except csv.Error as error:
        raise InputError(f"{file}, line {reader.line_num}: {error}") from error
    return header, rows, lines
