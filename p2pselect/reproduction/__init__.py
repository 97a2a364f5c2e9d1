"""The paper's evaluation as a program: suites, a runner, results on disk, tables, figures."""

from p2pselect.reproduction._paper_suites import SUITES
from p2pselect.reproduction._report import write_report
from p2pselect.reproduction._run_store import RunStore, TrialResult
from p2pselect.reproduction._runner import run_suite
from p2pselect.reproduction._scores import Score, read_scores, write_scores
from p2pselect.reproduction._suite import Plan, Suite, Trial, Variant

__all__ = [
    "SUITES",
    "Plan",
    "RunStore",
    "Score",
    "Suite",
    "Trial",
    "TrialResult",
    "Variant",
    "read_scores",
    "run_suite",
    "write_report",
    "write_scores",
]
