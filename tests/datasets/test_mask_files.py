import numpy as np
import pytest
from PIL import Image

from p2pselect.datasets import load_image_folder, load_mask_folder
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


def test_masks_are_resized_to_the_nearest(tree):
    images, _ = load_image_folder(tree / "images")
    masks = load_mask_folder(tree / "masks", images)
    large = load_mask_folder(tree / "masks", images, size=(8, 12))
    np.testing.assert_array_equal(large, masks.repeat(2, axis=1).repeat(2, axis=2))
    assert load_mask_folder(tree / "masks", images, size=5).shape == (4, 5, 5)


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
    with pytest.raises(ImageReadError, match="1 of 4 masks do not exist; .*1.png"):
        load_mask_folder(tree / "masks", images)
