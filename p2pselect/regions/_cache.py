"""Label maps kept on disk, so that a repeated image is not divided twice.

One SQLite file in a folder, shared by any number of threads and processes.  Every access opens
a connection of its own, because none may be carried over into a forked process.  What cannot be
read, because it is damaged for example, counts as not there.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import struct
import threading
import warnings
import zlib
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from p2pselect.exceptions import P2PSelectWarning, brief_path

_KEY_BYTES = 16
_HEADER = struct.Struct(f"<{_KEY_BYTES}sII2s")  # key, height, width, type of the labels
_TABLE = "CREATE TABLE IF NOT EXISTS maps (key BLOB PRIMARY KEY, labels BLOB)"
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class CacheInfo(NamedTuple):
    """How often a cache has helped, in this process, and what it holds."""

    hits: int
    misses: int
    n_maps: int
    n_bytes: int


def cache_key(image: np.ndarray, maker: str) -> bytes:
    """Key of the labels that ``maker``, a text with all that matters, makes of an image."""
    digest = hashlib.sha256(f"{maker}|{image.shape}|{image.dtype.str}|".encode())
    digest.update(image.data)
    return digest.digest()[:_KEY_BYTES]


class LabelCache:
    """Label maps by key, in a folder that is made when the first map is stored."""

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(folder)
        self.file = self.folder / "labels.sqlite"
        self._hits = self._misses = 0
        self._counting = threading.Lock()
        self._warned = False

    def get(self, key: bytes) -> np.ndarray | None:
        """The labels stored under a key, int32 (h, w), or None."""
        labels = None
        try:
            with closing(self._connect("ro")) as database:
                found = database.execute("SELECT labels FROM maps WHERE key = ?", (key,))
                for (packed,) in found.fetchall():
                    labels = _unpack(key, packed)
        except (sqlite3.Error, zlib.error, ValueError, TypeError):
            labels = None
        with self._counting:
            self._hits += labels is not None
            self._misses += labels is None
        return labels

    def put(self, key: bytes, labels: np.ndarray) -> None:
        """Store labels; where that fails (a full or read-only disk), warn once and go on."""
        packed = _pack(key, labels)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                self._insert(key, packed)
            except sqlite3.DatabaseError as error:
                if getattr(error, "sqlite_errorcode", None) not in _DAMAGED:
                    raise
                self.file.unlink(missing_ok=True)  # nothing is lost that cannot be made again
                self._insert(key, packed)
        except (OSError, sqlite3.Error) as error:
            if not self._warned:
                self._warned = True
                warnings.warn(
                    f"label maps cannot be stored in cache_dir={brief_path(self.folder)}, "
                    f"so regions are computed each time: {error}",
                    P2PSelectWarning,
                    stacklevel=2,
                )

    def info(self) -> CacheInfo:
        """Hits and misses so far, and what the folder holds."""
        n_maps = n_bytes = 0
        try:
            with closing(self._connect("ro")) as database:
                ((n_maps,),) = database.execute("SELECT COUNT(*) FROM maps").fetchall()
            n_bytes = self.file.stat().st_size
        except (OSError, sqlite3.Error):
            pass
        return CacheInfo(self._hits, self._misses, n_maps, n_bytes)

    def _insert(self, key: bytes, packed: bytes) -> None:
        with closing(self._connect("rwc")) as database, database:
            # A power failure may cost the file, which is only a cache: no waiting for the disk.
            database.execute("PRAGMA synchronous = OFF")
            database.execute(_TABLE)
            database.execute("INSERT OR REPLACE INTO maps VALUES (?, ?)", (key, packed))

    def _connect(self, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self.file.absolute().as_uri()}?mode={mode}", uri=True, timeout=60
        )


def _pack(key: bytes, labels: np.ndarray) -> bytes:
    """Labels with their key, compressed, which adds a checksum."""
    small = labels.astype(np.min_scalar_type(int(labels.max())))
    head = _HEADER.pack(key, *labels.shape, small.dtype.str[1:].encode())
    return zlib.compress(head + small.astype(small.dtype.newbyteorder("<")).tobytes(), 1)


def _unpack(key: bytes, packed: bytes) -> np.ndarray | None:
    content = zlib.decompress(packed)
    stored_key, h, w, kind = _HEADER.unpack_from(content)
    if stored_key != key:
        return None
    flat = np.frombuffer(content, "<" + kind.decode(), offset=_HEADER.size)
    return flat.reshape(h, w).astype(np.int32)


@cache
def open_cache(folder: str) -> LabelCache:
    """The cache of a folder: one per process, so that hits add up."""
    return LabelCache(folder)
