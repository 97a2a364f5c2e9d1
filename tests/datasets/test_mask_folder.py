import numpy as np
import pytest
from PIL import Image

from p2pselect.datasets import load_image_folder, load_mask_folder
from p2pselect.datasets._mask_folder import find_masks
from p2pselect.exceptions import ImageReadError, InputError
from p2pselect.images import as_images


@pytest.fixture
def tree(tmp_path):
    """images/ and masks/ with two classes."""
    for name, number in (("dog", "2"), ("cat", "10"), ("cat", "1"), ("dog", "1")):
        for part, ending in (("images", "jpg"), ("masks", "png")):
            (tmp_path / part / name).mkdir(parents=True, exist_ok=True)
            image = Image.new("L", (6, 4))
            image.paste(255, (0, 0, int(number) % 5 + 1, 2))
            image.save(tmp_path / part / name / f"{number}.{ending}")
    return tmp_path


def test_masks_lie_beside_images(tree):
    images, _ = load_image_folder(tree / "images")
    masks = load_mask_folder(tree / "masks", images)
    assert masks.dtype == bool and masks.shape == (4, 4, 6)
    # Widths 2, 1, 2, 3 (number % 5 + 1) of height 2.
    assert masks.sum(axis=(1, 2)).tolist() == [4, 2, 4, 6]
    np.testing.assert_array_equal(load_mask_folder(tree / "masks", images[[3]]), masks[3:])


def find(tmp_path, masks, images, endings=None):
    """Masks of images, both relative to their folders."""
    for file in [*(f"m/{mask}" for mask in masks), *images]:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    found = find_masks(tmp_path / "m", [str(tmp_path / image) for image in images], endings)
    return [mask and mask.relative_to(tmp_path / "m").as_posix() for mask in found]


@pytest.mark.parametrize(
    ("masks", "images", "expected"),
    [
        (
            ["cat/1.png", "dog/1.png"],
            ["i/dog/1.jpg", "i/cat/1.jpg"],
            ["dog/1.png", "cat/1.png"],
        ),
        (["cat/a/1.png", "cat/1.png"], ["i/cat/a/1.jpg"], ["cat/a/1.png"]),
        (["1.png", "cat/1.png"], ["i/cat/1.jpg"], ["cat/1.png"]),
        (["cat/1_mask.PNG"], ["i/cat/1.jpg"], ["cat/1_mask.PNG"]),
        (["cat/1.jpg.png", "cat/1.png.png"], ["i/cat/1.png"], ["cat/1.png.png"]),
        (["1_segmentation.tif", "x/2.png"], ["i/1.jpg"], ["1_segmentation.tif"]),
        (["1.png"], ["i/cat/1.jpg"], ["1.png"]),  # masks without folders
        (["cat/1.png"], ["i/dog/1.jpg", "i/cat/2.jpg"], [None, None]),
        (["cat/1.png", "cat/._1.png", "1.txt"], ["i/cat/1.jpg"], ["cat/1.png"]),
        (["cat/1.png"], ["m/cat/1.jpg"], ["cat/1.png"]),  # beside the images
        (["cat/1.png"], ["m/cat/1.png"], [None]),  # an image is not its own mask
        (["cat/v1.2.png"], ["i/cat/v1.2.jpg"], ["cat/v1.2.png"]),
    ],
)
def test_which_mask_belongs_to_an_image(masks, images, expected, tmp_path):
    assert find(tmp_path, masks, images) == expected


@pytest.mark.parametrize(
    ("masks", "images", "message"),
    [
        (["cat/1.png", "cat/1.tif"], ["i/cat/1.jpg"], "cat/1.png and .*1.tif could both be"),
        (["cat/1.png", "cat/1_mask.png"], ["i/cat/1.jpg"], "could both be the mask of .*1.jpg"),
        (
            ["1.png"],
            ["i/cat/1.jpg", "i/dog/1.jpg"],
            "cat/1.jpg and of .*name masks like dog/1.png",
        ),
        (["cat/1.png"], ["i/cat/1.jpg", "i/cat/1.png"], "cat/1.jpg and of .*cat/1.png"),
    ],
)
def test_masks_that_could_belong_to_two(masks, images, message, tmp_path):
    with pytest.raises(InputError, match=message):
        find(tmp_path, masks, images)


def test_masks_of_the_same_image_twice_and_of_other_endings(tmp_path):
    assert (
        find(tmp_path, ["a/1.npy", "a/1.png"], ["i/a/1.jpg"] * 2, [".npy"]) == ["a/1.npy"] * 2
    )
    with pytest.raises(InputError, match="nowhere is not a folder"):
        find_masks(tmp_path / "nowhere", [])


def test_masks_are_resized_to_the_nearest(tree):
    images, _ = load_image_folder(tree / "images")
    masks = load_mask_folder(tree / "masks", images)
    large = load_mask_folder(tree / "masks", images, size=(8, 12))
    np.testing.assert_array_equal(large, masks.repeat(2, axis=1).repeat(2, axis=2))
    assert load_mask_folder(tree / "masks", images, size=5).shape == (4, 5, 5)


@pytest.mark.filterwarnings("ignore:.*aspect ratio")
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
@pytest.mark.parametrize("value", [1, 255])
def test_whatever_is_not_black_is_the_object(mode, value, tree):
    if mode == "I;16":
        mask = Image.fromarray(np.array([[0, value]], dtype=np.uint16))
    else:
        mask = Image.fromarray(np.array([[0, value]], dtype=np.uint8))
        mask = mask.point(lambda v: v * 255) if mode == "1" else mask
        mask = mask.convert(mode)
    mask.save(tree / "masks" / "cat" / "1.png")
    images, _ = load_image_folder(tree / "images")
    assert load_mask_folder(tree / "masks", images[:1])[0].tolist() == [[False, True]]


@pytest.mark.filterwarnings("ignore:.*aspect ratio")
def test_masks_that_do_not_fit(tree):
    images, _ = load_image_folder(tree / "images")
    with pytest.raises(InputError, match="must be files"):
        load_mask_folder(tree / "masks", as_images(np.zeros((1, 4, 4, 3), np.uint8)))
    with pytest.raises(InputError, match="size must be"):
        load_mask_folder(tree / "masks", images, size=0)
    Image.new("L", (3, 3)).save(tree / "masks" / "dog" / "1.png")
    with pytest.raises(InputError, match=r"differ in size .*pass size="):
        load_mask_folder(tree / "masks", images)
    assert load_mask_folder(tree / "masks", images, size=4).shape == (4, 4, 4)
    (tree / "masks" / "dog" / "1.png").write_bytes(b"no mask")
    with pytest.raises(ImageReadError, match="1.png: not an image"):
        load_mask_folder(tree / "masks", images, size=4)
    (tree / "masks" / "dog" / "1.png").unlink()
    with pytest.raises(
        InputError, match=r"1 of 4 .* no mask in .*images/dog/1.jpg, .* dog/1.png"
    ):
        load_mask_folder(tree / "masks", images)
