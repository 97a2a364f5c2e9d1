from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from p2pselect import metrics
from p2pselect.datasets import MaskSequence
from p2pselect.exceptions import InputError
from p2pselect.explanations import example_explanation
from p2pselect.metrics import check_object_masks

EYE = np.eye(4, dtype=bool)
WAYS = {
    "bool": EYE[None],
    "0 and 1": EYE[None].astype(np.uint8),
    "0 and 255": EYE[None].astype(np.uint8) * 255,
    "floats 0 and 1": EYE[None].astype(float),
    "floats 0 and 255": EYE[None].astype(np.float32) * 255,
    "channels last": EYE[None, ..., None].astype(int),
    "channels first": EYE[None, None],
    "tensor": torch.from_numpy(EYE[None]),
    "tensor with a channel": torch.from_numpy(EYE[None, None]).float(),
    "tensor with a gradient": torch.from_numpy(EYE[None]).float().requires_grad_(),
    "bfloat16": torch.from_numpy(EYE[None]).bfloat16(),
    "Fortran order": [np.asfortranarray(EYE.astype(np.uint8))],
    "big-endian": EYE[None].astype(">i4"),
    "nested lists": [EYE.tolist()],
    "sequence": MaskSequence([0], lambda _: EYE),
}


@pytest.mark.parametrize(
    ("resize", "rows"), [("pad", slice(16, 24)), ("stretch", slice(16)), ("crop", slice(16))]
)
def test_a_mask_lies_where_its_photograph_lies(resize, rows):
    example = example_explanation(n_images=1).explanation
    exp = replace(example, original_sizes=np.array([[32, 64]]), resize=resize)
    upper_quarter = np.zeros((32, 64), bool)
    upper_quarter[:8] = True
    expected = np.zeros((1, 64, 64), bool)
    expected[:, rows] = True
    np.testing.assert_array_equal(metrics.masks_on_grid([upper_quarter], exp), expected)


@pytest.mark.parametrize("way", WAYS)
def test_ways_to_give_one_mask(way):
    result = check_object_masks(WAYS[way], 1)
    assert result.dtype == bool
    np.testing.assert_array_equal(result, EYE[None])
    kept = np.triu(np.ones((4, 4), bool))[None]
    assert metrics.localization_score(kept, WAYS[way]) == 0.4
    assert metrics.localization_score(kept, EYE[None], valid=WAYS[way]) == 1
    assert metrics.random_localization(WAYS[way]) == 0.25


def test_empty_and_full_masks_in_a_set():
    for top in (1, 255):
        masks = np.stack([EYE * 0, EYE * 0 + 1, EYE]).astype(np.uint8) * top
        assert check_object_masks(masks, 3).sum(axis=(1, 2)).tolist() == [0, 16, 4]


def test_other_sizes_are_resized_by_nearest_neighbor():
    mask = np.zeros((1, 4, 4), dtype=bool)
    mask[0, :2, :2] = True
    for side in (2, 8, 12):
        small = check_object_masks(mask, 1, (side, side))
        assert small[0, : side // 2, : side // 2].all()
        assert small.sum() == (side // 2) ** 2
    unequal = [np.ones((3, 5), bool), np.zeros((4, 4), bool)]
    assert check_object_masks(unequal, 2, (6, 6)).sum(axis=(1, 2)).tolist() == [36, 0]


@settings(max_examples=30, deadline=None)
@given(
    hnp.arrays(bool, (3, 4, 6)),
    hnp.arrays(bool, (3, 4, 6)),
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=3, max_size=3),
)
@pytest.mark.filterwarnings("ignore:.*have no score")
def test_masks_of_the_photographs_own_sizes_score_the_same(kept, objects, factors):
    large = [
        mask.repeat(down, axis=0).repeat(right, axis=1)
        for mask, (down, right) in zip(objects, factors, strict=True)
    ]
    for score in (
        metrics.localization_score,
        metrics.mask_iou_score,
        metrics.mask_recall_score,
    ):
        expected = score(kept, objects, per_image=True)
        np.testing.assert_array_equal(score(kept, large, per_image=True), expected)


LABELS = np.arange(32).reshape(2, 4, 4)
VOID = np.where(LABELS < 30, LABELS % 3, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (np.ones((3, 4, 4), bool), "got 3 masks for 2 images"),
        (np.ones((4, 4, 2), bool), r"np.moveaxis\(masks, -1, 0\)"),
        (np.ones((2, 4)), r"masks\[0\] must have shape \(h, w\), got \(4,\)"),
        (np.ones((2, 4, 4, 3)), r"masks\[0\] must have shape \(h, w\), got \(4, 4, 3\)"),
        (np.ones((2, 0, 4)), r"masks\[0\] must have shape"),
        (
            np.full((2, 4, 4), 0.5),
            r"masks\[0\] must be bool.*\[0.5\]; if they are soft .*pass masks >= 0.5",
        ),
        (np.full((2, 4, 4), np.nan), r"masks\[0\] must be bool.*NaN"),
        (
            LABELS,
            r"masks\[0\] must be bool.*\[0, 1, 2, 3, 4\] ...; if .* labels, pass masks == k",
        ),
        (-EYE[None].repeat(2, 0).astype(int), r"masks\[0\] must be bool.*\[-1, 0\]"),
        (VOID, r"masks\[0\].*labels, pass masks == k"),
        (VOID[::-1], r"masks\[0\].*masks == k as masks, .*masks != 255 as valid"),
        (EYE[None].repeat(2, 0).astype(str), r"masks\[0\] must be bool.*dtype <U"),
        (EYE[None].repeat(2, 0).astype(object), r"masks\[0\] must be bool.*dtype object"),
        ([EYE.astype(int), EYE * 255], r"alike: masks\[0\] goes to 1 and masks\[1\] to 255"),
        ([np.ones((4, 4), bool), np.ones((3, 3), bool)], "must have one size"),
        ([[[1], [1, 0]]] * 2, r"masks\[0\] must be an array \(h, w\), got"),
        ([{"size": [4, 4], "counts": b"x" * 100_000}] * 2, r"pycocotools.mask.decode"),
        (["a.png", "b.png"], r"masks\[0\] must be an array \(h, w\), got 'a.png'"),
        (7, "must be an array"),
        ("x" * 100_000, "must be an array"),
    ],
)
def test_bad_masks_are_named(masks, message):
    with pytest.raises(InputError, match=message) as caught:
        check_object_masks(masks, 2)
    assert len(str(caught.value)) < 500


def test_exchanged_height_and_width_are_refused():
    masks = [np.ones((3, 5), bool), np.ones((5, 3), bool)]
    with pytest.raises(InputError, match=r"masks\[1\] has height and width exchanged"):
        check_object_masks(masks, 2, (3, 5))
    assert check_object_masks(masks, 2, (4, 4)).all()
