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
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mutants.fault import Fault, StaleFault
from mutants.runs import Run, run_tests
from mutants.table import FAULTS

ROOT = Path(__file__).resolve().parents[2]
#: A fault may make tests slower, but one that takes this many times longer than they do,
#: and these many seconds more, hangs.
SLOWER, PATIENCE = 5, 60


def copy_checkout(root: Path, copy: Path) -> Path:
    """What the tests of the table need, compiled code included, whose dates are kept."""
    for part in ("p2pselect", "tests"):
        shutil.copytree(root / part, copy / part)
    shutil.copy2(root / "pyproject.toml", copy)
    return copy


def try_fault(fault: Fault, clean: Path, limit: float) -> Run:
    """Run the tests of a fault on a copy that has it."""
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
    fresh = list(only_fresh(chosen))
    with (
        tempfile.TemporaryDirectory(prefix="p2pselect-clean-") as folder,
        ThreadPoolExecutor(options.j) as pool,
    ):
        clean = copy_checkout(ROOT, Path(folder))
        # Tests that fail anyway would notice everything.
        sets = list(dict.fromkeys(fault.tests for fault in fresh))
        passed = dict(
            zip(sets, pool.map(lambda tests: run_tests(clean, tests), sets), strict=True)
        )
        for tests, run in passed.items():
            if not run.passed:
                print(f"{' '.join(tests)} fails without a fault:\n{run.output[-3000:]}")
        if not all(run.passed for run in passed.values()):
            return 1
        print(f"{len(sets)} sets of tests pass without a fault", flush=True)
        killed = 0
        for fault, run in zip(
            fresh,
            pool.map(
                lambda f: try_fault(f, clean, SLOWER * passed[f.tests].seconds + PATIENCE),
                fresh,
            ),
            strict=True,
        ):
            killed += run.failed
            print(f"{run.verdict:9} {fault}\n          {run.reason}", flush=True)
    print(f"{killed} of {len(chosen)} faults killed ({killed / max(1, len(chosen)):.0%})")
    return int(killed < len(chosen))


if __name__ == "__main__":
    sys.exit(main())
