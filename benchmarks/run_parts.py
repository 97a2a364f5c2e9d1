"""The parts of a long run: each is kept in a file, so that a run that was stopped goes on."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from provenance import run_folder

from p2pselect.atomic_write import write_json

Figures = dict[str, Any]


class RunParts:
    """What a program has measured so far, with this code and these options.

    Parameters
    ----------
    out : Path
        Folder of the runs of this program.
    **options
        Everything that figures depend on, except for what the names of the parts say.
    """

    def __init__(self, out: Path, **options: Any):
        self._folder = run_folder(out) / digest({k: str(v) for k, v in options.items()})

    def __call__(self, name: str, measure: Callable[..., Figures], *given: Any) -> Figures:
        """The figures of a part, which are measured unless they are known."""
        path = self._folder / f"{name}.json"
        if not path.is_file():
            print(name, flush=True)
            write_json(path, measure(*given))
        # Also of new ones, so that a run that went on differs in nothing.
        return json.loads(path.read_text(encoding="utf-8"))


def digest(options: Mapping[str, str]) -> str:
    """A short name for options."""
    return hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()[:8]
