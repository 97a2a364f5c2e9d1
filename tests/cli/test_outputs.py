"""Files written for images never replace one another, nor an image."""

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pselect.cli._outputs import check_apart, output_files
from p2pselect.exceptions import InputError


def names(images, places):
    return [file.as_posix() for file in output_files(Path("out"), images, places)]


def below(tmp_path, *files):
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    return [str(tmp_path / file) for file in files]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["cat/001.png", "dog/001.png"], ["cat/001.png", "dog/001.png"]),
        (["a.jpg", "a.png", "a-2.jpg"], ["a.jpg.png", "a.png.png", "a-2.png"]),
        (["a.jpg", "a.png", "a.jpg.bmp"], ["a.jpg.png", "a.png.png", "a.jpg.bmp.png"]),
        (["A.jpg", "a.jpg"], ["A.jpg.png", "a.jpg-2.png"]),
        (["caf\u00e9.jpg", "cafe\u0301.jpg"], ["caf\u00e9.jpg.png", "cafe\u0301.jpg-2.png"]),
        (["x.png/1.jpg", "x.jpg"], ["x.png/1.png", "x.jpg.png"]),
        (["caf\udce9.png", "v1.2.tif"], ["caf\udce9.png", "v1.2.png"]),
        (["deep/er/1.gif"], ["deep/er/1.png"]),
    ],
)
def test_folders_are_mirrored_and_endings_kept_where_names_meet(files, expected, tmp_path):
    found = names([str(tmp_path / file) for file in files], [str(tmp_path)])
    assert found == [f"out/{name}" for name in expected]


def test_names_start_at_the_place_that_was_named(tmp_path, monkeypatch):
    one, other = below(tmp_path, "a/x/1.jpg", "b/1.jpg")
    assert names([one], [str(tmp_path / "a")]) == ["out/x/1.png"]
    assert names([one], [one]) == ["out/1.png"]
    assert names([one, other], [str(tmp_path / "a"), other]) == ["out/a/x/1.png", "out/b/1.png"]
    monkeypatch.chdir(tmp_path / "b")
    assert names(["1.jpg"], ["1.jpg"]) == ["out/1.png"]
    assert names(["../a/x/1.jpg"], ["../a"]) == ["out/x/1.png"]
    # The same image twice.
    assert names(["1.jpg", "1.jpg"], ["1.jpg", "1.jpg"]) == ["out/1.jpg.png", "out/1.jpg-2.png"]


PARTS = st.text(string.ascii_letters[:2] + "A.-2", min_size=1, max_size=4).filter(
    lambda part: part.strip(".")
)


@given(st.lists(st.lists(PARTS, min_size=1, max_size=3).map("/".join), min_size=1, max_size=8))
def test_any_names_give_as_many_files_as_images(files):
    found = names(files, ["."])
    alike = {name.casefold() for name in found}
    assert len(alike) == len(files)
    assert all(name.startswith("out/") and name.endswith(".png") for name in found)
    # None is a folder that another one needs.
    folders = {parent.as_posix() for name in alike for parent in Path(name).parents}
    assert not folders & alike
    for file, name in zip(files, found, strict=True):
        assert Path(name).parent == Path("out", file).parent


def test_many_images_of_one_name_are_numbered_quickly():
    found = names(["a.jpg"] * 20000, ["."])
    assert len(set(found)) == 20000 and found[-1] == "out/a.jpg-20000.png"


def test_images_are_never_replaced(tmp_path):
    image, other = below(tmp_path, "1.png", "2.jpg")
    files = output_files(tmp_path, [other, image], [str(tmp_path)])
    with pytest.raises(InputError, match=r"--x: .*1.png would replace a file that is read"):
        check_apart({"--x": files}, [other, image])
    check_apart({"--x": output_files(tmp_path, [other], [str(tmp_path)])}, [other])


def test_two_options_never_write_the_same_file():
    files = [Path("out/1.png"), Path("out/2.png")]
    check_apart({"--png": files, "--masks": [Path("masks/1.png")]})
    with pytest.raises(
        InputError, match=r"--png and --masks would both write out/../out/2.png"
    ):
        check_apart({"--png": files, "--masks": [Path("out/../out/2.png")]})
