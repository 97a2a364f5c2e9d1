"""Where features of images are kept: in a memory that all trainings share, and in a folder."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import torch
from torch import Tensor

from p2pselect._keyed_file import KeyedFile
from p2pselect.exceptions import P2PSelectWarning, brief_path

#: Bytes of features that a process holds in memory, and that a folder gets.
MEMORY, FOLDER = 2**29, 2**33
_KEY_BYTES = 16
_TRAININGS = count()


class FeatureMemory:
    """Values by key, up to a number of bytes.

    What earlier trainings have left makes room for what the present one needs; what the present
    one has used stays, because it will be used again in a later epoch.
    """

    def __init__(self, limit: int):
        self.limit = limit
        self.n_bytes = 0
        self._values: OrderedDict[bytes, tuple[int, bytes]] = OrderedDict()
        self.renew_lock()

    def renew_lock(self) -> None:
        """For a forked process: the thread that holds the lock is not there."""
        self._lock = threading.Lock()

    def get(self, keys: Sequence[bytes], training: int) -> dict[bytes, bytes]:
        """The values of those keys that have one."""
        found = {}
        with self._lock:
            for key in keys:
                if key in self._values:
                    found[key] = self._values.pop(key)[1]
                    self._values[key] = training, found[key]
        return found

    def put(self, values: Mapping[bytes, bytes], training: int) -> bool:
        """Keep values; False if there is no room for all of them."""
        with self._lock:
            for key, value in values.items():
                if key in self._values:
                    continue
                while self._values and self.n_bytes + len(value) > self.limit:
                    oldest = next(iter(self._values))
                    if self._values[oldest][0] >= training:
                        break
                    self.n_bytes -= len(self._values.pop(oldest)[1])
                if self.n_bytes + len(value) > self.limit:
                    return False
                self._values[key] = training, value
                self.n_bytes += len(value)
        return True


#: Of this process.
KEPT = FeatureMemory(MEMORY)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: KEPT.renew_lock())


class KeptFeatures:
    """Where one training looks for the features of its images, and puts them."""

    def __init__(self, folder: str | os.PathLike[str] | None = None):
        self._file = None if folder is None else KeyedFile(Path(folder) / "features.sqlite")
        self._training = next(_TRAININGS)
        self._images: Tensor | None = None
        self._pixels = torch.empty(0)
        self._digests: list[bytes] = []
        self._warned = False

    @contextmanager
    def of(self, images: Tensor, pixels: Tensor) -> Iterator[None]:
        """Inside, features of ``images`` (n, 3, h, w) are looked up by their ``pixels``."""
        self._images, self._pixels, self._digests = images, pixels, []
        try:
            yield
        finally:
            self._images = None

    def are_of(self, images: Tensor) -> bool:
        """Whether these are the very images of the present step."""
        return images is self._images

    def keys(self, network: bytes, images: Tensor) -> list[bytes]:
        """Keys of what a network says of images, those of the present step or others."""
        if not self.are_of(images):
            digests = _digests(images)
        else:
            digests = self._digests = self._digests or _digests(self._pixels)
        return [hashlib.sha256(network + digest).digest()[:_KEY_BYTES] for digest in digests]

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """What is kept under these keys."""
        found = KEPT.get(keys, self._training)
        if self._file is not None and len(found) < len(set(keys)):
            stored = self._file.get({*keys} - {*found})
            KEPT.put(stored, self._training)
            found |= stored
        return found

    def put(self, values: Mapping[bytes, bytes]) -> None:
        """Keep values, or say once why they are not kept."""
        fits = KEPT.put(values, self._training)
        if self._file is None:
            if not fits:
                self._warn(
                    f"they fill the {KEPT.limit / 2**20:.0f} MiB that are for them in memory; "
                    "training__cache_dir=FOLDER keeps the rest on disk, and fewer "
                    "training__n_views need less"
                )
            return
        if self._file.n_bytes() > FOLDER:
            name = brief_path(self._file.path)
            self._warn(f"{name} has reached {FOLDER / 2**30:.0f} GiB; it can be deleted")
            return
        try:
            self._file.put(values)
        except (OSError, sqlite3.Error) as error:
            folder = brief_path(self._file.path.parent)
            self._warn(f"training__cache_dir={folder} cannot be written: {error}")

    def _warn(self, why: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"some features of frozen networks are computed each time: {why}",
                P2PSelectWarning,
                stacklevel=2,
            )


def _digests(pixels: Tensor) -> list[bytes]:
    head = f"{tuple(pixels.shape[1:])}|{pixels.dtype}|".encode()
    return [hashlib.sha256(head + one.numpy().data).digest() for one in pixels.contiguous()]
