"""Values that change during a phase of training: functions of its progress in [0, 1]."""

from __future__ import annotations


def sparsity_ramp(progress: float) -> float:
    """Factor on the sparsity weight: .01 up to a tenth, linear to 1 at half, then 1.

    As in the released code; the paper says only "anneals" (section 4).
    """
    if progress < 0.1:
        return 0.01
    return min(1.0, 0.01 + 0.99 * (progress - 0.1) / 0.4)


def geometric(start: float, end: float, progress: float, until: float = 0.5) -> float:
    """Value that falls geometrically from ``start`` to ``end`` by ``until``, then stays."""
    return start * (end / start) ** min(1.0, progress / until)
