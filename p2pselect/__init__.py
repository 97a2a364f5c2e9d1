"""Image classifiers that can only see what they show you.

A selector keeps a few perceptual regions of an image, a classifier predicts from those
alone, and a certainty threshold decides per image how much has to be shown.  Method:
Vandenhirtz & Vogt, "From Pixels to Perception", ICML 2025.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from p2pselect import datasets, metrics, plots, presets
    from p2pselect.estimators.p2p import P2PClassifier
    from p2pselect.explanation import Explanation
    from p2pselect.images import ImageSequence
    from p2pselect.regions.transformer import SuperpixelTransformer

__version__ = "0.1.0"

_HOME = {
    "Explanation": "p2pselect.explanation",
    "ImageSequence": "p2pselect.images",
    "P2PClassifier": "p2pselect.estimators.p2p",
    "SuperpixelTransformer": "p2pselect.regions.transformer",
    "datasets": "p2pselect.datasets",
    "metrics": "p2pselect.metrics",
    "plots": "p2pselect.plots",
    "presets": "p2pselect.presets",
}

__all__ = [
    "Explanation",
    "ImageSequence",
    "P2PClassifier",
    "SuperpixelTransformer",
    "__version__",
    "datasets",
    "metrics",
    "plots",
    "presets",
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
