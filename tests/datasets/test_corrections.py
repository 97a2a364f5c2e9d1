"""What people have marked: a file of it, and the masks that it stands for."""

import json

import numpy as np
import pytest
from PIL import Image

from p2pselect.datasets import (
    Correction,
    correction_masks,
    read_corrections,
    write_corrections,
)
from p2pselect.exceptions import InputError
from p2pselect.images import as_images
from p2pselect.images._geometry import Grid

SQUARE = [[[2, 1], [6, 1], [6, 4], [2, 4]]]
PHOTOS = as_images(np.zeros((3, 8, 12, 3), np.uint8))


def written(folder, *entries):
    file = folder / "corrections.json"
    file.write_text(json.dumps({"corrections": entries}), encoding="utf-8")
    return file


def photographs(folder, names, size=(12, 8)):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size).save(folder / name)
    return as_images([folder / name for name in names])


def even_odd(rings, height, width):
    """Pixels whose center an odd number of rings encloses, by counting crossings of a ray."""
    inside = np.zeros((height, width), bool)
    for row in range(height):
        for column in range(width):
            y, x, crossings = row + 0.5, column + 0.5, 0
            for ring in rings:
                for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], ring[0]], strict=True):
                    if (y0 > y) != (y1 > y):
                        crossings += x0 + (y - y0) / (y1 - y0) * (x1 - x0) > x
            inside[row, column] = crossings % 2
    return inside


def test_what_is_written_is_read(tmp_path):
    made = [
        Correction("rust/ä.jpg", "wrong", polygon=SQUARE, size=[8, 12]),
        Correction(2, "missing", regions=[4, 7]),
    ]
    write_corrections(tmp_path / "c.json", made)
    assert read_corrections(tmp_path / "c.json") == made


def test_polygons_have_holes_and_pieces():
    rng = np.random.default_rng(0)
    for _ in range(20):
        rings = rng.uniform(0, 1, (2, 5, 2)) * (12, 8)
        one = Correction(1, "wrong", polygon=rings.tolist())
        masks = correction_masks([one], PHOTOS)
        np.testing.assert_array_equal(masks[1] == 0, even_odd(rings.tolist(), 8, 12))
        assert masks[0] is masks[2] is None


def test_later_corrections_count():
    outer = [[[0, 0], [12, 0], [12, 8], [0, 8]]]
    given = [
        Correction(0, "wrong", polygon=outer),
        Correction(0, "missing", polygon=SQUARE),
    ]
    (mask, _, _) = correction_masks(given, PHOTOS)
    expected = np.zeros((8, 12))
    expected[1:4, 2:6] = 2
    np.testing.assert_array_equal(mask, expected)
    (mask, _, _) = correction_masks(given[::-1], PHOTOS)
    assert not mask.any()


@pytest.mark.parametrize("resize", ["pad", "crop", "stretch"])
def test_regions_by_number(resize):
    regions = np.arange(64).reshape(1, 8, 8).repeat(3, axis=0) // 8  # rows of the grid
    one = Correction(1, "missing", regions=[3, 4])
    mask = correction_masks([one], PHOTOS, regions, resize=resize)[1]
    # The two rows in the middle of the grid: on a photograph of 12 columns, 8 of which a
    # square holds, and on one that is scaled to two thirds or not at all.
    place = Grid.of(8, resize).place((8, 12))
    np.testing.assert_array_equal(mask == 2, np.isin(place.back(regions[0], -1), [3, 4]))
    assert (mask == 2).any() and set(np.unique(mask)) == {1, 2}


def test_large_photographs_have_masks_of_a_copy(tmp_path):
    images = photographs(tmp_path, ["a.png"], size=(4096, 2048))
    half = [[[0, 0], [2048, 0], [2048, 2048], [0, 2048]]]
    (mask,) = correction_masks([Correction("a.png", "wrong", polygon=half)], images)
    assert mask.shape == (512, 1024) and not mask[:, :512].any() and mask[:, 512:].all()


