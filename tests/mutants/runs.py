"""Runs of tests against a copy of the package, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: Imported once, by the process that all runs are forked from: most of the time of a run
#: would go into these.  The package under test is not among them.
PRELOADED = (
    "pytest hypothesis numpy scipy.stats scipy.ndimage sklearn.model_selection sklearn.metrics "
    "skimage.segmentation skimage.color torch torchvision timm skorch numba safetensors.torch "
    "PIL.Image matplotlib.figure"
).split()
PYTEST = "-x -q --no-header -p no:cacheprovider -p mutants.witness --hypothesis-seed=0".split()


@dataclass(frozen=True)
class Run:
    """How tests ended.

    Attributes
    ----------
    code : int or None
        pytest's exit code; None if it took too long and was stopped.
    output : str
    seconds : float
    """

    code: int | None
    output: str
    seconds: float

    @property
    def passed(self) -> bool:
        return self.code == 0

    @property
    def failed(self) -> bool:
        """Whether a test failed; pytest has other codes where none could be run."""
        return self.code in (1, None)

    @property
    def verdict(self) -> str:
        return "SURVIVED" if self.passed else "killed" if self.failed else "NOT RUN"

    @property
    def reason(self) -> str:
        if self.code is None:
            return f"stopped after {self.seconds:.0f} s"
        found = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", self.output, re.MULTILINE)
        if self.failed and found:
            return f"by {found[1]}"
        if self.passed:
            return ""
        why = f"fails without a fault, or cannot be run (code {self.code})"
        return f"{why}: {self.output[-1500:].strip()}"


def run_tests(copy: Path, tests: Sequence[str], limit: float | None = None) -> Run:
    """Run the fast ones of these tests in ``copy``, a copy of a checkout."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.NamedTemporaryFile("r", encoding="utf-8", errors="replace") as output:
        arguments = [*PYTEST, "-m", "not slow", *tests]
        start = time.monotonic()
        process = context.Process(target=_pytest, args=(str(copy), arguments, output.name))
        process.start()
        process.join(limit)
        code, seconds = process.exitcode, time.monotonic() - start
        assert process.pid is not None
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # and what the tests have started
        process.join()
        return Run(code, output.read(), seconds)


def _pytest(copy: str, arguments: list[str], output: str) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # off in jobs in the background
    sys.dont_write_bytecode = False  # whatever is compiled without a fault is compiled once
    with open(output, "w") as file:  # noqa: PTH123
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.chdir(copy)
    paths = [copy, f"{copy}/tests"]
    checkout = Path(__file__).resolve().parents[2]
    # Not all that lies in the checkout: its virtual environments may be there too.
    own = {checkout, checkout / "tests"}
    sys.path[:] = [*paths, *(path for path in sys.path if Path(path).resolve() not in own)]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    os.environ["P2PSELECT_MUTANT"] = copy
    import pytest

    code = int(pytest.main(arguments))
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit, which waits for the idle workers that joblib keeps: minutes.
    os._exit(code)
