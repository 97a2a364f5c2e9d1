"""Image classifiers that can only see what they show you.

A selector keeps a few perceptual regions of an image, a classifier predicts from those
alone, and a certainty threshold decides per image how much has to be shown.  Method:
Vandenhirtz & Vogt, "From Pixels to Perception", ICML 2025.
"""

from typing import TYPE_CHECKING

from p2pselect._lazy import lazy_names

if TYPE_CHECKING:
    from p2pselect import datasets, explanations, methods, metrics, model_selection, presets
    from p2pselect._show_versions import show_versions
    from p2pselect.explanations import Explanation, explanation_summary
    from p2pselect.images import ImageSequence
    from p2pselect.methods import P2PClassifier
    from p2pselect.model_selection import audit
    from p2pselect.onnx_export import export_onnx
    from p2pselect.persistence import load
    from p2pselect.regions import SuperpixelTransformer

__version__ = "0.1.0"

_HOME = {
    "Explanation": "p2pselect.explanations",
    "ImageSequence": "p2pselect.images",
    "P2PClassifier": "p2pselect.methods",
    "SuperpixelTransformer": "p2pselect.regions",
    "audit": "p2pselect.model_selection",
    "datasets": "p2pselect.datasets",
    "explanation_summary": "p2pselect.explanations",
    "explanations": "p2pselect.explanations",
    "export_onnx": "p2pselect.onnx_export",
    "load": "p2pselect.persistence",
    "methods": "p2pselect.methods",
    "metrics": "p2pselect.metrics",
    "model_selection": "p2pselect.model_selection",
    "presets": "p2pselect.presets",
    "show_versions": "p2pselect._show_versions",
}

__all__ = [
    "Explanation",
    "ImageSequence",
    "P2PClassifier",
    "SuperpixelTransformer",
    "__version__",
    "audit",
    "datasets",
    "explanation_summary",
    "explanations",
    "export_onnx",
    "load",
    "methods",
    "metrics",
    "model_selection",
    "presets",
    "show_versions",
]


# Lazy, so that `import p2pselect` does not pull in torch, timm, skorch or matplotlib.
__getattr__, __dir__ = lazy_names(globals(), _HOME)
