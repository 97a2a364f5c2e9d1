"""Figures of ``p2pselect demo``, with a note of which code made them.

Seeds whose figures this code has recorded already are not run again.

    OMP_NUM_THREADS=1 python benchmarks/demo.py --results benchmarks/results

About 7 minutes of CPU time a seed.
"""

import argparse
import json
import tempfile
from pathlib import Path

from provenance import about, commit

from p2pselect.atomic_write import write_json
from p2pselect.cli import main as p2pselect


def is_recorded(path: Path) -> bool:
    """Whether a file holds figures of this code, as committed."""
    if not path.is_file():
        return False
    now, then = commit(), json.loads(path.read_text(encoding="utf-8"))["about"]
    return not now["changed"] and all(then.get(name) == now[name] for name in now)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, required=True, help="for demo-seedN.json")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    for seed in options.seeds:
        path = options.results / f"demo-seed{seed}.json"
        if is_recorded(path):
            continue
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder, "figures.json")
            code = p2pselect(["demo", f"--seed={seed}", f"--out={folder}", f"--json={made}"])
            if code:
                raise SystemExit(code)
            figures = json.loads(made.read_text(encoding="utf-8"))
        write_json(path, {"about": about(), **figures})


if __name__ == "__main__":
    main()
