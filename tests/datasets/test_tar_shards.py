import io
import pickle
import tarfile

import numpy as np
import pytest
from PIL import Image

from p2pselect import P2PClassifier, presets
from p2pselect.datasets import load_tar_shards
from p2pselect.exceptions import ImageReadError, InputError


def png(value, size=(9, 7)):
    buffer = io.BytesIO()
    Image.new("RGB", size, (value, value, value)).save(buffer, "png")
    return buffer.getvalue()


def write(path, members, mode="w"):
    with tarfile.open(path, mode) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def shards(tmp_path):
    paths = []
    for number in range(2):
        members = []
        for own in range(4):
            value = 10 * number + own
            members += [
                (f"train/{value:03}.png", png(value)),
                (f"train/{value:03}.cls", f"{value % 2}\n".encode()),
                (f"train/{value:03}.json", b"{}"),
            ]
        paths.append(write(tmp_path / f"{number:05}.tar", members))
    return paths


def test_images_and_labels(shards):
    images, y = load_tar_shards(shards)
    assert [image[0, 0, 0] for image in images] == [0, 1, 2, 3, 10, 11, 12, 13]
    assert y.tolist() == [0, 1, 0, 1] * 2
    view = pickle.loads(pickle.dumps(images[[6, 1]]))
    assert [image[0, 0, 0] for image in view] == [12, 1]
    assert images.batch([5], size=4).shape == (1, 4, 4, 3)


def test_a_classifier_learns_from_them(shards):
    images, y = load_tar_shards(shards)
    settings = {**presets.SMALL, "image_size": 32, "max_epochs": 1, "num_workers": 2}
    clf = P2PClassifier(**settings, random_state=0).fit(images, y)
    assert clf.predict(images).shape == (8,)


def test_labels_are_text_unless_all_are_numbers(tmp_path):
    members = [("a.jpg", png(1)), ("a.cls", b"cat"), ("b.JPG", png(2)), ("b.cls", b"7")]
    images, y = load_tar_shards([write(tmp_path / "x.tar", members)])
    assert y.tolist() == ["cat", "7"] and len(images) == 2


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("a.png", png(0))], r"'/a' has no label \(.cls\), 1 such"),
        ([("d/a.cls", b"1")], "'d/a' has no image"),
        ([("a.png", png(0)), ("a.jpg", png(0)), ("a.cls", b"1")], "two images of"),
        ([], "no images in 1 tar files"),
        ([("a.png", png(0)), ("a.cls", b"\xff")], "no uncompressed tar file"),
    ],
)
def test_shards_that_do_not_fit(members, message, tmp_path):
    with pytest.raises(InputError, match=message):
        load_tar_shards([write(tmp_path / "x.tar", members)])


def test_files_that_are_no_shards(shards, tmp_path):
    with pytest.raises(InputError, match="nowhere.tar is no uncompressed tar"):
        load_tar_shards([tmp_path / "nowhere.tar"])
    members = [("a.png", png(0)), ("a.cls", b"1")]
    with pytest.raises(InputError, match="x.tar.gz is no uncompressed tar"):
        load_tar_shards([write(tmp_path / "x.tar.gz", members, "w:gz")])
    cut = tmp_path / "cut.tar"
    cut.write_bytes(shards[0].read_bytes()[:700])
    with pytest.raises(InputError):
        load_tar_shards([cut])


def test_an_image_that_cannot_be_read_is_named(tmp_path):
    members = [("a.png", b"no image"), ("a.cls", b"1")]
    path = write(tmp_path / "x.tar", members)
    images, _ = load_tar_shards([path])
    with pytest.raises(ImageReadError, match=r"x.tar, a.png: not an image in a known format"):
        images[0]
    path.unlink()
    with pytest.raises(ImageReadError, match=r"x.tar, a.png: No such file"):
        images[0]


def test_two_hundred_members_are_found_in_any_order(tmp_path):
    members = [(f"{n}.cls", str(n).encode()) for n in range(200)]
    members += [(f"{n}.png", png(n)) for n in range(200)]
    images, y = load_tar_shards([write(tmp_path / "x.tar", members)])
    assert np.array_equal(y, [image[0, 0, 0] for image in images])
