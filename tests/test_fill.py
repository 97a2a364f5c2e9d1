"""What stands in the place of removed pixels, and that it follows from the kept ones."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from p2pselect._fill import FILLS, constant, filled, filled_arrays, known_fill
from p2pselect.exceptions import InputError

RNG = np.random.default_rng(0)
#: One of each kind, for images of three channels.
KINDS = ["black", "blur", "noise", (0.25,), (0.1, 0.5, 1.0)]
kinds = pytest.mark.parametrize("fill", KINDS, ids=str)

sides = st.integers(1, 9)
pictures = st.tuples(sides, sides).flatmap(
    lambda size: st.tuples(
        hnp.arrays(np.uint8, (2, *size, 3)),
        hnp.arrays(np.uint8, (2, *size, 3)),
        hnp.arrays(bool, (2, *size)),
    )
)


def to_torch(images, masks):
    planes = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    return planes, torch.from_numpy(masks)[:, None].float()


@settings(max_examples=40, deadline=None)
@given(pictures, st.sampled_from(KINDS))
def test_removed_pixels_change_no_bit(found, fill):
    images, others, masks = found
    changed = np.where(masks[..., None], images, others)
    expected = filled_arrays(images, masks, fill)
    np.testing.assert_array_equal(filled_arrays(changed, masks, fill), expected)
    white = 255 if expected.dtype == np.uint8 else 1
    kept = masks[..., None] * (images / np.float32(white if white == 255 else 255))
    np.testing.assert_array_equal(
        expected / np.float32(white) * masks[..., None], kept.astype(np.float32)
    )
    assert ((expected >= 0) & (expected <= white)).all()


@settings(max_examples=40, deadline=None)
@given(pictures, st.sampled_from(KINDS))
def test_torch_and_numpy_agree(found, fill):
    images, _, masks = found
    shown = filled(*to_torch(images, masks), fill).permute(0, 2, 3, 1).numpy()
    expected = filled_arrays(images, masks, fill)
    if expected.dtype == np.uint8:
        expected = expected / np.float32(255)
    # Products of matrices are rounded in another order.
    np.testing.assert_allclose(shown, expected, rtol=0, atol=1e-6 if fill == "blur" else 0)


@kinds
def test_an_image_is_filled_alone_as_in_a_batch(fill):
    images, masks = to_torch(
        RNG.integers(0, 256, (5, 12, 10, 3)).astype(np.uint8), RNG.random((5, 12, 10)) < 0.3
    )
    together = filled(images, masks, fill)
    for i in range(5):
        alone = filled(images[i : i + 1], masks[i : i + 1], fill)
        torch.testing.assert_close(alone[0], together[i], rtol=0, atol=1e-6)


@kinds
def test_nothing_kept_and_everything_kept(fill):
    images = RNG.random((2, 6, 8, 3), dtype=np.float32)
    nothing, everything = (np.full((2, 6, 8), value) for value in (False, True))
    np.testing.assert_array_equal(filled_arrays(images, everything, fill), images)
    empty = filled_arrays(images, nothing, fill)
    np.testing.assert_array_equal(empty[0], empty[1])
    if fill in ("black", "blur"):  # there is nothing to blur
        assert (empty == 0).all()
    elif fill != "noise":
        np.testing.assert_array_equal(empty, np.broadcast_to(np.float32(fill), empty.shape))


def test_a_blur_is_the_mean_of_the_kept_pixels_with_gaussian_weights():
    images, masks = RNG.random((1, 20, 32, 3)), RNG.random((1, 20, 32)) < 0.3
    found = filled_arrays(images.astype(np.float32), masks, "blur")[0]
    places = np.argwhere(masks[0])
    colors = images[0][masks[0]]
    for row, column in np.argwhere(~masks[0])[::37]:
        squared = ((places - (row, column)) ** 2).sum(axis=1)
        # A sixteenth of the longer side; and a thousandth of the mean, wherever it is.
        weights = np.exp(-squared / (2 * 2.0**2)) / (2 * np.pi * 2.0**2)
        expected = weights @ colors + 1e-3 * colors.mean(axis=0)
        expected /= weights.sum() + 1e-3
        np.testing.assert_allclose(found[row, column], expected, atol=1e-5)


def test_far_from_all_kept_pixels_a_blur_is_their_mean():
    images, masks = np.zeros((1, 64, 64, 1), np.uint8), np.zeros((1, 64, 64), bool)
    masks[0, 0, :2], images[0, 0, :2, 0] = True, (100, 200)
    assert filled_arrays(images, masks, "blur")[0, -1, -1] == pytest.approx(150 / 255)


def test_noise_is_uniform_and_differs_from_place_to_place():
    masks = np.zeros((1, 64, 64), bool)
    masks[0, :8] = True
    images = RNG.integers(0, 256, (1, 64, 64, 3)).astype(np.uint8)
    noise = filled_arrays(images, masks, "noise")[0, 8:]
    np.testing.assert_allclose(np.histogram(noise, 8, (0, 1))[0], noise.size / 8, rtol=0.1)
    one, other = noise[:-1].ravel() - 0.5, noise[1:].ravel() - 0.5
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.05
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.05
    # Another picture has other noise, if only its first pixel is another one.
    images[0, 0, 0, 0] ^= 1
    again = filled_arrays(images, masks, "noise")[0, 8:]
    assert abs(np.corrcoef(again.ravel(), noise.ravel())[0, 1]) < 0.05


@kinds
def test_continuous_masks_blend(fill):
    images = torch.rand(2, 3, 8, 8)
    masks = torch.rand(2, 1, 8, 8).clamp(0.1, 0.9).requires_grad_()
    shown = filled(images, masks, fill)
    if not isinstance(fill, str):
        rest = torch.tensor(fill).view(-1, 1, 1)
        torch.testing.assert_close(shown, masks * images + (1 - masks) * rest)
    shown.sum().backward()
    assert torch.isfinite(masks.grad).all() and (masks.grad != 0).any()


@pytest.mark.parametrize(
    "wrong", ["white", 1.5, -0.1, (0.5, 0.5), (0.1, 0.2, "red"), None, (np.nan,) * 3, ()]
)
def test_what_is_no_fill_is_refused(wrong):
    with pytest.raises(InputError, match="networks__fill must be one of .* the 3 channels"):
        constant(wrong, 3)


def test_networks_are_given_a_mean_as_numbers():
    assert known_fill("blur", 3) == "blur" and known_fill([0.5], 3) == (0.5,)
    assert "mean" in FILLS
    with pytest.raises(InputError):
        known_fill("mean", 3)
