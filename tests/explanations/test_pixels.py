"""Pictures out of arrays."""

from dataclasses import replace

import numpy as np
import pytest

from p2pselect.explanations.figures._photographs import photograph, region_crop
from p2pselect.explanations.figures._pixels import (
    CROP_SIDE,
    draw_borders,
    embedding_colors,
    enlarge,
    to_rgb,
)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_any_number_of_channels_becomes_color(channels):
    rgb = to_rgb(np.full((2, 4, 5, channels), 7, np.uint8))
    assert rgb.shape == (2, 4, 5, 3) and rgb.dtype == np.uint8 and (rgb == 7).all()


def test_floats_are_scaled_and_clipped():
    image = np.array([0.0, 0.5, 1.0, 1.5], np.float32).reshape(1, 2, 2, 1)
    assert to_rgb(image)[0, ..., 0].ravel().tolist() == [0, 128, 255, 255]


def test_borders_lie_where_labels_differ_and_leave_the_input_alone():
    image = np.zeros((8, 8, 3), np.uint8)
    labels = np.repeat([[0] * 4 + [1] * 4], 8, axis=0)
    drawn = draw_borders(image, labels, (9, 9, 9))
    times = len(drawn) // 8
    columns = np.flatnonzero(drawn[0, :, 0])
    assert len(columns) and (abs(columns - 4 * times) <= 1).all()
    assert not image.any()


def test_wider_lines_cover_narrower_ones():
    labels = np.arange(4).reshape(2, 2)
    image = np.zeros((2, 2, 3), np.uint8)
    thin, wide = (draw_borders(image, labels, (1, 1, 1), w)[..., 0] > 0 for w in (1, 5))
    assert wide.sum() > thin.sum() and wide[thin].all()


def test_one_region_has_no_border():
    assert not draw_borders(
        np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), int), (1, 1, 1)
    ).any()


def test_large_images_are_not_enlarged():
    assert enlarge(np.zeros((400, 500))).shape == (400, 500)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_embedding_of_any_dimension_becomes_colors(made, size):
    exp = made.explanation[:1]
    rng = np.random.default_rng(0)
    embedding = rng.normal(size=(1, size, exp.region_masks.shape[1])).astype(np.float32)
    colors = embedding_colors(embedding[0])
    assert colors.shape == (exp.region_masks.shape[1], 3)
    assert len(np.unique(colors, axis=0)) > 10


def test_zero_embedding_is_grey(made):
    exp = made.explanation[:1]
    assert np.unique(embedding_colors(np.zeros_like(exp.region_embeddings[0]))).tolist() == [
        127
    ]


def test_crop_shows_its_region_brighter_than_the_rest(made):
    exp = replace(made.explanation, images=np.full_like(made.explanation.images, 200))
    crop = region_crop(photograph(exp, 0), 0)
    assert crop.shape == (CROP_SIDE, CROP_SIDE, 3)
    assert crop.max() == 200 and crop.min() == 50
