"""The paper's comparison at the small scale, with a note of which code made it.

Runs what ``p2pselect reproduce run --scale small`` runs.  An interrupted run continues; with
other code it starts over.  Scores are written once every trial has run.

    OMP_NUM_THREADS=1 python benchmarks/small.py --data data --equal-cpu \
        --datasets digit_scenes emoji_object --csv benchmarks/results/small.csv
    OMP_NUM_THREADS=1 python benchmarks/small.py --data data --weights weights \
        --datasets coffee_leaf --seeds 0 --csv benchmarks/results/small-photographs.csv

About 6 hours of CPU time for the scenes, and up to two hours for a seed of photographs.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from provenance import about, run_folder

from p2pselect.atomic_write import write_json
from p2pselect.reproduction import SUITES, run_suite, write_scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--weights", type=Path, help="pretrained ones; default: download them")
    parser.add_argument("--datasets", nargs="+", help="default: all")
    parser.add_argument("--seeds", nargs="+", type=int, help="default: all")
    parser.add_argument("--equal-cpu", action="store_true", help="also for P2P's CPU time")
    parser.add_argument("--out", type=Path, default=Path("small-run"), help="the run")
    parser.add_argument("--csv", type=Path, help="a .json of that name says what made it")
    parser.add_argument("--n-jobs", type=int, default=2)
    options = parser.parse_args()
    suite = replace(SUITES["small"], equal_cpu=options.equal_cpu)
    datasets = options.datasets or list(suite.plans)
    store = run_suite(
        suite,
        run_folder(options.out),
        root=options.data,
        weights=options.weights,
        datasets=datasets,
        seeds=options.seeds,
        n_jobs=options.n_jobs,
        log=lambda line: print(line, flush=True),
    )
    # The folder may hold trials of other sets, seeds and settings.
    asked = suite.trials(datasets, seeds=options.seeds)
    results = [result for result in store.results() if result.trial in asked]
    failed = [result.trial.key for result in results if result.failed]
    if failed:
        sys.exit(f"trials failed: {', '.join(failed)}: no scores are written")
    if options.csv:
        scores = [score for result in results for score in result.long_form()]
        write_scores(scores, options.csv)
        write_json(options.csv.with_suffix(".json"), {"about": about()})


if __name__ == "__main__":
    main()
