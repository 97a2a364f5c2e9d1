"""Which regions of an image are kept: the rule of a method, and its run over many images."""

from p2pselect.selection._selection_rule import (
    ScoreCut,
    SelectionRule,
    budget_cut,
    keep_everything,
    probability_cut,
)

__all__ = [
    "ScoreCut",
    "SelectionRule",
    "budget_cut",
    "keep_everything",
    "probability_cut",
]
