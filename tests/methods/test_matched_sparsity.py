"""One area for all methods: exact counts, ties, and the three protocols."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.baselines import ranked_without_ties
from scipy import ndimage

from p2pselect.exceptions import InputError
from p2pselect.methods import BlackboxPixelClassifier, RealXClassifier
from p2pselect.methods._base import area_penalty, break_ties
from p2pselect.methods._blackbox_pixel import LatticeObjective, lattice_order


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([-2.0, -0.0, 0.0, 1e-38, 0.5, 1.0, 1.0000001]), min_size=1))
def test_ties_are_broken_and_nothing_else(values):
    scores = torch.tensor([values])
    apart = break_ties(scores, torch.ones_like(scores))
    assert apart.unique().numel() == scores.numel()
    keys = np.random.default_rng(0).random(len(values))
    order = ranked_without_ties(scores[0].tolist(), keys)
    assert apart[0].argsort(descending=True).tolist() == order
    torch.testing.assert_close(apart, scores, atol=1e-6, rtol=1e-5)


def test_scores_without_ties_stay_as_they_are_and_padding_is_last():
    scores = torch.randn(3, 50)
    assert torch.equal(break_ties(scores, torch.ones(3, 50)), scores)
    areas = torch.ones(3, 50)
    areas[1, 40:] = 0
    padded = break_ties(torch.zeros(3, 50), areas)
    assert padded[1, 40:].isinf().all() and padded[1, :40].isfinite().all()
    # Padding does not change the order of the others.
    assert torch.equal(padded[1, :40], break_ties(torch.zeros(1, 40), areas[:1, :40])[0])


def test_ties_prefer_no_place():
    kept = break_ties(torch.zeros(1, 10_000), torch.ones(1, 10_000)) > 0
    ranks = break_ties(torch.zeros(1, 10_000), torch.ones(1, 10_000)).argsort(descending=True)
    first = ranks[0, :2000]
    assert not kept.all()
    counts = torch.bincount(first // 1000, minlength=10)
    assert (counts - 200).abs().max() < 60  # 4.5 standard deviations


@pytest.mark.parametrize("size", [16, 32, 64])
@pytest.mark.parametrize("tau", [0.2, 0.3, 0.4, 0.5, 0.8])
def test_lattice_has_its_density_everywhere(size, tau):
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    order = lattice_order(rows, columns)
    assert order.unique().numel() == size**2
    mask = order.flatten().argsort().argsort().view(size, size) < round(tau * size**2)
    assert abs(mask.float().mean() - tau) <= 1 / size**2
    for axis in (0, 1):
        share = mask.float().mean(dim=axis)
        assert share.min() > 0 and share.max() < 1
        assert (share - tau).abs().max() <= 2 / size + 1e-6


@pytest.mark.parametrize("tau", [0.05, 0.11, 0.2, 0.3])
def test_no_place_of_the_image_is_far_from_the_lattice(tau):
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    order = lattice_order(rows, columns).flatten().argsort().argsort().view(64, 64)
    mask = order < round(tau * 64**2)
    away = ndimage.distance_transform_edt(~mask.numpy())
    # Of triangles, the densest there are, .377 of their spacing; of random pixels .5.
    assert away.mean() * tau**0.5 < 0.44
    assert away.max() * tau**0.5 < 1.3


@pytest.mark.parametrize("period", [2, 4, 8, 16])
def test_the_lattice_repeats_as_the_strides_of_networks_do(period):
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    mask = lattice_order(rows, columns) < 1 / period
    assert mask.float().mean() == 1 / period
    assert torch.equal(mask, mask.roll(period, dims=0))
    assert torch.equal(mask, mask.roll(period, dims=1))


def test_the_lattice_thins_out_while_training(toy_step):
    step, shown = toy_step(), []
    step.model.classifier.register_forward_pre_hook(lambda m, inputs: shown.append(inputs[0]))
    for progress, share in ((0.0, 1.0), (0.25, 0.5), (0.5, 0.25), (1.0, 0.25)):
        LatticeObjective(0.25)(replace(step, images=step.images * 0 + 1, progress=progress))
        assert shown[-1].mean().item() == pytest.approx(share, abs=0.07)


def test_area_penalty():
    kept = torch.tensor([0.0, 0.2, 0.9])
    torch.testing.assert_close(area_penalty(kept, None), kept)
    torch.testing.assert_close(area_penalty(kept, 0.2), torch.tensor([0.0, 0.0, 0.7]))


@pytest.mark.parametrize("tau", [0.001, 0.1, 0.25, 0.5, 1.0])
def test_pixel_regions_keep_exactly_tau(make, X, y, tau):
    clf = make(RealXClassifier, regions="pixel", tau=tau).fit(X, y)
    kept = clf.transform(X).sum(axis=(1, 2))
    assert (kept == max(1, int(np.floor(tau * 32 * 32)))).all()


def test_blackbox_pixel_masks_are_the_same_for_all_images(make, X, y):
    clf = make(BlackboxPixelClassifier, regions="pixel", tau=0.3).fit(X, y)
    masks = clf.transform(X)
    assert (masks == masks[0]).all()
    assert masks[0].mean(axis=0).min() > 0.2 and masks[0].mean(axis=1).max() < 0.4


def test_one_threshold_for_all_images(make, X, y):
    clf = make(RealXClassifier, regions="pixel", sparsity="threshold", tau=0.3).fit(X, y)
    for tau in (0.1, 0.3, 0.75):
        exp = clf.explain(X, tau=tau)
        assert exp.kept_fraction.mean() == pytest.approx(tau, abs=2e-3)
        assert exp.kept_fraction.std() > 0
        exp = exp[exp.region_masks.sum(axis=1) > 1]  # one region is kept in any case
        lowest_kept = exp.selection_logits[exp.region_masks].min()
        assert (exp.selection_logits[~exp.region_masks] < lowest_kept).all()
    assert clf.explain(X, tau=1.0).pixel_masks.all()


def test_tau_must_be_a_number_at_training_but_may_be_searched_for(make, X, y):
    with pytest.raises(ValueError, match="tau"):
        make(RealXClassifier, tau="dynamic").fit(X, y)
    clf = make(RealXClassifier).fit(X, y)
    certainty = float(np.median(clf.explain(X).certainty))
    exp = clf.explain(X, tau="dynamic", certainty_threshold=certainty)
    assert len(set(exp.tau)) > 1
    assert (exp.kept_fraction <= exp.tau + 1e-9).all()


def test_no_search_where_masks_are_soft(make, X, y):
    from p2pselect.methods import InfoMaskClassifier

    clf = make(InfoMaskClassifier).fit(X, y)
    with pytest.raises(InputError, match="binary masks"):
        clf.explain(X, tau="dynamic")
    assert len(clf.set_params(mask="hard").explain(X, tau="dynamic")) == len(X)
