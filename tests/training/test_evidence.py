"""Masks that say where evidence may be: the term of the loss, and maps that follow images."""

import joblib
import numpy as np
import pytest
import torch
from oracles import objectives as oracle

from p2pselect.exceptions import InputError
from p2pselect.images import as_images
from p2pselect.images._geometry import Grid
from p2pselect.training import evidence_penalty
from p2pselect.training._data import TrainingData, Views
from p2pselect.training._evidence import EvidenceMaps, joined, separated

ALLOWED = 1


@pytest.mark.parametrize("n_regions", [1, 2, 7])
def test_the_term_counts_what_is_kept_pixel_by_pixel(n_regions):
    rng = np.random.default_rng(n_regions)
    regions = rng.integers(0, n_regions, (5, 6, 8))
    regions[1] = 0  # an image with fewer regions than others
    regions[2, :, 5:] = -1
    masks = rng.integers(0, 3, (5, 6, 8)).astype(np.uint8)
    masks[3], masks[4] = 0, 2
    logits = rng.normal(0, 3, (5, n_regions + 1))  # of which the last is padding
    got = evidence_penalty(*map(torch.from_numpy, (logits, regions, masks)))
    want = [oracle.evidence(*one) for one in zip(logits, regions, masks, strict=True)]
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-12)


def test_where_nothing_is_known_the_term_is_zero_and_teaches_nothing():
    logits = torch.randn(3, 3, requires_grad=True)
    regions = torch.tensor([[[0, 1, 2, 2]], [[0, 0, -1, -1]], [[0, 1, 2, 2]]])
    masks = torch.ones(3, 1, 4, dtype=torch.uint8)
    masks[1, 0, 2:] = 0  # what belongs to no region cannot be forbidden
    masks[2] = 0  # a view that has lost everything that is allowed
    penalty = evidence_penalty(logits, regions, masks)
    penalty.sum().backward()
    torch.testing.assert_close(penalty.detach(), torch.zeros(3), rtol=0, atol=1e-6)
    assert logits.grad.abs().max() < 1e-6


@pytest.mark.parametrize("level", [-30.0, -4.0, 0.0, 4.0])
def test_forbidden_zones_are_no_reason_to_keep_less(level):
    logits = torch.full((1, 3), level, requires_grad=True)
    regions = torch.tensor([[[0, 1, 2]]])
    masks = torch.tensor([[[0, 1, 1]]], dtype=torch.uint8)
    penalty = evidence_penalty(logits, regions, masks)
    penalty.backward()
    assert penalty.item() == pytest.approx(np.log(3 / 2), rel=1e-4)
    assert logits.grad[0, 0] > 0 > logits.grad[0, 1]
    assert logits.grad.sum().abs() < 1e-6


def test_joined_maps_come_apart_again():
    rng = np.random.default_rng(0)
    regions = rng.integers(-1, 40, (3, 8, 8)).astype(np.int32)
    maps = rng.integers(0, 3, (3, 8, 8)).astype(np.uint8)
    got_regions, got_maps = separated(joined(regions, maps))
    np.testing.assert_array_equal(got_regions, regions)
    np.testing.assert_array_equal(got_maps, np.where(regions < 0, ALLOWED, maps))


def test_maps_of_a_batch_are_those_of_its_images():
    maps = np.arange(2, dtype=np.uint8)[:, None, None] * 2 + np.zeros((2, 1, 1), np.uint8)
    known = EvidenceMaps(np.array([-1, 1, -1, 0]), maps)
    assert known.rows.tolist() == [1, 3]
    assert known.batch(np.array([3, 0, 1])).ravel().tolist() == [0, ALLOWED, 2]
    part = known.part(np.array([2, 1]))
    assert part.rows.tolist() == [1] and part.batch(np.array([1])).ravel().tolist() == [2]


# -- An image whose pixels equal its mask -----------------------------------------------------

SHAPES = {"pad": (40, 20), "crop": (40, 20), "stretch": (40, 20)}


