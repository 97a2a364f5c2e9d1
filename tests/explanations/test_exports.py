"""What leaves the library: a data frame, and annotations that COCO's own tools read."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from explanations.photographs import COLORS, explained, quarters
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from pycocotools.coco import COCO

from p2pselect.exceptions import InputError, MissingPackageError
from p2pselect.explanations import example_explanation
from p2pselect.explanations._exports import pieces


@pytest.fixture(scope="module")
def exp():
    return example_explanation(n_images=3).explanation


def read(data, tmp_path):
    """What COCO's own code makes of a file."""
    file = tmp_path / "coco.json"
    file.write_text(json.dumps(data))
    return COCO(file)


def drawn(annotations, shape):
    """The union of annotations, as COCO's own code draws them, and how often each is there."""
    reader = COCO()
    reader.dataset = {
        "images": [{"id": 0, "height": shape[0], "width": shape[1]}],
        "annotations": [
            {"id": i, "image_id": 0, "category_id": 0, **one}
            for i, one in enumerate(annotations)
        ],
        "categories": [],
    }
    reader.createIndex()
    masks = [reader.annToMask(one) for one in reader.dataset["annotations"]]
    return sum(masks, np.zeros(shape, int)), masks


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)))
def test_any_mask_is_the_sum_of_its_pieces_to_the_pixel(mask):
    found = list(pieces(mask))
    total, masks = drawn(found, mask.shape)
    np.testing.assert_array_equal(total, mask)
    for one, own in zip(found, masks, strict=True):
        y, x = np.nonzero(own)
        assert one["area"] == own.sum()
        assert one["bbox"] == [x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1]


@given(st.integers(1, 4), st.integers(1, 4))
def test_a_rectangle_is_a_polygon_of_four_corners(height, width):
    mask = np.zeros((6, 7), bool)
    mask[1 : 1 + height, 2 : 2 + width] = True
    (piece,) = pieces(mask)
    (polygon,) = piece["segmentation"]
    corners = {*zip(polygon[::2], polygon[1::2], strict=True)}
    assert len(polygon) == 8
    assert corners == {(x, y) for x in (2, 2 + width) for y in (1, 1 + height)}


def test_pieces_that_touch_at_a_corner_are_two_and_holes_stay_open():
    assert len(list(pieces(np.eye(2, dtype=bool)))) == 2
    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    (piece,) = pieces(ring)
    assert piece["segmentation"] == {"size": [3, 3], "counts": [0, 4, 1, 4]}
    assert list(pieces(np.zeros((3, 3), bool))) == []


def test_coco_holds_what_is_kept_of_the_photographs(exp, tmp_path):
    large = replace(
        exp, original_sizes=np.array([[90, 120], [64, 64], [200, 100]]), originals=None
    )
    found = read(large.to_coco(["a/1.png", "b/2.png", "c.png"]), tmp_path)
    assert [image["file_name"] for image in found.loadImgs([0, 1, 2])] == [
        "a/1.png", "b/2.png", "c.png",
    ]  # fmt: skip
    for i, mask in enumerate(large.masks_at_original_size()):
        own = found.loadAnns(found.getAnnIds(imgIds=i))
        np.testing.assert_array_equal(sum(map(found.annToMask, own)), mask)
        for one in own:
            assert found.cats[one["category_id"]]["name"] == str(large.predicted[i])
            assert one["score"] == pytest.approx(large.certainty[i])
            assert one["answered"] == large.answered[i]


def test_an_empty_mask_has_no_annotation(exp):
    nothing = replace(exp, region_masks=np.zeros_like(exp.region_masks))
    data = nothing.to_coco()
    assert data["annotations"] == [] and len(data["images"]) == 3
    assert [image["file_name"] for image in data["images"]] == ["0", "1", "2"]


def test_a_frame_has_a_row_for_each_image(exp):
    frame = exp.to_frame(["x", "y", "z"])
    assert frame["image"].tolist() == ["x", "y", "z"]
    for name in ("certainty", "answered", "tau", "kept_fraction", "n_regions"):
        np.testing.assert_array_equal(frame[name], getattr(exp, name))
    assert frame["prediction"].tolist() == exp.predicted.tolist()
    assert frame["unanswered_reasons"].tolist() == ["|".join(r) for r in exp.unanswered_reasons]
    for k, label in enumerate(exp.classes):
        np.testing.assert_array_equal(frame[f"p({label})"], exp.proba[:, k])
    assert exp[[]].to_frame().shape == (0, frame.shape[1])


def test_images_are_named_by_their_files(tmp_path):
    files = [tmp_path / f"{name}.png" for name in "ab"]
    for file in files:
        Image.fromarray(COLORS[quarters(40, 30)]).save(file)
    assert explained(files).to_frame()["image"].tolist() == [str(file) for file in files]


def test_an_overlay_is_as_large_as_the_photograph():
    exp = explained([COLORS[quarters(40, 700)], COLORS[quarters(30, 20)]])
    assert exp.overlay().shape == (40, 700, 3) and exp.overlay(1).shape == (30, 20, 3)


@pytest.mark.parametrize("method", ["to_frame", "to_coco"])
def test_there_is_a_name_for_each_image(exp, method):
    with pytest.raises(InputError, match="each of the 3 images, got 1"):
        getattr(exp, method)(["a"])


def test_without_pandas(exp, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingPackageError, match=r"pandas is needed for to_frame"):
        exp.to_frame()
