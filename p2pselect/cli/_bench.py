"""Run the paper's experiments, and write their tables and figures.

p2pselect bench paper --scale small --data data --out results --n-jobs 2
p2pselect bench paper --scale small --out results --methods p2p comet --seeds 0
p2pselect bench report results --csv small.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path

from p2pselect._optional import need
from p2pselect.atomic_write import check_writable_file, check_writable_folder
from p2pselect.cli._arguments import MAX_SEED, whole
from p2pselect.exceptions import P2PSelectError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``p2pselect bench``."""
    commands = parser.add_subparsers(dest="bench", required=True, metavar="WHAT")
    paper = commands.add_parser("paper", help="train and measure; continues a run that ended")
    paper.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder")
    paper.add_argument(
        "--scale",
        choices=("small", "paper"),
        default="small",
        help="small networks on two cores, or the paper's (default: small)",
    )
    paper.add_argument("--data", type=Path, metavar="ROOT", help="where the data sets lie")
    paper.add_argument(
        "--datasets", nargs="+", metavar="NAME", help="default: those of the scale that exist"
    )
    paper.add_argument(
        "--methods", nargs="+", metavar="METHOD[:SETTING]", help="default: those of the scale"
    )
    paper.add_argument(
        "--seeds",
        nargs="+",
        type=whole(0, MAX_SEED),
        metavar="N",
        help="default: the scale's",
    )
    paper.add_argument(
        "--n-jobs", type=whole(1), default=1, metavar="N", help="cells at once (default: 1)"
    )
    paper.add_argument(
        "--devices", nargs="+", default=["auto"], metavar="DEVICE", help="dealt out to cells"
    )
    paper.add_argument(
        "--retry-failed", action="store_true", help="run cells again that failed before"
    )
    report = commands.add_parser("report", help="write a page with tables and figures")
    report.add_argument("results", type=Path, metavar="RUN", help="folder of the run")
    report.add_argument("--out", type=Path, metavar="DIR", help="default: RUN/report")
    for command in (paper, report):
        command.add_argument(
            "--csv", type=Path, metavar="FILE", help="write all values in long form"
        )


def run(options: argparse.Namespace) -> None:
    """Do what ``p2pselect bench`` says."""
    {"paper": run_paper, "report": run_report}[options.bench](options)


def run_paper(options: argparse.Namespace) -> None:
    """Run the cells that are not done yet."""
    from p2pselect import reproduction

    check_writable_folder(options.out, "--out")
    if options.csv:
        check_writable_file(options.csv, "--csv")
    records = reproduction.run(
        reproduction.SCALES[options.scale],
        options.out,
        root=options.data,
        datasets=options.datasets,
        methods=options.methods,
        seeds=options.seeds,
        n_jobs=options.n_jobs,
        devices=options.devices,
        retry_failed=options.retry_failed,
        tell=lambda line: print(line, flush=True),
    )
    if options.csv:
        reproduction.write_csv(records.rows(), options.csv)
    failed = [record for record in records.all() if record.failed]
    if failed:
        named = ", ".join(record.cell.key for record in failed[:5])
        raise P2PSelectError(
            f"{len(failed)} of {len(records.all())} cells failed, their tracebacks are in "
            f"{records.cells_folder}: {named}; --retry-failed runs them again"
        )
    print(f"next: p2pselect bench report {options.out}")


def run_report(options: argparse.Namespace) -> None:
    """Write the page, its figures and tables."""
    from p2pselect import reproduction

    need("matplotlib", "the figures of the report", "p2pselect[plots]")
    folder = check_writable_folder(options.out or options.results / "report", "--out")
    if options.csv:
        check_writable_file(options.csv, "--csv")
    records = reproduction.Records(options.results)
    if options.csv:
        reproduction.write_csv(records.rows(), options.csv)
    print(reproduction.write_report(records, folder))
