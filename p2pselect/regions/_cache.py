"""Label maps kept on disk, so that a repeated image is not divided twice.

Two files that only ever grow: ``labels.bin`` holds the compressed maps one after the other,
``index.bin`` a record per map of where it lies.  Both are written by single appends, the map
first, so processes need no lock, and one that dies leaves at worst bytes that no record points
to.  Records and maps carry checksums and the map its key: what does not fit is not there.
"""

import hashlib
import os
import struct
import threading
import warnings
import zlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from p2pselect.exceptions import P2PSelectWarning, brief_path

_KEY_BYTES = 16
_RECORD = struct.Struct(f"<{_KEY_BYTES}sQII")  # key, offset, length and checksum of the map
_CHECKSUM = struct.Struct("<I")
_HEADER = struct.Struct(f"<{_KEY_BYTES}sII2s")  # key, height, width, type of the labels


class CacheInfo(NamedTuple):
    """How often a cache has helped, in this process."""

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
    """Label maps in a folder, by key; for any number of threads and processes.

    Parameters
    ----------
    folder : path-like
        Made when the first map is stored.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     stored = LabelCache(folder)
    ...     stored.put(b"sixteen bytes ok", np.zeros((2, 3), np.int32))
    ...     LabelCache(folder).get(b"sixteen bytes ok").shape
    (2, 3)
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(folder)
        self._maps, self._index = self.folder / "labels.bin", self.folder / "index.bin"
        self._places: dict[bytes, tuple[int, int, int]] = {}
        self._n_read = 0
        self._hits = self._misses = 0
        self._counting = threading.Lock()
        self._warned = False

    def get(self, key: bytes) -> np.ndarray | None:
        """The labels stored under a key, int32 (h, w), or None."""
        if key not in self._places:
            self._read_index()
        labels = self._read_map(key) if key in self._places else None
        if labels is None and key in self._places:
            # Damaged, or of files that are there no more: forget all, to look anew next time.
            self._places, self._n_read = {}, 0
        with self._counting:
            self._hits += labels is not None
            self._misses += labels is None
        return labels

    def put(self, key: bytes, labels: np.ndarray) -> None:
        """Store labels; where that fails (a full or read-only disk), warn once and go on."""
        small = labels.astype(np.min_scalar_type(int(labels.max())))
        head = _HEADER.pack(key, *labels.shape, small.dtype.str[1:].encode())
        body = head + zlib.compress(small.astype(small.dtype.newbyteorder("<")).tobytes(), 1)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            offset = _append(self._maps, body)
            record = _RECORD.pack(key, offset, len(body), zlib.crc32(body))
            _append(self._index, record + _CHECKSUM.pack(zlib.crc32(record)))
        except OSError as error:
            if not self._warned:
                self._warned = True
                warnings.warn(
                    f"label maps cannot be stored in cache_dir={brief_path(self.folder)}, "
                    f"regions are computed anew each time: {error}",
                    P2PSelectWarning,
                    stacklevel=2,
                )

    def info(self) -> CacheInfo:
        """Hits and misses so far, and what the folder holds."""
        self._read_index()
        n_bytes = sum(f.stat().st_size for f in (self._maps, self._index) if f.exists())
        return CacheInfo(self._hits, self._misses, len(self._places), n_bytes)

    def _read_index(self) -> None:
        """Take in the records that were added since the last look."""
        try:
            size = self._index.stat().st_size
            if size < self._n_read:  # somebody emptied the folder
                self._places, self._n_read = {}, 0
            if size == self._n_read:
                return
            with self._index.open("rb") as file:
                start = file.seek(self._n_read)
                data = file.read()
        except OSError:
            return
        length, position = _RECORD.size + _CHECKSUM.size, 0
        while position + length <= len(data):
            record = data[position : position + _RECORD.size]
            (checksum,) = _CHECKSUM.unpack_from(data, position + _RECORD.size)
            if zlib.crc32(record) == checksum:
                key, *place = _RECORD.unpack(record)
                self._places[key] = (place[0], place[1], place[2])
                position += length
            else:
                position += 1  # a torn record: look for where the next begins
        self._n_read = start + position

    def _read_map(self, key: bytes) -> np.ndarray | None:
        offset, length, checksum = self._places[key]
        try:
            with self._maps.open("rb") as file:
                file.seek(offset)
                body = file.read(length)
        except OSError:
            return None
        if zlib.crc32(body) != checksum or len(body) != length:
            return None
        stored_key, h, w, kind = _HEADER.unpack_from(body)
        if stored_key != key:
            return None
        flat = np.frombuffer(zlib.decompress(body[_HEADER.size :]), "<" + kind.decode())
        return flat.reshape(h, w).astype(np.int32)


@cache
def open_cache(folder: str) -> LabelCache:
    """The cache of a folder: one per process, so that hits add up."""
    return LabelCache(folder)


def _append(path: Path, data: bytes) -> int:
    """Add bytes to the end of a file by one write; returns where they begin."""
    with path.open("ab", buffering=0) as file:
        if file.write(data) != len(data):
            raise OSError(f"{path}: the disk is full")
        return file.tell() - len(data)
