"""Pooling, masking and sampling against slow versions and known distributions."""

import numpy as np
import pytest
import torch
from oracles.objectives import region_means

from p2pselect.nn._masking import (
    apply_mask,
    region_areas,
    region_mean,
    relaxed_bernoulli,
    sample_logits,
    to_pixels,
    upsample,
)

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("d", [1, 5, 36])
def test_region_mean_is_the_mean(d):
    regions = RNG.integers(0, d, (3, 6, 6))
    regions[:, 0, 0] = d - 1
    maps = RNG.normal(size=(3, 4, 6, 6))
    t = torch.tensor(regions)
    areas = region_areas(t)
    got = region_mean(torch.tensor(maps), t, areas.double())
    for i in range(3):
        np.testing.assert_allclose(got[i], region_means(maps[i], regions[i]), atol=1e-12)
        np.testing.assert_array_equal(areas[i], np.bincount(regions[i].ravel(), minlength=d))


def test_absent_regions_are_zero_and_coarse_maps_are_upsampled():
    regions = torch.zeros(2, 8, 8, dtype=torch.int64)
    regions[1, 4:] = 2
    areas = region_areas(regions)
    assert areas.tolist() == [[64, 0, 0], [32, 0, 32]]
    mean = region_mean(torch.ones(2, 2, 4, 4), regions, areas)
    assert mean.tolist() == [[[1, 0, 0], [1, 0, 0]], [[1, 0, 1], [1, 0, 1]]]


@pytest.mark.parametrize(
    "shape", [(16, 16, 64, 64), (7, 5, 30, 41), (1, 1, 9, 9), (8, 8, 4, 5)]
)
def test_upsampling_is_torchs_bilinear_interpolation(shape):
    h, w, height, width = shape
    with torch.inference_mode():  # what is kept from here must still serve a backward pass
        upsample(torch.rand(1, 1, h, w), height, width)
    maps = torch.rand(2, 3, h, w, requires_grad=True)
    expected = torch.nn.functional.interpolate(
        maps, size=(height, width), mode="bilinear", align_corners=False
    )
    got = upsample(maps, height, width)
    torch.testing.assert_close(got, expected)
    weight = torch.rand_like(expected)
    (mine,) = torch.autograd.grad((got * weight).sum(), maps)
    (theirs,) = torch.autograd.grad((expected * weight).sum(), maps)
    torch.testing.assert_close(mine, theirs)


def test_to_pixels_inverts_the_labels():
    regions = torch.tensor(RNG.integers(0, 5, (2, 4, 4)))
    values = torch.arange(5.0).expand(2, 5)
    torch.testing.assert_close(to_pixels(values, regions), regions.float())


def test_masking_is_black_exactly_and_has_the_image_as_gradient():
    images = torch.rand(2, 3, 4, 4)
    masks = torch.zeros(2, 4, 4, requires_grad=True)
    assert (apply_mask(images, masks) == 0).all()
    torch.testing.assert_close(apply_mask(images, torch.ones(2, 4, 4)), images)
    apply_mask(images, masks, (0.25,)).sum().backward()
    torch.testing.assert_close(masks.grad, (images - 0.25).sum(1))
    shown = apply_mask(images, torch.zeros(2, 4, 4), (0.25,))
    assert (shown == 0.25).all()


def test_sampled_logits_have_the_low_rank_covariance():
    torch.manual_seed(0)
    embeddings = torch.randn(1, 3, 5).expand(200_000, 3, 5)
    mean = torch.arange(5.0).expand(200_000, 5)
    sample = sample_logits(mean, embeddings, torch.randn(200_000, 3))
    covariance = embeddings[0].T @ embeddings[0]
    torch.testing.assert_close(sample.mean(0), mean[0], atol=0.03, rtol=0)
    torch.testing.assert_close(torch.cov(sample.T), covariance, atol=0.06, rtol=0.02)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_relaxed_bernoulli_crosses_half_with_the_right_probability(temperature):
    torch.manual_seed(0)
    logits = torch.tensor([-2.0, 0.0, 1.0]).expand(200_000, 3)
    sample = relaxed_bernoulli(logits, torch.rand_like(logits), temperature)
    kept = (sample > 0.5).float().mean(0)
    torch.testing.assert_close(kept, logits[0].sigmoid(), atol=0.005, rtol=0)


def test_straight_through_is_binary_with_the_relaxed_gradient():
    logits, uniform = torch.randn(1000, requires_grad=True), torch.rand(1000)
    hard = relaxed_bernoulli(logits, uniform, 0.7, straight_through=True)
    assert set(hard.detach().unique().tolist()) == {0.0, 1.0}
    (gradient,) = torch.autograd.grad(hard.sum(), logits)
    (soft,) = torch.autograd.grad(relaxed_bernoulli(logits, uniform, 0.7).sum(), logits)
    torch.testing.assert_close(gradient, soft)
