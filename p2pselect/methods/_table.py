"""The one table of the methods: saved models, the paper's program, docs and tests read it.

A new method is a file of its own and a row here (with its class in ``__all__``).
"""

from __future__ import annotations

from dataclasses import dataclass

from p2pselect.estimators._base import SelectiveImageClassifier
from p2pselect.methods._amortized_diet import AmortizedDiETClassifier
from p2pselect.methods._bcos import BcosClassifier
from p2pselect.methods._blackbox import BlackboxClassifier
from p2pselect.methods._blackbox_pixel import BlackboxPixelClassifier
from p2pselect.methods._comet import COMET1Classifier, COMETClassifier
from p2pselect.methods._diet import DiETClassifier
from p2pselect.methods._infomask import InfoMaskClassifier
from p2pselect.methods._invase import INVASEClassifier
from p2pselect.methods._l2x import L2XClassifier
from p2pselect.methods._p2p import P2PClassifier, P2PNetworkOptions
from p2pselect.methods._p2p_objective import P2PObjectiveOptions
from p2pselect.methods._rbaem import RBAEMClassifier
from p2pselect.methods._realx import RealXClassifier

__all__ = [
    "METHODS",
    "AmortizedDiETClassifier",
    "BcosClassifier",
    "BlackboxClassifier",
    "BlackboxPixelClassifier",
    "COMET1Classifier",
    "COMETClassifier",
    "DiETClassifier",
    "INVASEClassifier",
    "InfoMaskClassifier",
    "L2XClassifier",
    "Method",
    "P2PClassifier",
    "P2PNetworkOptions",
    "P2PObjectiveOptions",
    "RBAEMClassifier",
    "RealXClassifier",
]


@dataclass(frozen=True)
class Method:
    """A row of :data:`METHODS`.

    Parameters
    ----------
    name : str
        Short name for programs and in results.
    cls : type
        The estimator.
    label : str
        Name for people.
    source : str
        Publication.
    variant_of : str, optional
        Name of the published method that this is a variant of.

    Examples
    --------
    >>> METHODS["realx"].label, METHODS["realx"].source
    ('REAL-X', 'Jethani et al., AISTATS 2021')
    """

    name: str
    cls: type[SelectiveImageClassifier]
    label: str
    source: str
    variant_of: str | None = None


_PAPER = "Vandenhirtz & Vogt, ICML 2025"
_ROWS = (
    Method("blackbox", BlackboxClassifier, "Blackbox", f"{_PAPER}, section 4"),
    Method("blackbox_pixel", BlackboxPixelClassifier, "Blackbox Pixel", f"{_PAPER}, section 4"),
    Method("comet1", COMET1Classifier, "COMET-1", f"{_PAPER}, section 4"),
    Method("diet", DiETClassifier, "DiET", "Bhalla, Srinivas & Lakkaraju, NeurIPS 2023"),
    Method("amortized_diet", AmortizedDiETClassifier, "Amortized DiET", "this library", "diet"),
    Method("rbaem", RBAEMClassifier, "RB-AEM", "Ganjdanesh, Gao & Huang, ECCV 2022"),
    Method("realx", RealXClassifier, "REAL-X", "Jethani et al., AISTATS 2021"),
    Method("bcos", BcosClassifier, "B-cos", "Böhle, Fritz & Schiele, CVPR 2022"),
    Method("comet", COMETClassifier, "COMET", "Zhang, Lee & Wang, ECCV 2024"),
    Method("infomask", InfoMaskClassifier, "InfoMask", "Taghanaki et al., MICCAI 2019"),
    Method("l2x", L2XClassifier, "L2X", "Chen et al., ICML 2018"),
    Method("invase", INVASEClassifier, "INVASE", "Yoon, Jordon & van der Schaar, ICLR 2019"),
    Method("p2p", P2PClassifier, "P2P", _PAPER),
)

#: Every method by its short name, in the order of the paper's tables.
METHODS: dict[str, Method] = {row.name: row for row in _ROWS}
