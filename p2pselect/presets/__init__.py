"""Named settings: mappings of constructor arguments, each with its source.

A preset hands out copies: estimators made of it share no object, and nothing changes it.

Examples
--------
>>> from p2pselect import P2PClassifier, presets
>>> clf = P2PClassifier(**{**presets.SMALL, "max_epochs": 5})
>>> clf.image_size
64
"""

from p2pselect.presets._named import PAPER, PAPER_TAU, PHOTOS, SMALL
from p2pselect.presets._preset import Preset, settings_for
from p2pselect.presets._suited import SuitedPreset, suited_to

__all__ = [
    "PAPER",
    "PAPER_TAU",
    "PHOTOS",
    "SMALL",
    "Preset",
    "SuitedPreset",
    "settings_for",
    "suited_to",
]
