"""The programs below ``benchmarks`` are imported by their names, as they import each other."""

import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
# At the end: no program may hide a package of the same name.
sys.path.append(str(BENCHMARKS))
