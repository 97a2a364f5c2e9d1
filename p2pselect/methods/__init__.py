"""P2P and the methods that it is compared with, under one interface."""

from p2pselect.methods import _table
from p2pselect.methods._base import BaselineClassifier, area_penalty
from p2pselect.methods._blackbox_guided import BlackboxGuidedClassifier
from p2pselect.methods._judge import JudgeClassifier
from p2pselect.methods._table import *  # noqa: F403

__all__ = ["BaselineClassifier", "BlackboxGuidedClassifier", "JudgeClassifier", "area_penalty"]
__all__ += _table.__all__
