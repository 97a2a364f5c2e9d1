import numpy as np
import pytest
from PIL import Image

from p2pselect.datasets import load_emoji_scenes, load_image_folder, load_mask_folder
from p2pselect.exceptions import InputError, UnknownNameError

ROWS = [
    ("train", "cat", "wood"),
    ("train", "bird", "snow"),
    ("test", "cat", "snow"),
    ("train", "cat", "snow"),
]


@pytest.fixture
def root(tmp_path):
    lines = ["split,image,mask,object,scene"]
    for number, (split, thing, scene) in enumerate(ROWS):
        image, mask = f"images/{thing}/{number}.png", f"masks/{thing}/{number}.png"
        for path, value in ((image, 50 * number), (mask, 255 * (number > 0))):
            (tmp_path / split / path).parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (4, 4), value).save(tmp_path / split / path)
        lines.append(f"{split},{image},{mask},{thing},{scene}")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_splits(root):
    data = load_emoji_scenes(root)
    assert data.images[2][0, 0, 0] == 150 and len(data.images) == 3
    assert data.target_names.tolist() == ["bird", "cat"]
    assert data.target.tolist() == [1, 0, 1]
    assert data.objects.tolist() == ["cat", "bird", "cat"]
    assert data.masks.any(axis=(1, 2)).tolist() == [False, True, True]


def test_codes_agree_over_splits(root):
    data = load_emoji_scenes(root, "test")
    assert data.target_names.tolist() == ["bird", "cat"] and data.target.tolist() == [1]
    scenes = load_emoji_scenes(root, "test", target="scene")
    assert scenes.target_names.tolist() == ["snow", "wood"] and scenes.target.tolist() == [0]


def test_sets_that_do_not_fit(root):
    with pytest.raises(
        UnknownNameError, match="no split 'tset', only test, train; did you mean"
    ):
        load_emoji_scenes(root, "tset")
    with pytest.raises(InputError, match="target must be"):
        load_emoji_scenes(root, target="digit")
    (root / "labels.csv").write_text("split,image\n")
    with pytest.raises(InputError, match="lacks the columns mask, object, scene"):
        load_emoji_scenes(root)
    with pytest.raises(InputError, match="labels.csv does not exist"):
        load_emoji_scenes(root / "train")


def test_the_real_set(emoji_scenes):
    data = load_emoji_scenes(emoji_scenes, "test")
    assert data.masks.shape == (400, 96, 96) and 0.05 < data.masks.mean() < 0.2
    assert len(data.target_names) == 10
    assert data.images.batch(slice(0, 3)).shape == (3, 96, 96, 3)
    images, labels = load_image_folder(emoji_scenes / "test" / "images")
    order = np.argsort(data.images.files)
    assert images.files.tolist() == data.images.files[order].tolist()
    np.testing.assert_array_equal(labels, data.objects[order])
    masks = load_mask_folder(emoji_scenes / "test" / "masks", images)
    np.testing.assert_array_equal(masks, data.masks[order])
