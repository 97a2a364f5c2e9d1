"""The paper's tables and figures as a program: cells, a runner, records, tables, figures."""

from p2pselect.reproduction._cells import Cell
from p2pselect.reproduction._experiments import Plan, Scale, Training
from p2pselect.reproduction._longform import read_csv, write_csv
from p2pselect.reproduction._page import write_report
from p2pselect.reproduction._records import Record, Records, Row
from p2pselect.reproduction._runner import run
from p2pselect.reproduction._scales import SCALES

__all__ = [
    "SCALES",
    "Cell",
    "Plan",
    "Record",
    "Records",
    "Row",
    "Scale",
    "Training",
    "read_csv",
    "run",
    "write_csv",
    "write_report",
]
