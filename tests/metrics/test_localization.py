import math

import numpy as np
import pytest
from oracles import localization as oracle

from p2pselect.exceptions import InputError, P2PSelectWarning
from p2pselect.metrics import (
    center_localization,
    localization_score,
    mask_iou_score,
    mask_recall_score,
    pixel_average_precision_score,
    pointing_game_score,
    random_localization,
)

MASK_SCORES = [
    (localization_score, oracle.precision),
    (mask_iou_score, oracle.iou),
    (mask_recall_score, oracle.recall),
]

#: Options of Quantus: do not rescale the values.
AS_GIVEN = {"disable_warnings": True, "normalise": False}  # codespell:ignore normalise


@pytest.fixture(params=range(5))
def batch(request):
    """Kept, objects, heat, valid for 6 images; the first ones empty or full."""
    rng = np.random.default_rng(request.param)
    shape = (6, 7, 5 + request.param % 2)
    kept, objects = rng.random((2, *shape)) < 0.4
    kept[0] = False
    objects[1] = False
    kept[2] = objects[2] = True
    kept[3] = objects[3] = False
    heat = rng.integers(0, 4, shape) / 4
    return kept, objects, heat, rng.random(shape) < 0.8


@pytest.mark.parametrize(("score", "slow"), MASK_SCORES)
@pytest.mark.parametrize("restricted", [False, True])
def test_mask_scores_equal_loops_over_pixels(batch, score, slow, restricted):
    kept, objects, _, valid = batch
    valids = valid if restricted else [None] * len(kept)
    expected = [slow(*row) for row in zip(kept, objects, valids, strict=True)]
    option = {"valid": valid} if restricted else {}
    np.testing.assert_array_equal(score(kept, objects, per_image=True, **option), expected)
    with pytest.warns(P2PSelectWarning, match="of 6 images"):
        mean = score(kept, objects, **option)
    assert mean == pytest.approx(np.nanmean(expected), abs=1e-15)


@pytest.mark.parametrize("restricted", [False, True])
def test_pointing_game_equals_loops_over_pixels(batch, restricted):
    _, objects, heat, valid = batch
    valids = valid if restricted else [None] * len(heat)
    expected = [oracle.pointing(*row) for row in zip(heat, objects, valids, strict=True)]
    option = {"valid": valid} if restricted else {}
    result = pointing_game_score(heat, objects, per_image=True, **option)
    np.testing.assert_array_equal(result, expected)


def test_pointing_game_never_counts_an_empty_object_as_a_hit():
    assert math.isnan(
        pointing_game_score(np.ones((1, 2, 2)), np.zeros((1, 2, 2), bool), per_image=True)[0]
    )


def test_pixel_average_precision_equals_thresholds_one_by_one(batch):
    _, objects, heat, valid = batch
    expected = oracle.average_precision(heat, objects, valid)
    assert pixel_average_precision_score(heat, objects, valid=valid) == pytest.approx(expected)


def test_pixel_average_precision_of_a_constant_map_is_the_object_share(batch):
    _, objects, _, _ = batch
    constant = np.full(objects.shape, 0.3)
    assert pixel_average_precision_score(constant, objects) == pytest.approx(objects.mean())


def test_center_localization_equals_rings_one_by_one(batch):
    kept, objects, _, _ = batch
    expected = [oracle.center_disc(m.sum(), g) for m, g in zip(kept, objects, strict=True)]
    np.testing.assert_allclose(center_localization(kept, objects, per_image=True), expected)


def test_center_localization_leaves_ignored_pixels_out():
    kept = np.ones((1, 3, 3), dtype=bool)
    objects = np.zeros((1, 3, 3), dtype=bool)
    objects[0, 1] = True
    valid = objects.copy()
    assert center_localization(kept, objects) == pytest.approx(1 / 3)
    assert center_localization(kept, objects, valid=valid) == 1.0


def test_random_localization_is_what_random_masks_score():
    rng = np.random.default_rng(0)
    objects = rng.random((4, 20, 20)) < 0.3
    scores = [localization_score(rng.random(objects.shape) < 0.2, objects) for _ in range(300)]
    assert np.mean(scores) == pytest.approx(random_localization(objects), abs=0.01)
    valid = rng.random(objects.shape) < 0.5
    expected = np.mean([(g & v).sum() / v.sum() for g, v in zip(objects, valid, strict=True)])
    assert random_localization(objects, valid=valid) == pytest.approx(expected)


