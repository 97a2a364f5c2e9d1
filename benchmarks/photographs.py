"""P2P's default on real photographs, beside what people would use instead.

For every set and seed: P2P as ``p2pselect fit`` trains it by default; logistic regression on
the frozen classifier's features ("probe"); and the same classifier trained on whole images,
with the epochs and settings of P2P ("blackbox").  All see the same grid.  Sets are folders of
--data; see photograph_sets.py for their layout.  Differences to a rival have 95 % bootstrap
intervals over images.

Each cell (set, method, seed) has a file in --out, and the same command goes on where it was
stopped; with other settings a cell is run again.  Several processes may share --out: give each
its own --seeds.  Figures are written to --json only from a complete run on the test images.

    OMP_NUM_THREADS=1 python benchmarks/photographs.py --data data --weights weights \\
        --json benchmarks/results/photographs.json

About 15 minutes of CPU time a set and seed.
"""

import json
import sys
from pathlib import Path
from typing import Any

import photograph_methods
from measuring import photograph_parser
from photograph_methods import METHODS
from photograph_sets import train_and_measured
from photograph_tables import about_methods, as_markdown, figures_of, objections
from provenance import about
from run_parts import digest

from p2pselect.atomic_write import write_json

SETS = ("grocery20", "coffee_leaf", "emoji_scenes")


def run_cell(cell: dict[str, Any], data: Path, weights: Path | None, out: Path) -> Path:
    """Run a cell unless it has been run with the same settings; returns its file."""
    train, measured = train_and_measured(data / cell["set"], cell["split"], cell["seed"])
    method = METHODS[cell["method"]]
    settings = method.take(photograph_methods.default_settings(train, weights))
    told = described(settings)
    name = "-".join([*map(str, cell.values()), digest(told)])
    path = out / f"{name}.json"
    if path.is_file():
        return path
    print(name, flush=True)
    outcome = method.run(train, measured, cell["seed"], settings)
    record = {
        "cell": cell,
        "about": about(),
        "is_pretrained": photograph_methods.is_pretrained(settings),
        "settings": told,
        "images": {part: own.names for part, own in measured.items()},
        **vars(outcome),
    }
    write_json(path, record, indent=None)
    return path


def described(settings: dict[str, Any]) -> dict[str, str]:
    """Settings as texts, without the folders of this machine."""
    where = settings["pretrained"]
    by_role = where if isinstance(where, dict) else {"all": where}
    names = {
        role: one if isinstance(one, bool) else Path(one).name for role, one in by_role.items()
    }
    return {name: repr(value) for name, value in settings.items()} | {"pretrained": repr(names)}


def main() -> None:
    options_parser = photograph_parser(__doc__, "holds the sets")
    options_parser.add_argument("--sets", nargs="+", default=SETS)
    options_parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options_parser.add_argument("--methods", nargs="+", choices=METHODS, default=[*METHODS])
    options_parser.add_argument(
        "--split",
        choices=("test", "validation"),
        default="test",
        help="validation holds out a fifth of the training images, for tuning",
    )
    options_parser.add_argument(
        "--out", type=Path, default=Path("photographs-run"), help="the run"
    )
    options = options_parser.parse_args()
    cells = [
        {"set": name, "split": options.split, "method": method, "seed": seed}
        for seed in options.seeds
        for name in options.sets
        for method in options.methods
    ]
    files = [run_cell(cell, options.data, options.weights, options.out) for cell in cells]
    records = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    figures = figures_of(records)
    print(as_markdown(figures))
    if options.json:
        expected = {"set": SETS, "method": [*METHODS], "seed": options.seeds}
        if against := objections(records, expected):
            sys.exit(
                f"these figures may not be quoted, nothing is written: {'; '.join(against)}"
            )
        write_json(options.json, {"about": about_methods(records), **figures})


if __name__ == "__main__":
    main()
