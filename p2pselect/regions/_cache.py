"""Label maps kept on disk, so that a repeated image is not divided twice."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import struct
import threading
import warnings
import zlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from p2pselect._keyed_file import KeyedFile
from p2pselect.exceptions import P2PSelectWarning, brief_path

_KEY_BYTES = 16
_HEADER = struct.Struct("<II2s")  # height, width, type of the labels


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
        self._stored = KeyedFile(self.file)
        self._hits = self._misses = 0
        self._counting = threading.Lock()
        self._warned = False

    def get(self, key: bytes) -> np.ndarray | None:
        """The labels stored under a key, int32 (h, w), or None."""
        packed = self._stored.get([key]).get(key)
        labels = None if packed is None else _unpack(packed)
        with self._counting:
            self._hits += labels is not None
            self._misses += labels is None
        return labels

    def put(self, key: bytes, labels: np.ndarray) -> None:
        """Store labels; where that fails (a full or read-only disk), warn once and go on."""
        try:
            self._stored.put({key: _pack(labels)})
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
        n_maps = self._stored.count()
        return CacheInfo(
            self._hits, self._misses, n_maps, self._stored.n_bytes() if n_maps else 0
        )


def _pack(labels: np.ndarray) -> bytes:
    small = labels.astype(np.min_scalar_type(int(labels.max())))
    head = _HEADER.pack(*labels.shape, small.dtype.str[1:].encode())
    return zlib.compress(head + small.astype(small.dtype.newbyteorder("<")).tobytes(), 1)


def _unpack(packed: bytes) -> np.ndarray:
    content = zlib.decompress(packed)
    h, w, kind = _HEADER.unpack_from(content)
    flat = np.frombuffer(content, "<" + kind.decode(), offset=_HEADER.size)
    return flat.reshape(h, w).astype(np.int32)


@cache
def open_cache(folder: str) -> LabelCache:
    """The cache of a folder: one per process, so that hits add up."""
    return LabelCache(folder)
