import io
import pickle
import tarfile

import numpy as np
import pytest
from PIL import Image
from sklearn.preprocessing import MultiLabelBinarizer

from p2pselect import P2PClassifier, presets
from p2pselect.datasets import load_tar_shards
from p2pselect.exceptions import ImageReadError, InputError, P2PSelectWarning


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
    settings = {**presets.SMALL, "image_size": 32, "max_epochs": 1, "training__num_workers": 2}
    clf = P2PClassifier().set_params(**settings, random_state=0).fit(images, y)
    assert clf.predict(images).shape == (8,)


def test_labels_are_text_unless_all_are_numbers(tmp_path):
    members = [("a.jpg", png(1)), ("a.cls", b"cat"), ("b.JPG", png(2)), ("b.cls", b"7")]
    images, y = load_tar_shards([write(tmp_path / "x.tar", members)])
    assert y.tolist() == ["cat", "7"] and len(images) == 2


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"cls": "3\n"}, [3, 3]),
        ({"txt": "cat"}, ["cat", "cat"]),
        ({"json": "7"}, [7, 7]),
        ({"json": '"cat"'}, ["cat", "cat"]),
        ({"json": '{"id": 1, "label": "cat"}'}, ["cat", "cat"]),
        ({"json": '{"cls": 4}', "txt": "a caption"}, ["a caption", "a caption"]),
        ({"json": "{}", "txt": "a\ncaption", "cls": "\ufeff-1"}, [-1, -1]),
    ],
)
def test_labels_as_people_write_them(labels, expected, tmp_path):
    members = [
        (f"a/{number}.{ending}", content)
        for number in range(2)
        for ending, content in [
            ("PNG", png(number)),
            *((ending, text.encode()) for ending, text in labels.items()),
        ]
    ]
    images, y = load_tar_shards([write(tmp_path / "x.tar", members)])
    assert y.tolist() == expected and [image[0, 0, 0] for image in images] == [0, 1]


def several(tmp_path, *labels, ending="json"):
    members = [(f"{n}.png", png(n)) for n in range(len(labels))]
    members += [(f"{n}.{ending}", label.encode()) for n, label in enumerate(labels)]
    return load_tar_shards([write(tmp_path / "x.tar", members)])


def test_rows_of_several_labels_are_a_matrix_to_learn_from(tmp_path):
    images, y = several(tmp_path, *["[0, 1]", '{"labels": [1, 1]}', "[1, 0]", "[0, 0]"] * 2)
    assert y.tolist() == [[0, 1], [1, 1], [1, 0], [0, 0]] * 2 and y.dtype == np.int64
    settings = {**presets.SMALL, "image_size": 32, "max_epochs": 1}
    clf = P2PClassifier(**settings, random_state=0).fit(images, y)
    assert clf.multilabel_ and clf.predict(images).shape == (8, 2)


def test_names_of_several_labels_are_for_scikit_learn_to_make_a_matrix_of(tmp_path):
    # Lists of one length are no matrix of strings.
    images, y = several(tmp_path, '["rust", "miner"]', '{"labels": [" miner", "phoma"]}')
    assert y.shape == (2,) and y.tolist() == [["rust", "miner"], ["miner", "phoma"]]
    with pytest.raises(InputError, match=r"MultiLabelBinarizer\(\).fit_transform"):
        P2PClassifier().fit(images, y)
    images, y = several(tmp_path, "[]", '["rust", "miner"]')
    assert MultiLabelBinarizer().fit_transform(y).tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (['["rust"]', '"rust"'], "x.tar, 1.json has one label, .*first image has a list of na"),
        (["[0, 1]", "[0, 1, 1]"], "1.json has a row of 3 .*first image has a row of 2 numbers"),
        (["[0, 1]", "[]"], "1.json has a list of names, but the first image has a row of 2"),
        (["[0, 2]"], r"0.json: .*a list of names, or of 0 and 1 for .*, got \[0, 2\]"),
        (["[1]"], r"a list of names, or of 0 and 1 for each of several labels, got \[1\]"),
        (["[true, false]"], r"got \[True, False\]"),
        (['["rust", 1]'], r"got \['rust', 1\]"),
        (['["rust", ""]'], "0.json: expected a label on one line, got 0"),
        (['["rust\\nminer"]'], "0.json: expected a label on one line, got 2"),
    ],
)
def test_several_labels_that_do_not_fit(labels, message, tmp_path):
    with pytest.raises(InputError, match=message):
        several(tmp_path, *labels)


def test_text_is_one_label(tmp_path):
    _, y = several(tmp_path, "[0, 1]", "rust, miner", ending="txt")
    assert y.tolist() == ["[0, 1]", "rust, miner"]


