"""Which regions of an image are kept: the rule of a method, and its run over many images."""

from p2pselect.selection._selection_rule import SelectionRule
from p2pselect.selection._stop_calibration import StopCalibration

__all__ = ["SelectionRule", "StopCalibration"]