def blocks(images, contents=None):
    """Regions of 4 x 4 pixels, as many as fit; none on black borders."""
    n, h, w = images.shape[:3]
    rows, columns = np.indices((h, w))
    labels = np.broadcast_to(rows // 4 * (w // 4) + columns // 4, (n, h, w)).astype(np.int32)
    if contents is not None:
        labels = labels.copy()
        for one, (top, left, height, width) in zip(labels, contents, strict=True):
            inside = np.zeros((h, w), bool)
            inside[top : top + height, left : left + width] = True
            one[~inside] = -1
    return labels


def drawn_masks(n, shape):
    """Rectangles of each kind that no flip leaves as they are."""
    masks = np.ones((n, *shape), np.uint8)
    masks[:, shape[0] // 8 : shape[0] // 2, : shape[1] // 3] = 0
    masks[:, -shape[0] // 4 :, shape[1] // 2 :] = 2
    return masks


def move(image, regions, rng):
    """What a user may write: a quarter turn now and then."""
    turns = int(rng.integers(4))
    return np.rot90(image, turns, (1, 2)).copy(), np.rot90(regions, turns, (1, 2)).copy()


def training_data(resize, augment, given, n_views=None, n=6):
    grid = Grid((24, 24), resize)
    masks = drawn_masks(n, SHAPES[resize])
    # In every channel a gray that the mask tells; the fourth image has no mask.
    gray = 50 + 80 * masks
    images = as_images(np.repeat(gray[..., None], 3, axis=3))
    on_grid = np.stack([grid.place(SHAPES[resize]).onto_grid(mask, ALLOWED) for mask in masks])
    places = np.array([0, 1, 2, -1, 4, 5][:n])
    regions = None
    if given:
        sizes = images.sizes()
        regions = blocks(np.empty((n, 24, 24, 3)), grid.contents(sizes))
    views = Views(blocks, grid, augment, n_views)
    target, weight = np.zeros(n, int), np.ones(n, np.float32)
    known = EvidenceMaps(places, on_grid)
    return TrainingData(images, target, views, regions, weight, 0, known)


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("resize", ["pad", "crop", "stretch"])
@pytest.mark.parametrize(
    "augment", [None, "flip", "shift", "affine", "paper", "paper-crop", move]
)
def test_masks_follow_images_through_everything(augment, resize, given, monkeypatch):
    # Jitter of the colors would change what the image says, not where.
    monkeypatch.setattr(
        "p2pselect.training._augmentation.color_jitter", lambda image, rng: image
    )
    data = training_data(resize, augment, given)
    moved = 0
    for data.epoch in range(4):
        inputs, _ = data.batch([0, 1, 2, 3, 4])
        masks, regions = inputs["masks"].numpy(), inputs["regions"].numpy()
        assert masks.dtype == np.uint8 and (masks[3] == ALLOWED).all()
        known, inside = [0, 1, 2, 4], regions >= 0
        said = (inputs["images"][..., 0].numpy().astype(int) - 50 + 40) // 80
        differs = (said != masks) & inside
        # Images are interpolated, and masks are not: along edges they may differ.
        assert differs[known].mean() < 0.12
        assert {0, 1, 2} >= set(np.unique(masks)) and (masks[~inside] == ALLOWED).all()
        moved += (masks[0] != masks[1]).any()
    assert moved or augment is None


@pytest.mark.parametrize("augment", [None, "flip", "shift", move])
def test_masks_follow_images_exactly_where_no_pixel_is_mixed(augment):
    data = training_data("pad", augment, given=True)
    data.images = as_images(np.repeat(50 + 80 * drawn_masks(6, (24, 24))[..., None], 3, axis=3))
    data.masks = EvidenceMaps(np.arange(6), drawn_masks(6, (24, 24)))
    data.regions = blocks(np.empty((6, 24, 24, 3)))
    seen = set()
    for data.epoch in range(6):
        inputs, _ = data.batch([0, 1, 2, 3, 4, 5])
        said = (inputs["images"][..., 0].numpy() - 50) // 80
        np.testing.assert_array_equal(said, inputs["masks"].numpy())
        seen |= {mask.tobytes() for mask in said}
    assert len(seen) > 1 or augment is None


def test_views_that_come_again_keep_their_masks():
    data = training_data("pad", "flip", given=False, n_views=2)
    first = [data.batch([0, 1, 2, 4])[0] for data.epoch in range(2)]
    again = [data.batch([4, 2, 1, 0])[0] for data.epoch in range(2, 4)]
    for one, other in zip(first, again, strict=True):
        for name in ("images", "regions", "masks"):
            torch.testing.assert_close(one[name], other[name].flip(0))
    assert data.kept.n_bytes > 0


@pytest.mark.parametrize("augment", [None, "flip", "affine", "paper"])
def test_images_and_regions_are_what_they_are_without_masks(augment):
    data, plain = (training_data("pad", augment, given=True) for _ in range(2))
    plain.masks = None
    inputs, without = data.batch([0, 1, 2])[0], plain.batch([0, 1, 2])[0]
    assert "masks" not in without
    for name in without:
        torch.testing.assert_close(inputs[name], without[name], rtol=0, atol=0)


def test_an_augmentation_that_makes_regions_is_refused():
    def propose_again(images, regions, rng):
        return images, blocks(images)

    data = training_data("stretch", propose_again, given=True)
    with pytest.raises(InputError, match="regions of its own, which masks cannot follow"):
        data.batch([0, 1])
    data.masks = None
    data.batch([0, 1])


def test_labels_of_single_pixels_may_be_joined():
    data = training_data("stretch", move, given=True)
    data.regions = np.arange(24 * 24, dtype=np.int32).reshape(1, 24, 24).repeat(6, axis=0)
    assert data.batch([0, 1])[0]["regions"].max() == 24 * 24 - 1


def test_other_masks_make_other_checkpoints():
    data, other, none = (training_data("pad", None, given=True) for _ in range(3))
    other.masks.maps[2, 12, 12] = 0
    none.masks = None
    names = {joblib.hash(each.content()) for each in (data, other, none)}
    assert len(names) == len({joblib.hash(each.brief()) for each in (data, other, none)}) == 3
