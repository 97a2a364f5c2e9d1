"""Plant every fault of the table in a copy of the package: the fast tests must notice it.

cd tests && python -m mutants                      all of them, on all cores
cd tests && python -m mutants thresholding -j 1    those whose file or text has this word

The checkout is never changed.  Exit code 1 if a fault survives or its old text is gone.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from mutants.fault import Fault, StaleFault
from mutants.runs import Run, run_tests
from mutants.table import FAULTS

ROOT = Path(__file__).resolve().parents[2]
#: A fault may make tests slower, but one that takes this many times longer than they do,
#: and these many seconds more, hangs.
SLOWER, PATIENCE = 5, 60
FAILING_ANYWAY = -1
#: Imports nearly all of the package and compiles its kernels: done once, then copied.
COMPILING = ("tests/estimators/test_p2p.py::test_one_image",)


def copy_checkout(root: Path, copy: Path) -> Path:
    """What the tests of the table need, compiled code included, whose dates are kept."""
    for part in ("p2pselect", "tests"):
        shutil.copytree(root / part, copy / part)
    shutil.copy2(root / "pyproject.toml", copy)
    return copy


def try_faults(faults: Sequence[Fault], clean: Path) -> list[tuple[Fault, Run]]:
    """Run the tests that these faults share, on copies that have one of them each."""
    tests = faults[0].tests
    with tempfile.TemporaryDirectory(prefix="p2pselect-clean-") as folder:
        # A copy of its own: running tests stores compiled code.
        clean = copy_checkout(clean, Path(folder))
        without = run_tests(clean, tests)
        if not without.passed:  # such tests would notice everything
            failing = replace(without, code=FAILING_ANYWAY)
            return [(fault, failing) for fault in faults]
        limit = SLOWER * without.seconds + PATIENCE
        return [(fault, try_fault(fault, clean, limit)) for fault in faults]


def try_fault(fault: Fault, clean: Path, limit: float) -> Run:
    """Run the tests of one fault on a copy that has it."""
    with tempfile.TemporaryDirectory(prefix="p2pselect-mutant-") as folder:
        copy = copy_checkout(clean, Path(folder))
        fault.plant(copy)
        return run_tests(copy, fault.tests, limit)


def only_fresh(faults: Iterable[Fault]) -> Iterator[Fault]:
    """Faults that can be planted; the others are told."""
    for fault in faults:
        try:
            fault.changed(ROOT)
        except StaleFault as error:
            print(f"STALE     {error}", flush=True)
        else:
            yield fault


def main() -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("words", nargs="*", help="only faults that have one of these words")
    parser.add_argument("-j", type=int, default=os.cpu_count(), help="processes")
    options = parser.parse_args()
    chosen = [
        fault
        for fault in FAULTS
        if not options.words or any(word in str(fault) for word in options.words)
    ]
    if not chosen:
        parser.error(f"no fault has one of the words {', '.join(options.words)}")
    groups: dict[tuple[str, ...], list[Fault]] = {}
    for fault in only_fresh(chosen):
        groups.setdefault(fault.tests, []).append(fault)
    killed = 0
    with (
        tempfile.TemporaryDirectory(prefix="p2pselect-clean-") as folder,
        ThreadPoolExecutor(options.j) as pool,
    ):
        clean = copy_checkout(ROOT, Path(folder))
        run_tests(clean, COMPILING)
        for runs in pool.map(lambda faults: try_faults(faults, clean), groups.values()):
            for fault, run in runs:
                killed += run.failed
                print(f"{run.verdict:9} {fault}\n          {run.reason}", flush=True)
    print(f"{killed} of {len(chosen)} faults killed ({killed / len(chosen):.0%})")
    return int(killed < len(chosen))


if __name__ == "__main__":
    sys.exit(main())
