"""The walk over a folder."""

import os
import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pselect.exceptions import ImageReadError, InputError
from p2pselect.images import ImageSequence
from p2pselect.images._decode import readable_endings
from p2pselect.images._folders import list_folder, list_subfolders, natural_key


def tree(root, *files):
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return root


def found(root, endings=None):
    return [file.replace(os.sep, "/") for file in list_folder(root, endings).files]


def test_numbers_in_names_count_as_numbers(tmp_path):
    names = ["img2.png", "img10.png", "img01.png", "img1.png", "img1b.png", "B.png", "a.png"]
    random.Random(0).shuffle(names)
    tree(tmp_path, *names, "a10/1.png", "a9/1.png", "a9/b/1.png")
    expected = ["B.png", "a.png", "img01.png", "img1.png", "img1b.png", "img2.png", "img10.png"]
    assert found(tmp_path) == [*expected, "a9/1.png", "a9/b/1.png", "a10/1.png"]


@given(st.lists(st.text("01 2a.", max_size=5), unique=True))
def test_the_order_is_one_order_of_all_names(names):
    assert sorted(names, key=natural_key) == sorted(reversed(names), key=natural_key)
    assert natural_key("x9") < natural_key("x10") < natural_key("xa")


@pytest.mark.parametrize(
    "name",
    [".x.png", "._x.png", ".git/x.png", "__MACOSX/x.png", "@eaDir/x.png", "a/.b/c/x.png"],
)
def test_what_is_hidden_or_left_behind_is_never_looked_at(name, tmp_path):
    tree(tmp_path, name, "Thumbs.db", "desktop.ini", "a/THUMBS.DB", ".DS_Store")
    listing = list_folder(tmp_path)
    assert listing.files == [] and listing.left_out() == ""
    # A folder that was named is looked into, whatever it is called.
    tree(tmp_path / ".hidden", "x.png")
    assert found(tmp_path / ".hidden") == ["x.png"]


def test_endings_are_those_that_can_be_decoded(tmp_path):
    tree(
        tmp_path, *(f"x{ending.upper()}" for ending in readable_endings()), "x.xcf", "png", "y."
    )
    listing = list_folder(tmp_path)
    assert len(listing.files) == len(readable_endings())
    wanted = {".jpg", ".jpe", ".jfif", ".mpo", ".pgm", ".pnm", ".jp2", ".webp", ".tiff", ".gif"}
    assert wanted <= set(readable_endings()) and ".pdf" not in readable_endings()
    assert ".eps" not in readable_endings()  # would start another program
    assert dict(listing.others) == {".xcf": 1, "without ending": 1, ".": 1}
    assert found(tmp_path, [".XCF"]) == ["x.xcf"]


def test_links_are_followed_but_not_for_ever(tmp_path):
    tree(tmp_path, "real/a.png", "real/deep/b.png", "in/c.png")
    for link, target in (
        ("in/real", "../real"),
        ("in/again", "../real"),
        ("in/d.png", "../real/a.png"),
        ("real/deep/up", "../.."),  # to a folder around it
        ("in/self", "."),
    ):
        (tmp_path / link).symlink_to(target)
    below = ["a.png", "deep/b.png", "deep/up/in/c.png", "deep/up/in/d.png"]
    expected = ["c.png", "d.png"] + [
        f"{name}/{f}" for name in ("again", "real") for f in below[:2]
    ]
    assert sorted(f for f in found(tmp_path / "in") if "up" not in f) == sorted(expected)
    assert len(found(tmp_path)) == len(set(found(tmp_path))) < 20


def test_links_that_lead_nowhere_are_named(tmp_path):
    for name, target in (("a.png", "gone.png"), ("class", "gone"), ("round", "round")):
        (tmp_path / name).symlink_to(target)
    listing = list_folder(tmp_path)
    assert listing.files == ["a.png"]  # reading it fails, as with any image that is missing
    with pytest.raises(ImageReadError, match=r"a.png: is a link to gone.png, which does not"):
        ImageSequence(listing.paths())[0]
    assert listing.left_out() == "links that lead nowhere: 2 (class, round)"


def test_what_is_neither_file_nor_folder_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    assert found(tmp_path) == []


def test_folders_that_may_not_be_looked_into(tmp_path, monkeypatch):
    tree(tmp_path, "a/x.png", "b/y.png")
    with pytest.raises(InputError, match=r"x.png is not a folder"):
        list_folder(tmp_path / "a" / "x.png")
    looked, closed = os.scandir, str(tmp_path / "b")

    def scandir(path):
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return looked(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(InputError, match=r"/b cannot be opened: Permission denied"):
        list_folder(tmp_path)


def test_names_that_are_not_utf8(tmp_path):
    name = os.fsencode(tmp_path) + b"/caf\xe9.png"
    Path(os.fsdecode(name)).touch()
    assert list_folder(tmp_path).files == ["caf\udce9.png"]
    assert os.fsencode(list_folder(tmp_path).paths()[0]) == name


def test_subfolders(tmp_path):
    tree(tmp_path, "b10/x", "b9/x", ".c/x", "__MACOSX/x", "d")
    (tmp_path / "link").symlink_to("b9")
    assert list_subfolders(tmp_path) == ["b9", "b10", "link"]


def test_ten_thousand_files_are_listed_in_a_moment(tmp_path):
    for number in range(5000):
        (tmp_path / f"{number}.png").touch()
        (tmp_path / f"._{number}.png").touch()
    start = time.perf_counter()
    assert len(found(tmp_path)) == 5000
    assert time.perf_counter() - start < 2  # a quadratic walk takes more than ten
