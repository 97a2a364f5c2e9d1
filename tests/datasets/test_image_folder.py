import pytest
from PIL import Image

from p2pselect.datasets import load_image_folder
from p2pselect.exceptions import InputError
from p2pselect.images import ImageSequence, as_images


@pytest.fixture
def tree(tmp_path):
    """images/ and masks/ with two classes, and what should be left out."""
    for name, number in (("dog", "2"), ("cat", "10"), ("cat", "1"), ("dog", "1")):
        for part, ending in (("images", "jpg"), ("masks", "png")):
            (tmp_path / part / name).mkdir(parents=True, exist_ok=True)
            image = Image.new("L", (6, 4))
            image.paste(255, (0, 0, int(number) % 5 + 1, 2))
            image.save(tmp_path / part / name / f"{number}.{ending}")
    images = tmp_path / "images"
    (images / ".hidden").mkdir()
    (images / "cat" / ".3.jpg").touch()
    (images / "cat" / "notes.txt").touch()
    (images / "cat" / "deeper").mkdir()
    (images / "cat" / "deeper" / "4.jpg").touch()
    (images / "readme.jpg").touch()
    return tmp_path


def test_classes_are_folders(tree):
    images, labels = load_image_folder(tree / "images")
    assert isinstance(images, ImageSequence)
    assert labels.tolist() == ["cat", "cat", "dog", "dog"]
    names = [file.rpartition("images")[2].replace("\\", "/") for file in images.files]
    assert names == ["/cat/1.jpg", "/cat/10.jpg", "/dog/1.jpg", "/dog/2.jpg"]
    assert images.batch([0]).shape == (1, 4, 6, 3)
    assert len(as_images(images)) == 4


def test_endings_of_any_case(tree):
    folder = tree / "images" / "cat"
    (folder / "1.jpg").rename(folder / "1.JPG")
    assert len(load_image_folder(str(tree / "images"))[0]) == 4
    images, labels = load_image_folder(tree / "masks", extensions=[".PNG"])
    assert labels.tolist() == ["cat", "cat", "dog", "dog"]


def test_folders_that_do_not_fit(tree, tmp_path):
    with pytest.raises(InputError, match="nowhere is not a folder(?s:.*)cat/\n"):
        load_image_folder(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no images(?s:.*)one sub-folder per class"):
        load_image_folder(tree, extensions=[".png"])
    with pytest.raises(InputError, match="holds no images"):
        load_image_folder(tree / "images" / "dog")
    (tree / "images" / "bird").mkdir()
    with pytest.raises(InputError, match=r"no images .* in the sub-folders bird"):
        load_image_folder(tree / "images")