def test_empty_masks_by_each_rule():
    kept = np.zeros((2, 2, 2), dtype=bool)
    kept[1, 0, 0] = True
    objects = np.ones((2, 2, 2), dtype=bool)
    with pytest.warns(P2PSelectWarning, match="1 of 2 images have no score"):
        assert localization_score(kept, objects) == 1.0
    assert localization_score(kept, objects, empty="zero") == 0.5
    with pytest.raises(InputError, match="keeps no pixel of image 0"):
        localization_score(kept, objects, empty="raise")
    with pytest.raises(InputError, match="empty must be"):
        localization_score(kept, objects, empty="one")


def test_no_image_with_a_score_gives_nan():
    nothing = np.zeros((1, 2, 2), dtype=bool)
    with pytest.warns(P2PSelectWarning, match="1 of 1"):
        assert math.isnan(localization_score(nothing, ~nothing))


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.ones((2, 3, 3)), np.ones((3, 3, 3)), "got 3 masks for 2 images"),
        (
            np.ones((2, 3, 4)),
            np.ones((2, 4, 3)),
            r"object_masks\[0\] has height and width exch",
        ),
        (np.ones((0, 3, 4)), np.ones((0, 3, 4)), "pixel_masks has no pixel"),
        (np.ones((3, 3)), np.ones((3, 3)), r"pixel_masks must have shape \(n, h, w\)"),
        (np.full((1, 2, 2), 0.5), np.ones((1, 2, 2)), "pixel_masks must be bool"),
        (np.ones((1, 2, 2)), np.full((1, 2, 2), 3), r"object_masks\[0\] must be bool"),
    ],
)
def test_arrays_that_do_not_fit_are_named(first, second, message):
    with pytest.raises(InputError, match=message):
        localization_score(first, second)


def test_nan_in_a_heat_map_is_an_error():
    with pytest.raises(InputError, match="heat_maps contains NaN"):
        pointing_game_score(np.full((1, 2, 2), np.nan), np.ones((1, 2, 2), bool))


def test_localization_equals_quantus():
    quantus = pytest.importorskip("quantus", "0.6", "quantus is not installed")
    rng = np.random.default_rng(0)
    kept, objects = rng.random((2, 8, 16, 16)) < 0.4
    metric = quantus.RelevanceMassAccuracy(**AS_GIVEN)
    theirs = metric.evaluate_batch(
        a_batch=kept.astype(float)[:, None], s_batch=objects[:, None]
    )
    ours = localization_score(kept, objects, per_image=True)
    np.testing.assert_allclose(ours, theirs, atol=1e-12, rtol=0)


def test_pointing_game_equals_quantus_on_continuous_maps():
    quantus = pytest.importorskip("quantus", "0.6", "quantus is not installed")
    rng = np.random.default_rng(0)
    heat, objects = rng.random((20, 12, 12)), rng.random((20, 12, 12)) < 0.4
    metric = quantus.PointingGame(**AS_GIVEN)
    theirs = metric.evaluate_batch(a_batch=heat[:, None], s_batch=objects[:, None])
    np.testing.assert_array_equal(pointing_game_score(heat, objects, per_image=True), theirs)


def test_pixels_that_do_not_count_are_never_the_hottest():
    # Where all heat is minus infinity, too.
    objects, valid = np.zeros((2, 1, 2, 2), bool)
    objects[0, 0, 0] = valid[0, 0] = True
    cold = np.full((1, 2, 2), -np.inf)
    assert pointing_game_score(cold, objects, valid=valid) == 0.5


def test_infinite_heat_has_its_place_in_the_order():
    heat = np.array([[[np.inf, 2.0], [-np.inf, 1.0]]])
    objects = np.array([[[True, False], [True, False]]])
    finite = np.array([[[3.0, 2.0], [0.0, 1.0]]])
    wanted = pixel_average_precision_score(finite, objects)
    assert pixel_average_precision_score(heat, objects) == wanted
