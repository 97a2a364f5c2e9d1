"""Networks and what happens between them: scores of regions, masks, samples.

Torch only: nothing here knows estimators or how they are trained.
"""

from p2pselect.nn._masking import (
    apply_mask,
    region_areas,
    region_mean,
    relaxed_bernoulli,
    sample_logits,
    to_pixels,
)
from p2pselect.nn._model import RegionScores, SelectiveModel
from p2pselect.nn._random_masks import random_region_masks
from p2pselect.nn._weight_sources import WeightsSource, find_weights

__all__ = [
    "RegionScores",
    "SelectiveModel",
    "WeightsSource",
    "apply_mask",
    "find_weights",
    "random_region_masks",
    "region_areas",
    "region_mean",
    "relaxed_bernoulli",
    "sample_logits",
    "to_pixels",
]
