"""What people mark on the photographs of the page, kept where the app was told to."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Lock
from typing import Any

from p2pselect.atomic_write import check_writable_file
from p2pselect.datasets import Correction, read_corrections, write_corrections
from p2pselect.datasets._corrections import as_entry, parse_corrections
from p2pselect.exceptions import InputError


class Marks:
    """Corrections, image by image; in a file, unless ``path`` is None."""

    def __init__(self, path: Path | None):
        self._path, self._lock = path, Lock()
        self._all: list[Correction] = []
        if path is not None:
            check_writable_file(path, "corrections")
            self._all = read_corrections(path) if path.exists() else []

    def entries(self) -> list[dict[str, Any]]:
        """All of them, as they stand in a file."""
        return [as_entry(one) for one in self._all]

    def replace(self, content: bytes) -> int:
        """Take what a page says of one image: its name, and all that is marked on it."""
        found = parse_corrections(content, "the body")
        image = json.loads(content).get("image")
        if any(one.image != image for one in found):
            raise InputError("the body: expected corrections of its own image alone")
        with self._lock:
            # One after the other: two pages may be open.
            self._all = [one for one in self._all if one.image != image] + found
            if self._path is not None:
                write_corrections(self._path, self._all)
            return len(self._all)
