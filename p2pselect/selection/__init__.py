"""Which regions of an image are kept: the rule of a method, and its run over many images."""

from typing import TYPE_CHECKING

from p2pselect._lazy import lazy_names

if TYPE_CHECKING:
    from p2pselect.selection._selection_rule import SelectionRule
    from p2pselect.selection._stop_calibration import StopCalibration

__all__ = ["SelectionRule", "StopCalibration"]

# Lazy, because a calibration needs scikit-learn, and running an exported model does not.
__getattr__, __dir__ = lazy_names(
    globals(),
    {
        "SelectionRule": "p2pselect.selection._selection_rule",
        "StopCalibration": "p2pselect.selection._stop_calibration",
    },
)
