"""Run the paper's evaluation, and write its tables and figures.

examples:
  p2pselect reproduce run --scale small --data data --out results --n-jobs 2
  p2pselect reproduce run --out results --methods p2p comet --seeds 0
  p2pselect reproduce report results --csv small.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path

from p2pselect._optional import need
from p2pselect.cli._arguments import MAX_SEED, check_outputs, whole
from p2pselect.exceptions import P2PSelectError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``p2pselect reproduce``."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    run = commands.add_parser("run", help="train and measure; continues an interrupted run")
    run.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run")
    run.add_argument(
        "--scale",
        choices=("small", "paper"),
        default="small",
        help="small networks on two cores, or those of the paper (default: small)",
    )
    run.add_argument(
        "--data", type=Path, metavar="ROOT", help="folder that contains the data sets"
    )
    run.add_argument(
        "--weights",
        type=Path,
        metavar="DIR",
        help="folder of pretrained weights, as p2pselect fit takes it (default: download them)",
    )
    run.add_argument(
        "--datasets", nargs="+", metavar="NAME", help="default: all of the scale that exist"
    )
    run.add_argument(
        "--methods", nargs="+", metavar="METHOD[:SETTING]", help="default: all of the scale"
    )
    run.add_argument(
        "--seeds",
        nargs="+",
        type=whole(0, MAX_SEED),
        metavar="N",
        help="default: those of the scale",
    )
    run.add_argument(
        "--n-jobs", type=whole(1), default=1, metavar="N", help="trials at a time (default: 1)"
    )
    run.add_argument(
        "--devices",
        nargs="+",
        default=["auto"],
        metavar="DEVICE",
        help="assigned to the trials in turn",
    )
    run.add_argument(
        "--audit-epochs",
        type=whole(1),
        metavar="N",
        help="also audit every method, with judges of at most N epochs (default: no audits)",
    )
    run.add_argument(
        "--equal-cpu",
        action="store_true",
        help="also train every method for as many epochs as take the CPU time of P2P",
    )
    run.add_argument(
        "--retry-failed", action="store_true", help="run trials again that failed before"
    )
    report = commands.add_parser("report", help="write a page with tables and figures")
    report.add_argument("folder", type=Path, metavar="RUN", help="folder of the run")
    report.add_argument("--out", type=Path, metavar="DIR", help="default: RUN/report")
    for command in (run, report):
        command.add_argument(
            "--csv", type=Path, metavar="FILE", help="also write all scores in long form"
        )


def run(options: argparse.Namespace) -> None:
    """Do what ``p2pselect reproduce`` says."""
    check_outputs(options, files=["--csv"], folders=["--out"])
    from dataclasses import replace

    from p2pselect import reproduction

    if options.action == "report":
        need("matplotlib", "the figures of the report", "p2pselect[plots]")
        store = reproduction.RunStore(options.folder)
        print(reproduction.write_report(store, options.out or options.folder / "report"))
    else:
        store = reproduction.run_suite(
            replace(
                reproduction.SUITES[options.scale],
                audit_epochs=options.audit_epochs or 0,
                equal_cpu=options.equal_cpu,
            ),
            options.out,
            root=options.data,
            weights=options.weights,
            datasets=options.datasets,
            methods=options.methods,
            seeds=options.seeds,
            n_jobs=options.n_jobs,
            devices=options.devices,
            retry_failed=options.retry_failed,
            # Flushed, so that a log file shows how far a long run is.
            log=lambda line: print(line, flush=True),
        )
    if options.csv:
        reproduction.write_scores(store.long_form(), options.csv)
    if options.action == "run":
        results = store.results()
        # Said last, when the scores of all other trials are written.
        failed = [result.trial.key for result in results if result.failed]
        if failed:
            raise P2PSelectError(
                f"{len(failed)} of {len(results)} trials failed, their tracebacks are in "
                f"{store.trials_folder}: {', '.join(failed[:5])}; run them again with "
                "--retry-failed"
            )
        print(f"next: p2pselect reproduce report {options.out}")
