"""P2P and the methods that it is compared with, under one interface."""

from p2pselect.estimators._base import SelectiveImageClassifier
from p2pselect.methods._bcos import BcosClassifier
from p2pselect.methods._blackbox import BlackboxClassifier
from p2pselect.methods._blackbox_pixel import BlackboxPixelClassifier
from p2pselect.methods._comet import COMET1Classifier, COMETClassifier
from p2pselect.methods._diet import DiETClassifier
from p2pselect.methods._infomask import InfoMaskClassifier
from p2pselect.methods._invase import INVASEClassifier
from p2pselect.methods._l2x import L2XClassifier
from p2pselect.methods._p2p import P2PClassifier
from p2pselect.methods._rbaem import RBAEMClassifier
from p2pselect.methods._realx import RealXClassifier

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
    "P2PClassifier",
    "RBAEMClassifier",
    "RealXClassifier",
]
