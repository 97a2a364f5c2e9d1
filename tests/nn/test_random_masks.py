"""Random masks of every shape: their law, against a slow version, and at its edges."""

import pytest
import torch
from oracles.losses import mask_of_any_shape

from p2pselect.nn import random_region_masks, region_areas


def grid(n, side=8, patch=2):
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return (rows // patch * (side // patch) + columns // patch).expand(n, side, side)


def drawing(*numbers):
    """Random numbers that are given."""
    waiting = list(numbers)

    def rand_like(values):
        assert waiting[0].shape == values.shape
        return waiting.pop(0)

    return rand_like


@pytest.mark.parametrize("min_share", [0.05, 0.6, 1.0])
@pytest.mark.parametrize("n_regions", [1, 2, 9, 40])
def test_against_the_slow_version(n_regions, min_share):
    generator = torch.Generator().manual_seed(n_regions)
    n = 12
    regions = torch.randint(0, n_regions, (n, 9, 7), generator=generator)
    regions[1] = 0  # others have labels that it lacks
    areas = region_areas(regions)
    d = areas.shape[1]
    numbers = [torch.rand(shape, generator=generator) for shape in ((n,), (n,), (n, d))]
    masks = random_region_masks(regions, areas, min_share, drawing(*numbers))
    for i in range(n):
        wanted = mask_of_any_shape(regions[i], min_share, *(values[i] for values in numbers))
        assert masks[i, : len(wanted)].tolist() == wanted
        assert not masks[i, len(wanted) :].any()


def test_pixels_of_no_region_are_never_kept_and_count_nowhere():
    n, generator = 8, torch.Generator().manual_seed(3)
    regions = torch.randint(0, 9, (n, 8, 8), generator=generator)
    padded = torch.nn.functional.pad(regions, (3, 3, 0, 0), value=-1)
    numbers = [torch.rand(shape, generator=generator) for shape in ((n,), (n,), (n, 9))]
    found = [
        random_region_masks(maps, region_areas(maps), 0.1, drawing(*numbers))
        for maps in (regions, padded)
    ]
    assert torch.equal(*found)


def test_areas_are_uniform_above_the_smallest():
    torch.manual_seed(0)
    regions = grid(4000, side=16, patch=1)
    areas = region_areas(regions)
    kept = random_region_masks(regions, areas, 0.2).mean(dim=1)
    assert kept.min() > 0.19
    quantiles = kept.quantile(torch.tensor([0.25, 0.5, 0.75]))
    torch.testing.assert_close(quantiles, torch.tensor([0.4, 0.6, 0.8]), atol=0.03, rtol=0)


def test_half_of_the_masks_are_in_one_piece():
    torch.manual_seed(0)
    regions = grid(1000, side=16, patch=2)
    masks = random_region_masks(regions, region_areas(regions)).view(-1, 8, 8)
    # Most neighbors of what is kept in one piece are kept, too.
    some = (masks.mean(dim=(1, 2)) > 0.1) & (masks.mean(dim=(1, 2)) < 0.3)
    both = (masks[:, 1:] * masks[:, :-1]).sum(dim=(1, 2)) / masks.sum(dim=(1, 2))
    assert 0.4 < (both[some] > 0.55).float().mean() < 0.6


def test_every_region_is_kept_equally_often_where_one_piece_starts_anywhere():
    torch.manual_seed(0)
    regions = grid(6000)
    areas = region_areas(regions)
    masks = random_region_masks(regions, areas, 0.0, torch.rand_like)
    inner = masks.mean(dim=0).view(4, 4)[1:3, 1:3]
    # Distances that are equal do not favor the regions with smaller numbers.
    assert inner.max() - inner.min() < 0.05


def test_at_least_one_region_and_everything_at_the_ends():
    regions = grid(20)
    areas = region_areas(regions)
    low = drawing(torch.zeros(20), torch.rand(20), torch.rand(areas.shape))
    assert (random_region_masks(regions, areas, 0.0, low).sum(dim=1) == 1).all()
    assert random_region_masks(regions, areas, 1.0).all()
    one = torch.zeros_like(regions)
    assert random_region_masks(one, region_areas(one)).tolist() == [[1.0]] * 20


def test_masks_of_an_image_do_not_depend_on_the_others():
    n, generator = 6, torch.Generator().manual_seed(0)
    regions = torch.randint(0, 9, (n, 8, 8), generator=generator)
    regions[0] %= 2
    regions[1, 3:] = -1  # a smaller image with padding
    numbers = [torch.rand(shape, generator=generator) for shape in ((n,), (n,), (n, 9))]
    together = random_region_masks(regions, region_areas(regions), 0.1, drawing(*numbers))
    for i in range(n):
        own = regions[i : i + 1]
        areas = region_areas(own)
        part = [values[i : i + 1] for values in numbers]
        part[2] = part[2][:, : areas.shape[1]]
        alone = random_region_masks(own, areas, 0.1, drawing(*part))
        assert together[i, : areas.shape[1]].tolist() == alone[0].tolist()
