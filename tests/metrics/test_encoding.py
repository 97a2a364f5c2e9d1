"""Masks of an audit against slow re-implementations, intervals against theory, outlines."""

import numpy as np
import pytest

from p2pselect.explanations import example_explanation
from p2pselect.metrics._encoding import (
    bootstrap_means,
    first_within,
    predict_from_outlines,
    region_orders,
)


@pytest.fixture(scope="module")
def example():
    return example_explanation(n_images=5)


@pytest.fixture(scope="module")
def orders(example):
    return region_orders(example.explanation, example.object_masks, random_state=0)


def centers(regions):
    labels = range(regions.max() + 1)
    return np.array([np.argwhere(regions == label).mean(axis=0) for label in labels])


def test_every_order_has_every_region_once(example, orders):
    exp = example.explanation
    for order in orders.values():
        np.testing.assert_array_equal(np.sort(order), np.sort(exp.ranking))
    np.testing.assert_array_equal(orders["selected"], exp.ranking)


@pytest.mark.parametrize("kind", ["contiguous", "central"])
def test_masks_in_one_piece_grow_from_their_start(example, orders, kind):
    exp = example.explanation
    for regions, order, n in zip(exp.regions, orders[kind], exp.n_regions, strict=True):
        middle = (np.array(regions.shape) - 1) / 2
        start = centers(regions)[order[0]] if kind == "contiguous" else middle
        distances = np.linalg.norm(centers(regions)[order[:n]] - start, axis=1)
        # Up to one pixel, by which chance sets equal distances apart.
        assert (np.diff(distances) > -1).all()


def test_starts_differ_and_scattered_regions_are_in_no_piece(orders):
    assert len({order[0] for order in orders["contiguous"]}) > 1
    assert (orders["scattered"] != orders["contiguous"]).any(axis=1).all()


def test_regions_of_the_object_come_first(example, orders):
    exp = example.explanation
    pairs = zip(
        exp.regions, example.object_masks, orders["objects"], exp.n_regions, strict=True
    )
    for regions, object_mask, order, n in pairs:
        inside = [object_mask[regions == label].mean() for label in order[:n]]
        assert (np.diff(inside) <= 1e-5).all()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.37, 1.0])
def test_as_many_regions_as_fit_and_at_least_one(example, orders, share):
    exp = example.explanation
    for order in orders.values():
        masks = first_within(exp, order, share)
        for mask, regions, ranks, n in zip(
            masks, exp.regions, order, exp.n_regions, strict=True
        ):
            shown = regions == ranks[0]
            for label in ranks[1:n]:
                larger = shown | (regions == label)
                if larger.mean() > share + 1e-9:
                    break
                shown = larger
            np.testing.assert_array_equal(mask, shown)


def test_images_can_have_shares_of_their_own(example, orders):
    exp, shares = example.explanation, np.linspace(0.1, 0.9, 5)
    together = first_within(exp, orders["scattered"], shares)
    for i, share in enumerate(shares):
        alone = first_within(exp[i], orders["scattered"][i : i + 1], share)
        np.testing.assert_array_equal(together[i], alone[0])


def test_padding_is_never_shown(example):
    exp = example.explanation[:1]
    exp.regions[:, :8] = -1
    orders = region_orders(exp, None, 0)
    for order in orders.values():
        assert not first_within(exp, order, 1.0)[:, :8].any()


def test_intervals_are_those_of_a_normal_mean():
    values = np.random.default_rng(0).normal(size=(500, 2))
    mean, low, high = bootstrap_means(values, None, 2000, 0)
    np.testing.assert_allclose(mean, values.mean(axis=0))
    expected = 1.96 * values.std(axis=0) / np.sqrt(500)
    np.testing.assert_allclose((high - low) / 2, expected, rtol=0.1)
    np.testing.assert_allclose((high + low) / 2, mean, atol=0.15 * expected.max())


def test_groups_are_drawn_as_wholes():
    values = np.repeat(np.random.default_rng(0).normal(size=(40, 1)), 25, axis=0)
    groups = np.repeat(np.arange(40), 25)
    alone = bootstrap_means(values, None, 2000, 0)
    together = bootstrap_means(values, groups, 2000, 0)
    assert together[0] == pytest.approx(alone[0])
    ratio = (together[2] - together[1]) / (alone[2] - alone[1])
    assert 4 < ratio.item() < 6  # the square root of 25


def test_images_without_a_value_do_not_count():
    values = np.array([[1.0, np.nan], [0.0, np.nan], [np.nan, np.nan]])
    mean, low, high = bootstrap_means(values, None, 100, 0)
    assert mean[0] == 0.5 and low[0] == 0.0 and high[0] == 1.0
    assert np.isnan([mean[1], low[1], high[1]]).all()


def test_outlines_tell_a_code_and_nothing_else():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    code = np.zeros((200, 30, 40), bool)
    code[y == 0, :10, :10] = code[y == 1, 20:, 30:] = True
    new = code[:100]
    assert (predict_from_outlines(code[100:], y[100:], new) == y[:100]).all()
    noise = rng.random(code.shape) < 0.1
    assert (predict_from_outlines(noise[100:], y[100:], noise[:100]) == y[:100]).mean() < 0.65
    assert (predict_from_outlines(code[:3], np.ones(3), new) == 1).all()
