"""The made-up explanation keeps the contract of real ones."""

import numpy as np
import pytest

from p2pselect.explanations._explanation import Explanation


@pytest.fixture()
def exp(made) -> Explanation:
    return made.explanation


def test_kept_regions_are_the_first_of_the_ranking(exp):
    for i in range(len(exp)):
        kept = int(exp.region_masks[i].sum())
        assert kept >= 1
        assert set(exp.ranking[i, :kept]) == set(np.flatnonzero(exp.region_masks[i]))


def test_path_agrees_with_the_stopping_point(exp):
    for i in range(len(exp)):
        stop = int(np.flatnonzero(exp.path_tau == exp.tau[i])[0])
        assert exp.path_counts[i, stop] == exp.region_masks[i].sum()
        np.testing.assert_allclose(exp.path_proba[i, stop], exp.proba[i])
        assert np.isnan(exp.path_proba[i, stop + 1 :]).all()
        assert (exp.path_proba[i, :stop].max(axis=1) < exp.certainty_threshold).all()


def test_kept_area_is_at_most_tau_unless_one_region_is_larger(exp):
    several = exp.region_masks.sum(axis=1) > 1
    assert (exp.kept_fraction <= exp.tau + 1e-9)[several].all()


def test_probability_is_above_one_half_exactly_for_kept_regions(exp):
    np.testing.assert_array_equal(exp.selection_probs > 0.5, exp.region_masks)
    assert not exp.selection_probs[~np.isfinite(exp.selection_logits)].any()


def test_some_answers_are_wrong(made):
    right = made.explanation.predicted == made.y
    assert 0 < right.sum() < len(right)
