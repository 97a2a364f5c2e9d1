"""Bytes under keys in one file, shared by any number of threads and processes.

The file is SQLite's.  Every access opens a connection of its own, because none may be carried
over into a forked process.  What cannot be read, because it is damaged for example, counts as
not there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from zlib import crc32

_TABLE = "CREATE TABLE IF NOT EXISTS maps (key BLOB PRIMARY KEY, value BLOB, checksum INTEGER)"
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class KeyedFile:
    """A file that is made, with its folder, when the first value is stored."""

    def __init__(self, path: Path):
        self.path = path

    def get(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """The values of those keys that have one."""
        values = {}
        try:
            with closing(self._connect("ro")) as database:
                for key in keys:
                    found = database.execute(
                        "SELECT value, checksum FROM maps WHERE key = ?", (key,)
                    )
                    for value, checksum in found.fetchall():
                        if checksum == crc32(value, crc32(key)):
                            values[key] = value
        except (sqlite3.Error, TypeError):
            pass
        return values

    def put(self, values: Mapping[bytes, bytes]) -> None:
        """Store values; OSError or sqlite3.Error where that fails (a full disk)."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._insert(values)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", None) not in _DAMAGED:
                raise
            self.path.unlink(missing_ok=True)  # nothing is lost that cannot be made again
            self._insert(values)

    def count(self) -> int:
        """How many values there are."""
        try:
            with closing(self._connect("ro")) as database:
                ((n_values,),) = database.execute("SELECT COUNT(*) FROM maps").fetchall()
        except sqlite3.Error:
            return 0
        return int(n_values)

    def n_bytes(self) -> int:
        """Size of the file."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def _insert(self, values: Mapping[bytes, bytes]) -> None:
        rows = [(key, value, crc32(value, crc32(key))) for key, value in values.items()]
        with closing(self._connect("rwc")) as database, database:
            # A power failure may cost the file, which is only a cache: no waiting for the disk.
            database.execute("PRAGMA synchronous = OFF")
            database.execute(_TABLE)
            database.executemany("INSERT OR REPLACE INTO maps VALUES (?, ?, ?)", rows)

    def _connect(self, mode: str) -> sqlite3.Connection:
        path = self.path.absolute().as_uri()
        return sqlite3.connect(f"{path}?mode={mode}", uri=True, timeout=60)
