"""What was shown and predicted, image by image, and every way to look at it.

Figures are drawn with matplotlib, which is imported when the first one is drawn.
"""

from p2pselect.explanations._comparison import Comparison, compare
from p2pselect.explanations._example import example_explanation
from p2pselect.explanations._explanation import Explanation
from p2pselect.explanations._summary import explanation_summary
from p2pselect.explanations.figures._data_set_displays import (
    ConfusionExamplesDisplay,
    FidelityCurveDisplay,
    RiskCoverageDisplay,
)
from p2pselect.explanations.figures._image_displays import (
    EvidenceCurveDisplay,
    RegionCorrelationDisplay,
)
from p2pselect.explanations.figures._learning_display import LearningCurvesDisplay
from p2pselect.explanations.figures._plots import (
    plot_embedding,
    plot_explanation,
    plot_heat_map,
    plot_masked_image,
    plot_page,
    plot_regions,
)
from p2pselect.explanations.figures._reliability_display import ReliabilityDisplay
from p2pselect.explanations.figures._threshold_display import ThresholdDisplay
from p2pselect.explanations.report._notebook import repr_html
from p2pselect.explanations.report._page import write_html

__all__ = [
    "Comparison",
    "ConfusionExamplesDisplay",
    "EvidenceCurveDisplay",
    "Explanation",
    "FidelityCurveDisplay",
    "LearningCurvesDisplay",
    "RegionCorrelationDisplay",
    "ReliabilityDisplay",
    "RiskCoverageDisplay",
    "ThresholdDisplay",
    "compare",
    "example_explanation",
    "explanation_summary",
    "plot_embedding",
    "plot_explanation",
    "plot_heat_map",
    "plot_masked_image",
    "plot_page",
    "plot_regions",
    "repr_html",
    "write_html",
]
