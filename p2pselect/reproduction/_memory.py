"""How much memory a piece of work took at most."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


class PeakMemory:
    """Largest resident memory of this process since the object was made.

    Only Linux can forget earlier peaks; elsewhere it is the largest since the process began.
    """

    def __init__(self) -> None:
        self._status: Path | None = Path("/proc/self/status")
        try:
            # Resets VmHWM (see "man proc_pid_clear_refs").
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            self._status = None

    def mib(self) -> float:
        """The peak, in MiB."""
        if self._status is not None:
            for line in self._status.read_text().splitlines():
                if line.startswith("VmHWM"):
                    return float(line.split()[1]) / 1024
        # In bytes on macOS, in KiB elsewhere.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (2**20 if sys.platform == "darwin" else 2**10)