@pytest.mark.parametrize("prefix", ["", "./", "train/a/", "v1.0/", "/data/", "../"])
@pytest.mark.parametrize("ending", ["png", "PNG", "jpeg", "JPG", "pgm"])
def test_members_as_people_name_them(prefix, ending, tmp_path):
    members = [
        (f"{prefix}0.{ending}", png(5)),
        (f"{prefix}0.CLS", b"1"),
        (f"{prefix}0.left.jpg", b"another part"),
        (f"{prefix}._0.{ending}", b"left by another program"),
        (f"{prefix}__MACOSX/0.{ending}", b"left by another program"),
    ]
    images, y = load_tar_shards([write(tmp_path / "x.tar", members)])
    assert images[0][0, 0, 0] == 5 and y.tolist() == [1]


def test_the_same_key_in_two_shards_is_two_samples(tmp_path):
    paths = [
        write(tmp_path / f"{n}.tar", [("0.png", png(n)), ("0.cls", str(n).encode())])
        for n in range(2)
    ]
    images, y = load_tar_shards(paths)
    assert [image[0, 0, 0] for image in images] == y.tolist() == [0, 1]


PNG = ("d/a.png", png(0))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (
            [("a.png", png(0))],
            r"x.tar: 'a' has no label \(.cls, .txt, .json\); .* 1 of 1 samples",
        ),
        ([PNG, ("d/a.cls", b"1"), ("b.png", png(0)), ("b.txt", b"1")], r"'b' .*label \(.cls\)"),
        ([("d/a.cls", b"1")], "x.tar: 'd/a' has no image"),
        ([PNG, ("d/a.jpg", png(0)), ("d/a.cls", b"1")], "x.tar has two images of 'd/a'"),
        ([PNG, ("d/a.cls", b"1"), ("d/a.cls", b"2")], r"two labels of 'd/a' \(.cls\)"),
        ([], "there are no images in 1 tar files"),
        ([PNG, ("d/a.cls", b"\xff")], "x.tar, d/a.cls: no label can be read"),
        ([PNG, ("d/a.cls", b" \n")], "x.tar, d/a.cls: expected a label on one line, got 0"),
        ([PNG, ("d/a.txt", b"a\nb")], "x.tar, d/a.txt: .* got 2 lines"),
        ([PNG, ("d/a.json", b"{")], "x.tar, d/a.json: no label can be read"),
        (
            [PNG, ("d/a.json", b'{"id": 1}')],
            "d/a.json: .*'label' or 'labels' or 'cls' or 'class', got",
        ),
        ([PNG, ("d/a.json", b"true")], "a whole number, .* got True"),
        ([("a.b0.png", png(0)), ("a.b0.cls", b"1")], "a.b0.png: .* 'b0.png' of 'a' .*without"),
        ([PNG, ("d/a.cls", b"1"), ("c.0.png", png(0))], "x.tar, c.0.png: a key ends at"),
    ],
)
def test_shards_that_do_not_fit(members, message, tmp_path):
    with pytest.raises(InputError, match=message):
        load_tar_shards([write(tmp_path / "x.tar", members)])


def test_files_that_are_no_shards(shards, tmp_path):
    with pytest.raises(InputError, match="nowhere.tar cannot be read: No such file"):
        load_tar_shards([tmp_path / "nowhere.tar"])
    members = [("a.png", png(0)), ("a.cls", b"1")]
    for mode in ("gz", "bz2", "xz"):
        with pytest.raises(InputError, match=r"x.tar is compressed, .*decompress it"):
            load_tar_shards([write(tmp_path / "x.tar", members, f"w:{mode}")])
    with pytest.raises(InputError, match=r"paths is one path, .*: pass \[path\]"):
        load_tar_shards(str(shards[0]))
    (tmp_path / "x.tar").write_bytes(b"no tar" * 1000)
    with pytest.raises(InputError, match="x.tar cannot be read as a tar file"):
        load_tar_shards([tmp_path / "x.tar"])
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
    with pytest.warns(
        P2PSelectWarning, match=r"1 of 1 images cannot be read:\n  .*x.tar, a.png"
    ):
        assert images.readable().tolist() == [False]
    path.unlink()
    with pytest.raises(ImageReadError, match=r"x.tar, a.png: No such file"):
        images[0]


def test_two_hundred_members_are_found_in_any_order(tmp_path):
    members = [(f"{n}.cls", str(n).encode()) for n in range(200)]
    members += [(f"{n}.png", png(n)) for n in range(200)]
    images, y = load_tar_shards([write(tmp_path / "x.tar", members)])
    assert np.array_equal(y, [image[0, 0, 0] for image in images])
