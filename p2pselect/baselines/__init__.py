"""The methods that P2P is compared with, under its own interface."""

from p2pselect.baselines.blackbox import BlackboxClassifier
from p2pselect.baselines.blackbox_pixel import BlackboxPixelClassifier
from p2pselect.baselines.comet import COMET1Classifier, COMETClassifier
from p2pselect.baselines.infomask import InfoMaskClassifier
from p2pselect.baselines.realx import RealXClassifier
from p2pselect.estimators.base import SelectiveImageClassifier

#: Every method by name.
BASELINES: dict[str, type[SelectiveImageClassifier]] = {
    "blackbox": BlackboxClassifier,
    "blackbox_pixel": BlackboxPixelClassifier,
    "realx": RealXClassifier,
    "comet": COMETClassifier,
    "comet1": COMET1Classifier,
    "infomask": InfoMaskClassifier,
}

__all__ = [
    "BASELINES",
    "BlackboxClassifier",
    "BlackboxPixelClassifier",
    "COMET1Classifier",
    "COMETClassifier",
    "InfoMaskClassifier",
    "RealXClassifier",
]
