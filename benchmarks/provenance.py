"""Which code made a figure, with which packages, when, and on what machine."""

import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import p2pselect

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("p2pselect", "numpy", "numba", "scikit-image", "scikit-learn", "torch", "timm")
#: What a figure may depend on; results and documentation are not among it.
CODE = ("p2pselect", "benchmarks/*.py")


def about() -> dict[str, Any]:
    """What to record beside figures that this process has measured."""
    import torch

    return {
        **commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {"python": platform.python_version(), **versions(PACKAGES)},
        "threads": torch.get_num_threads(),
        "machine": processor(),
    }


def commit(root: Path = ROOT) -> dict[str, Any]:
    """The last commit that changed the package, and whether the code differs from it.

    Later commits, of the documentation say, do not change what is measured.  Without a
    repository, or with a package from elsewhere, the commit is not known: None.
    """
    elsewhere = Path(p2pselect.__file__).resolve().parents[1] != root
    made = None if elsewhere else _git(root, "log", "-1", "--format=%h", "--", CODE[0])
    if not made:
        return {"commit": None, "changed": True}
    return {"commit": made, "changed": bool(_git(root, "status", "--porcelain", "--", *CODE))}


def _git(root: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=True, text=True)
        return done.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def code_name(facts: dict[str, Any]) -> str:
    """A name for the code that a folder can have."""
    return (facts["commit"] or "unknown") + ("-changed" if facts["changed"] else "")


def run_folder(out: Path) -> Path:
    """The folder below ``out`` for this code: a run that goes on there mixes no two codes."""
    return out / code_name(commit())


def versions(names: Sequence[str]) -> dict[str, str]:
    """Versions of installed packages."""
    return {name: metadata.version(name) for name in names}


def processor() -> str:
    """The name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def in_words(facts: dict[str, Any]) -> str:
    """What :func:`about` has recorded, as a sentence."""
    if "commit" not in facts:
        return (
            f"Recorded on {facts['date']} in commit {facts['recorded_in']}; which code had "
            "measured it was not noted."
        )
    code = f"commit {facts['commit']}" if facts["commit"] else "unknown code"
    if facts["commit"] and facts["changed"]:
        code += " with changes that were not committed"
    names = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    threads = f"{facts['threads']} thread{'s' if facts['threads'] != 1 else ''}"
    return f"Measured on {facts['date']} with {code}: {names}; {threads}, {facts['machine']}."
