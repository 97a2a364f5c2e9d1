"""The methods that P2P is compared with, under its own interface."""

from p2pselect.baselines.bcos import BcosClassifier
from p2pselect.baselines.blackbox import BlackboxClassifier
from p2pselect.baselines.blackbox_pixel import BlackboxPixelClassifier
from p2pselect.baselines.comet import COMET1Classifier, COMETClassifier
from p2pselect.baselines.diet import DiETClassifier
from p2pselect.baselines.infomask import InfoMaskClassifier
from p2pselect.baselines.invase import INVASEClassifier
from p2pselect.baselines.l2x import L2XClassifier
from p2pselect.baselines.rbaem import RBAEMClassifier
from p2pselect.baselines.realx import RealXClassifier
from p2pselect.estimators.base import SelectiveImageClassifier

#: Every method by name.
BASELINES: dict[str, type[SelectiveImageClassifier]] = {
    "blackbox": BlackboxClassifier,
    "blackbox_pixel": BlackboxPixelClassifier,
    "realx": RealXClassifier,
    "rbaem": RBAEMClassifier,
    "diet": DiETClassifier,
    "comet": COMETClassifier,
    "comet1": COMET1Classifier,
    "bcos": BcosClassifier,
    "infomask": InfoMaskClassifier,
    "l2x": L2XClassifier,
    "invase": INVASEClassifier,
}

__all__ = [
    "BASELINES",
    "BcosClassifier",
    "BlackboxClassifier",
    "BlackboxPixelClassifier",
    "COMET1Classifier",
    "COMETClassifier",
    "DiETClassifier",
    "INVASEClassifier",
    "InfoMaskClassifier",
    "L2XClassifier",
    "RBAEMClassifier",
    "RealXClassifier",
]