def test_photographs_are_found_by_the_end_of_their_path(tmp_path):
    images = photographs(tmp_path, ["x/rust/7.png", "x/healthy/7.png", "x/rust/17.png"])
    for name in ("rust/7.png", r"rust\\7.png", "x/rust/7.png", str(tmp_path / "x/rust/7.png")):
        masks = correction_masks([Correction(name, "wrong", polygon=SQUARE)], images)
        assert [mask is not None for mask in masks] == [True, False, False]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"image": "x/7.png", "polygon": SQUARE}, "kind is missing"),
        ({"image": "x/7.png", "kind": "bad", "polygon": SQUARE}, 'kind must be "wrong" or'),
        ({"image": "", "kind": "wrong", "polygon": SQUARE}, "image must be the name"),
        ({"image": True, "kind": "wrong", "polygon": SQUARE}, "image must be the name"),
        ({"image": -1, "kind": "wrong", "polygon": SQUARE}, "image must be the name"),
        ({"image": 0, "kind": "wrong"}, "expected either polygon or regions"),
        ({"image": 0, "kind": "wrong", "polygon": SQUARE, "regions": [1]}, "expected either"),
        (
            {"image": 0, "kind": "wrong", "polygon": SQUARE[0]},
            "polygon must be a list of rings",
        ),
        ({"image": 0, "kind": "wrong", "polygon": [[[0, 0], [1, 1]]]}, "three or more"),
        ({"image": 0, "kind": "wrong", "polygon": [[[0, 0], [1, 1], [10**400, 0]]]}, "polygon"),
        ({"image": 0, "kind": "wrong", "polygon": "all"}, "polygon must be"),
        ({"image": 0, "kind": "wrong", "polygon": []}, "polygon must be"),
        ({"image": 0, "kind": "wrong", "regions": []}, "regions must be numbers"),
        ({"image": 0, "kind": "wrong", "regions": 3}, "regions must be numbers"),
        ({"image": 0, "kind": "wrong", "regions": [1.5]}, "regions must be numbers"),
        ({"image": 0, "kind": "wrong", "regions": [1], "size": [8]}, "size must be height"),
        ({"image": 0, "kind": "wrong", "region": [1]}, "there is no 'region'; known are"),
        ("wrong", "expected an object"),
    ],
)
def test_an_entry_that_is_wrong_is_named(entry, message, tmp_path):
    fine = {"image": 0, "kind": "wrong", "regions": [1]}
    file = written(tmp_path, fine, entry)
    with pytest.raises(InputError, match=message) as error:
        read_corrections(file)
    assert "entry 1" in str(error.value) and str(file) in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "expected"),
        ("{}", "expected"),
        ('{"corrections": 3}', "expected"),
        ("not JSON", "is not JSON"),
        ('{"corrections": [{"image": NaN}]}', "NaN is no number of JSON"),
        ("[" * 100_000, "is not JSON"),
        ("\ud83d", "is not JSON"),
    ],
)
def test_other_files_are_refused(content, message, tmp_path):
    file = tmp_path / "corrections.json"
    file.write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError, match=message):
        read_corrections(file)
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_corrections(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"image": "8.png"}, "image '8.png': it is none of the 3 images"),
        ({"image": 3}, "image 3: it is none of the 3 images"),
        ({"image": "7.png"}, "2 of the 3 images have this name"),
        ({"image": "b/7.png", "size": [8, 13]}, r"a photograph of \(8, 13\) pixels, this one"),
        ({"image": "b/7.png", "polygon": [[[0, 0], [14, 0], [0, 8]]]}, "x goes from 0 to 14"),
        ({"image": "b/7.png", "polygon": [[[0, -3], [12, 0], [0, 8]]]}, "y goes from -3 to 8"),
        ({"image": "b/7.png", "polygon": None, "regions": [64]}, "it has no region 64"),
    ],
)
def test_a_correction_that_does_not_fit_is_named(entry, message, tmp_path):
    images = photographs(tmp_path, ["a/7.png", "b/7.png", "a/6.png"])
    entry = {"kind": "wrong", "polygon": SQUARE, **entry}
    regions = np.arange(64).reshape(1, 8, 8).repeat(3, axis=0)
    given = [Correction("a/6.png", "wrong", polygon=SQUARE), Correction(**entry)]
    with pytest.raises(InputError, match=message) as error:
        correction_masks(given, images, regions)
    assert "correction 1" in str(error.value)


def test_regions_need_label_maps():
    with pytest.raises(InputError, match="names regions: pass their label maps"):
        correction_masks([Correction(0, "wrong", regions=[1])], PHOTOS)
