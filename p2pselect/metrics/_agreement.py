"""Whether several models select the same regions of the same images."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.exceptions import InputError, brief
from p2pselect.metrics._encoding import first_within
from p2pselect.metrics._perturbed_images import region_order


class SelectionAgreement(NamedTuple):
    """How much several selections of the same images have in common, one value per image.

    Parameters
    ----------
    iou : ndarray of shape (n,)
        Intersection over union of the first regions up to the same area, mean over all pairs.
    chance_iou : ndarray of shape (n,)
        The same for regions in random order.
    rank_correlation : ndarray of shape (n,)
        Spearman's correlation of the scores of all regions, mean over all pairs, in [-1, 1];
        NaN if an image has one region, or if all scores of one selection are equal.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> exp = example_explanation(n_images=2).explanation
    >>> selection_agreement([exp, exp]).iou
    array([1., 1.])
    """

    iou: np.ndarray
    chance_iou: np.ndarray
    rank_correlation: np.ndarray


def selection_agreement(
    explanations: Sequence[ExplanationArrays], *, area: float = 0.2, random_state: int = 0
) -> SelectionAgreement:
    r"""Compare what several models select from the same images, at the same area.

    Explanations that change with the seed of the training are reasons of the seed as much as of
    the image.  What random regions have in common grows with the area, so the overlap of masks
    is to be read beside that of random ones.

    Parameters
    ----------
    explanations : sequence of at least two Explanation
        Of the same images with the same regions, for example by models of different seeds.
    area : float in (0, 1], default=0.2
        Largest share of an image that its first regions have; at least one region counts.
    random_state : int, default=0
        Seed of the random orders.

    Returns
    -------
    SelectionAgreement
        One value per image, mean over the pairs of explanations.

    Raises
    ------
    InputError
        If there are fewer than two explanations, they have other images or regions, or `area`
        is out of its range.

    Notes
    -----
    Of masks :math:`A, B` the intersection over union is :math:`|A \cap B| / |A \cup B|`, in
    pixels.  Of scores with ranks :math:`r_i, s_i` Spearman's correlation is
    :math:`\sum_i (r_i - \bar r)(s_i - \bar s) / \sqrt{\sum_i (r_i - \bar r)^2
    \sum_i (s_i - \bar s)^2}` over the regions of an image, where equal scores have their mean
    rank.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from p2pselect.explanations import example_explanation
    >>> exp = example_explanation(n_images=2).explanation
    >>> turned = replace(exp, selection_logits=-exp.selection_logits)
    >>> found = selection_agreement([exp, turned], area=0.5)
    >>> bool(found.iou.max() < 0.1), found.rank_correlation.round(2)
    (True, array([-1., -1.]))
    """
    first = explanations[0] if len(explanations) else None
    if len(explanations) < 2 or first is None:
        raise InputError(f"explanations must be at least two, got {len(explanations)}")
    if not 0 < area <= 1:
        raise InputError(f"area must be in (0, 1], got {brief(area)}")
    for number, other in enumerate(explanations[1:], 1):
        if not np.array_equal(first.regions, other.regions):
            raise InputError(
                "explanations must have the same images with the same regions; "
                f"number {number} has others than number 0"
            )
    rng = np.random.default_rng(random_state)
    exists = first.region_areas > 0
    masks, random_masks, ranks = [], [], []
    for exp in explanations:
        masks.append(first_within(exp, region_order(exp, random_state), area))
        chance = np.where(exists, rng.random(exists.shape), np.inf).argsort(axis=1)
        random_masks.append(first_within(exp, chance, area))
        scores = np.where(exists, exp.selection_logits, np.nan)
        ranks.append(rankdata(scores, axis=1, nan_policy="omit"))
    return SelectionAgreement(
        *(
            np.mean([measure(a, b) for a, b in combinations(each, 2)], axis=0)
            for measure, each in ((_iou, masks), (_iou, random_masks), (_correlation, ranks))
        )
    )


def _iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    # Every mask has at least one region, so no union is empty.
    shares: np.ndarray = (a & b).sum(axis=(1, 2)) / (a | b).sum(axis=(1, 2))
    return shares


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson's correlation of the rows of (n, d), where NaN does not count."""
    a, b = (each - np.nanmean(each, axis=1, keepdims=True) for each in (a, b))
    spread = np.sqrt(np.nansum(a**2, axis=1) * np.nansum(b**2, axis=1))
    products = np.nansum(a * b, axis=1)
    return np.divide(products, spread, out=np.full(len(a), np.nan), where=spread > 0)
