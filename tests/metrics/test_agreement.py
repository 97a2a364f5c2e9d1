"""Agreement of selections against a slow re-implementation, chance against theory."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from oracles.agreement import first_regions, iou, spearman

from p2pselect.exceptions import InputError
from p2pselect.explanations import example_explanation
from p2pselect.metrics import selection_agreement


@pytest.fixture(scope="module")
def exp():
    return example_explanation(n_images=4).explanation


def scored(exp, seed, levels=None):
    """The same images with random scores, a few levels of them if there are to be ties."""
    scores = np.random.default_rng(seed).random(exp.selection_logits.shape)
    scores = scores if levels is None else (levels * scores).round()
    return replace(exp, selection_logits=np.where(exp.region_areas > 0, scores, -np.inf))


@pytest.mark.parametrize("area", [0.01, 0.2, 0.6, 1.0])
def test_pairs_are_those_of_the_oracle(exp, area):
    several = [exp, scored(exp, 1), scored(exp, 2)]
    found = selection_agreement(several, area=area)
    for i, n in enumerate(exp.n_regions):
        shown = [
            first_regions(each.regions[i], each.selection_logits[i], area) for each in several
        ]
        expected = np.mean([iou(a, b) for a, b in combinations(shown, 2)])
        assert found.iou[i] == pytest.approx(expected)
        scores = [each.selection_logits[i, :n] for each in several]
        expected = np.mean([spearman(a, b) for a, b in combinations(scores, 2)])
        assert found.rank_correlation[i] == pytest.approx(expected)


def test_equal_scores_share_their_rank(exp):
    several = [scored(exp, 1, levels=3), scored(exp, 2, levels=2)]
    found = selection_agreement(several).rank_correlation
    for i, n in enumerate(exp.n_regions):
        expected = spearman(*(each.selection_logits[i, :n] for each in several))
        assert found[i] == pytest.approx(expected)


def test_one_score_for_all_regions_correlates_with_nothing(exp):
    flat = scored(exp, 0, levels=0)
    found = selection_agreement([exp, flat])
    assert np.isnan(found.rank_correlation).all() and (found.iou <= 1).all()


def test_images_of_one_region_agree_and_have_no_order(exp):
    one = replace(
        exp,
        regions=np.zeros_like(exp.regions),
        region_masks=np.ones((len(exp), 1), bool),
        selection_logits=np.zeros((len(exp), 1), np.float32),
    )
    found = selection_agreement([one, one], area=0.1)
    assert (found.iou == 1).all() and (found.chance_iou == 1).all()
    assert np.isnan(found.rank_correlation).all()


def test_chance_is_that_of_independent_masks():
    exp = example_explanation(n_images=40).explanation
    found = selection_agreement([scored(exp, seed) for seed in range(4)], area=0.5)
    # Independent halves share a quarter and cover three quarters.
    assert found.chance_iou.mean() == pytest.approx(1 / 3, abs=0.04)
    assert found.iou.mean() == pytest.approx(found.chance_iou.mean(), abs=0.03)
    assert abs(found.rank_correlation.mean()) < 0.03
    same = selection_agreement([exp] * 4, area=0.5)
    assert (same.iou == 1).all() and same.chance_iou.mean() == pytest.approx(1 / 3, abs=0.04)


def test_what_cannot_be_compared(exp):
    with pytest.raises(InputError, match="at least two, got 1"):
        selection_agreement([exp])
    with pytest.raises(InputError, match=r"area must be in \(0, 1\], got 0"):
        selection_agreement([exp, exp], area=0)
    with pytest.raises(InputError, match="number 2 has others than number 0"):
        selection_agreement([exp, exp, exp[::-1]])
