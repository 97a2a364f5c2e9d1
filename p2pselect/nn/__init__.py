"""Networks and what happens between them: scores of regions, masks, samples.

Torch only: nothing here knows estimators or how they are trained.
"""

from p2pselect.nn._masking import apply_mask
from p2pselect.nn._model import RegionScores, SelectiveModel
from p2pselect.nn._pooling import region_areas, region_mean, to_pixels
from p2pselect.nn._sampling import relaxed_bernoulli, sample_logits

__all__ = [
    "RegionScores",
    "SelectiveModel",
    "apply_mask",
    "region_areas",
    "region_mean",
    "relaxed_bernoulli",
    "sample_logits",
    "to_pixels",
]
