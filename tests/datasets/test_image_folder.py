import os
import re

import numpy as np
import pytest
from PIL import Image

from p2pselect.datasets import load_image_folder
from p2pselect.datasets._image_folder import load_split_folder
from p2pselect.exceptions import InputError, P2PSelectWarning
from p2pselect.images import ImageSequence, as_images


def tree(root, *files):
    """Empty files; listing opens none."""
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return root


def listed(images, root):
    return [os.path.relpath(file, root).replace(os.sep, "/") for file in images.files]


def test_classes_are_folders(tmp_path):
    tree(
        tmp_path, "dog/2.jpg", "cat/10.jpg", "cat/1.JPG", "dog/1.jpg", "cat/.3.jpg", ".x/1.jpg"
    )
    Image.new("L", (6, 4)).save(tmp_path / "cat" / "1.JPG", "JPEG")
    images, labels = load_image_folder(tmp_path)
    assert isinstance(images, ImageSequence)
    assert labels.tolist() == ["cat", "cat", "dog", "dog"]
    assert listed(images, tmp_path) == ["cat/1.JPG", "cat/10.jpg", "dog/1.jpg", "dog/2.jpg"]
    assert images.batch([0]).shape == (1, 4, 6, 3)
    assert len(as_images(images)) == 4
    assert listed(load_image_folder(str(tmp_path))[0], tmp_path) == listed(images, tmp_path)


def test_all_below_a_class_belongs_to_it(tmp_path, recwarn):
    tree(tmp_path, "cat/2021/a.png", "cat/2021/may/b.png", "cat/z.png", "dog/c.png")
    images, labels = load_image_folder(tmp_path)
    assert listed(images, tmp_path) == [
        "cat/z.png",
        "cat/2021/a.png",
        "cat/2021/may/b.png",
        "dog/c.png",
    ]
    assert labels.tolist() == ["cat", "cat", "cat", "dog"] and not recwarn.list


def test_own_endings(tmp_path, recwarn):
    tree(tmp_path, "cat/1.jpg", "cat/1.png", "cat/1_rgb.PNG", "dog/2.png", "dog/2_rgb.png")
    images, labels = load_image_folder(tmp_path, extensions=["_RGB.png"])
    assert listed(images, tmp_path) == ["cat/1_rgb.PNG", "dog/2_rgb.png"]
    assert labels.tolist() == ["cat", "dog"] and not recwarn.list


def test_names_that_are_not_utf8(tmp_path):
    for name in (b"caf\xe9", b"the"):
        folder = tmp_path / os.fsdecode(name)
        folder.mkdir()
        Image.new("L", (6, 4)).save(folder / os.fsdecode(b"\xff.png"))
    images, labels = load_image_folder(tmp_path)
    assert labels.tolist() == ["caf\udce9", "the"]
    assert images.batch([0, 1]).shape == (2, 4, 6, 3)


@pytest.mark.parametrize(
    ("files", "message", "labels"),
    [
        (["cat/1.jpg", "dog/x.jpg", "a/.y.jpg"], r"without images .*: 1 \(a\)", "cd"),
        (["cat/1.jpg", "dog/1.jpg", "7.jpg"], r"next to .* left out: 1 \(7.jpg\)", "cd"),
        (["cat/1.jpg", "dog/1.jpg", "dog/a.heif"], r"left out .*: 1 \(.heif 1\)", "cd"),
        (
            ["cat/1.jpg", "dog/1.jpg", "dog/A.CSV", "x", "y.csv"],
            r": 3 \(.csv 2, without ending 1\)",
            "cd",
        ),
        (["cat/1.jpg", "cat/1.png", "dog/1.jpg"], r": 1 \(cat/1.jpg and cat/1.png\)", "ccd"),
        (["cat/1.jpg", "cat/1_mask.png", "dog/1.jpg"], "cat/1.jpg and cat/1_mask.png", "ccd"),
        (["all/cat/1.jpg", "all/dog/1.jpg"], "one class, all, .* pass {root}/all", "aa"),
    ],
)
def test_what_looks_like_a_mistake_is_said(files, message, labels, tmp_path):
    message = message.replace("{root}", re.escape(str(tmp_path)))
    with pytest.warns(P2PSelectWarning, match=message) as said:
        _, found = load_image_folder(tree(tmp_path, *files))
    assert "".join(label[0] for label in found) == labels and len(said) == 1


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            ["train/cat/1.jpg", "val/cat/1.jpg", "a/.x"],
            "train, val .*did you mean {root}/train",
        ),
        (["Test-Set/cat/1.jpg"], "Test-Set .*did you mean {root}/Test-Set"),
        (["fold 1/cat/1.jpg", "fold 2/cat/1.jpg"], "did you mean {root}/fold 1"),
        (["images/cat/1.jpg", "masks/cat/1.png"], "did you mean {root}/images"),
        (["train/1.jpg", "test/1.jpg"], "test, train .*hold images directly"),
        (
            ["cat/1.jpg", "dog/1.jpg", "m/cat/1.png", "m/dog/1.png"],
            "m contains folders .*cat, dog",
        ),
        (
            ["1.jpg", "2.jpg"],
            "2 images .*; if they are one class, pass .* above it, {up}",
        ),
        (
            ["1.txt", "x/2.txt"],
            r"holds no images, but files .*: 2 \(.txt 2\)",
        ),
        (["1.txt", "x/2.txt"], "one subfolder per class"),
    ],
)
def test_folders_above_or_below_the_classes(files, message, tmp_path):
    message = message.replace("{root}", str(tmp_path)).replace("{up}", str(tmp_path.parent))
    with pytest.raises(InputError, match=f"(?s){message}"):
        load_image_folder(tree(tmp_path, *files))


@pytest.mark.parametrize(
    "files",
    [
        ["car/1.jpg", "train/1.jpg"],  # a vehicle
        ["label 1/1.jpg", "label 2/1.jpg"],
        ["test/a.jpg"],
        ["1/2/a.jpg", "2/1/a.jpg"],  # digits by their writers
        ["cat/left/a.jpg", "dog/left/a.jpg"],
    ],
)
def test_classes_that_look_like_something_else(files, tmp_path, recwarn):
    _, labels = load_image_folder(tree(tmp_path, *files))
    assert labels.tolist() == [file.partition("/")[0] for file in files] and not recwarn.list


def test_places_that_are_not_folders(tmp_path):
    with pytest.raises(InputError, match="nowhere is not a folder(?s:.*)cat/\n"):
        load_image_folder(tmp_path / "nowhere")
    tree(tmp_path, "a.png")
    with pytest.raises(InputError, match="a.png is not a folder"):
        load_image_folder(tmp_path / "a.png")


def test_codes_agree_over_splits(tmp_path):
    tree(
        tmp_path, "train/b/1.png", "train/c/1.png", "val/c/1.png", "val/d/1.png", "val/.e/1.png"
    )
    (tmp_path / "train" / "a").mkdir()
    images, target, names = load_split_folder(
        tmp_path / "val", tmp_path / "train", tmp_path / "val", tmp_path / "test"
    )
    assert names.tolist() == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(target, [2, 3])
    assert listed(images, tmp_path) == ["val/c/1.png", "val/d/1.png"]
