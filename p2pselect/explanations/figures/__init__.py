"""Figures of explanations, drawn with matplotlib (imported when the first one is drawn)."""

from p2pselect.explanations.figures._confusion import ConfusionExamplesDisplay
from p2pselect.explanations.figures._correlation import RegionCorrelationDisplay
from p2pselect.explanations.figures._curves import FidelityCurveDisplay, RiskCoverageDisplay
from p2pselect.explanations.figures._evidence import EvidenceCurveDisplay
from p2pselect.explanations.figures._example import example_explanation
from p2pselect.explanations.figures._images import (
    plot_embedding,
    plot_heat_map,
    plot_masked_image,
    plot_regions,
)
from p2pselect.explanations.figures._panels import plot_explanation, plot_page

__all__ = [
    "ConfusionExamplesDisplay",
    "EvidenceCurveDisplay",
    "FidelityCurveDisplay",
    "RegionCorrelationDisplay",
    "RiskCoverageDisplay",
    "example_explanation",
    "plot_embedding",
    "plot_explanation",
    "plot_heat_map",
    "plot_masked_image",
    "plot_page",
    "plot_regions",
]
