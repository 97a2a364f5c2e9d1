"""Image classifiers that can only see what they show you.

A selector keeps a few perceptual regions of an image, a classifier predicts from those
alone, and a certainty threshold decides per image how much has to be shown.  Method:
Vandenhirtz & Vogt, "From Pixels to Perception", ICML 2025.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from p2pselect import baselines, datasets, metrics, model_selection, plots, presets, report
    from p2pselect.estimators.p2p import P2PClassifier
    from p2pselect.explanation import Explanation
    from p2pselect.images import ImageSequence
    from p2pselect.persistence import load
    from p2pselect.regions.transformer import SuperpixelTransformer
    from p2pselect.summary import explanation_summary

__version__ = "0.1.0"

_HOME = {
    "Explanation": "p2pselect.explanation",
    "ImageSequence": "p2pselect.images",
    "P2PClassifier": "p2pselect.estimators.p2p",
    "SuperpixelTransformer": "p2pselect.regions.transformer",
    "baselines": "p2pselect.baselines",
    "datasets": "p2pselect.datasets",
    "explanation_summary": "p2pselect.summary",
    "load": "p2pselect.persistence",
    "metrics": "p2pselect.metrics",
    "model_selection": "p2pselect.model_selection",
    "plots": "p2pselect.plots",
    "presets": "p2pselect.presets",
    "report": "p2pselect.report",
}

__all__ = [
    "Explanation",
    "ImageSequence",
    "P2PClassifier",
    "SuperpixelTransformer",
    "__version__",
    "baselines",
    "datasets",
    "explanation_summary",
    "load",
    "metrics",
    "model_selection",
    "plots",
    "presets",
    "report",
]


def __getattr__(name: str) -> Any:
    # Lazy, so that `import p2pselect` does not pull in torch, timm, skorch or matplotlib.
    if name not in _HOME:
        raise AttributeError(f"module 'p2pselect' has no attribute {name!r}")
    module = import_module(_HOME[name])
    value = module if module.__name__.rpartition(".")[2] == name else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOME))
