"""How much memory a piece of work took at most."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


class PeakMemory:
    """Largest resident memory of this process since the object was made.

    Where the system cannot forget earlier peaks (anything but Linux), since the process
    began.

    Examples
    --------
    >>> peak = PeakMemory()
    >>> peak.mib() > 1
    True
    """

    def __init__(self) -> None:
        self._status = Path("/proc/self/status")
        try:
            # Resets VmHWM (see "man proc_pid_clear_refs").
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            self._status = Path("/nonexistent")

    def mib(self) -> float:
        """The peak, in MiB."""
        try:
            lines = self._status.read_text().splitlines()
            line = next(line for line in lines if line.startswith("VmHWM"))
            return float(line.split()[1]) / 1024
        except (OSError, StopIteration):
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            return peak / (2**20 if sys.platform == "darwin" else 2**10)
