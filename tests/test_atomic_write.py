"""Files that are there whole or not at all."""

import json
import multiprocessing
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from p2pselect import atomic_write
from p2pselect.atomic_write import (
    atomic_folder,
    atomic_open,
    check_writable_file,
    check_writable_folder,
    strict_json,
    write_json,
)
from p2pselect.exceptions import InputError
from p2pselect.explanations import example_explanation

MARKER = "marker"


def write_folder(path, content="new"):
    with atomic_folder(path, [MARKER, "more"], "a thing") as new:
        (new / MARKER).write_text(content)


def write_many(path, content):
    for _ in range(30):
        write_folder(path, content)


def test_a_file_is_replaced_in_one_step_or_not_at_all(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("old")

    def stop_in_the_middle():
        with atomic_open(file) as opened:
            opened.write("half")
            opened.flush()
            assert file.read_text() == "old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_in_the_middle()
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.txt", "old")]
    with atomic_open(file) as opened:
        opened.write("é猫")
    assert [(p.name, p.read_text("utf-8")) for p in tmp_path.iterdir()] == [("a.txt", "é猫")]


def test_folders_on_the_way_are_made_and_permissions_are_the_usual_ones(tmp_path):
    before = os.umask(0o022)
    try:
        with atomic_open(tmp_path / "no" / "such" / "a", "wb") as file:
            np.savez(file, values=np.zeros(5))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "no" / "such" / "a").stat().st_mode) == 0o644


def test_a_name_as_long_as_can_be(tmp_path):
    with atomic_open(tmp_path / ("a" * 251 + ".txt")) as file:
        file.write("text")
    assert [len(p.name) for p in tmp_path.iterdir()] == [255]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "real" / "a.txt")
    (tmp_path / "link").symlink_to(tmp_path / "real" / "thing")
    with atomic_open(tmp_path / "link.txt") as file:
        file.write("text")
    for content in ("first", "second"):
        write_folder(tmp_path / "link", content)
        assert (tmp_path / "real" / "thing" / MARKER).read_text() == content
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "a.txt").read_text() == "text"


def test_what_is_not_a_file_is_written_to(tmp_path):
    if not Path("/dev/null").is_char_device():
        pytest.skip("this system has no /dev/null")
    with atomic_open("/dev/null") as file:
        file.write("text")
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_folder_is_replaced_whole(tmp_path, monkeypatch, exchanges):
    if not exchanges:
        monkeypatch.setattr(atomic_write, "_exchange", lambda new, old: False)
    place = tmp_path / "made" / "thing"
    write_folder(place, "first")
    (place / "more").write_text("of the first one")
    write_folder(place, "second")
    assert [(p.name, p.read_text()) for p in place.iterdir()] == [(MARKER, "second")]
    assert list(place.parent.iterdir()) == [place]
    with pytest.raises(KeyboardInterrupt), atomic_folder(place, [MARKER], "a thing") as new:
        (new / MARKER).write_text("third")
        raise KeyboardInterrupt
    assert (place / MARKER).read_text() == "second"
    assert list(place.parent.iterdir()) == [place]


def test_an_interrupt_between_two_renames_brings_the_old_folder_back(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic_write, "_exchange", lambda new, old: False)
    place = tmp_path / "thing"
    write_folder(place, "old")
    rename = Path.rename

    def interrupted(self, target):
        if self.name == "new" and not place.exists():
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_folder(place, "new")
    assert (place / MARKER).read_text() == "old" and list(tmp_path.iterdir()) == [place]


@pytest.mark.parametrize("exchanges", [True, False])
def test_an_empty_folder_may_be_written(tmp_path, monkeypatch, exchanges):
    if not exchanges:
        monkeypatch.setattr(atomic_write, "_exchange", lambda new, old: False)
    (tmp_path / "thing").mkdir()
    write_folder(tmp_path / "thing", "first")
    assert (tmp_path / "thing" / MARKER).read_text() == "first"
    assert list(tmp_path.iterdir()) == [tmp_path / "thing"]


@pytest.mark.parametrize("there", ["file", "folder"])
def test_what_is_of_another_kind_is_never_touched(tmp_path, there):
    place = tmp_path / "thing"
    if there == "file":
        place.write_text("mine")
    else:
        place.mkdir()
        (place / "mine").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="exists and is not a thing"):
        write_folder(place)
    assert sorted(tmp_path.rglob("*")) == before


def test_several_processes_may_write_the_same_place(tmp_path):
    context = multiprocessing.get_context("fork")
    place = tmp_path / "thing"
    write_folder(place, "first")
    workers = [context.Process(target=write_many, args=(place, str(i))) for i in range(3)]
    for worker in workers:
        worker.start()
    read = set()
    while any(worker.is_alive() for worker in workers):
        read.add((place / MARKER).read_text())  # there at every moment
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert read <= {"first", "0", "1", "2"} and list(tmp_path.iterdir()) == [place]


@pytest.mark.parametrize(
    ("check", "place", "message"),
    [
        (check_writable_file, "folder", r"--x: .*folder is a folder"),
        (check_writable_file, "file/below", r"--x: .*below cannot be written: .*file is not a"),
        (check_writable_file, "file/below/it", r"--x: .*it cannot be written: .*file is not a"),
        (check_writable_folder, "file", r"--x: .*file is a file, expected a folder"),
        (
            check_writable_folder,
            "file/below",
            r"--x: .*below cannot be written: .*file is not a",
        ),
    ],
)
def test_what_could_not_be_written_is_found_before(tmp_path, check, place, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match=message):
        check(tmp_path / place, "--x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_places_without_permission(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("mine")
    # Nothing is forbidden to the user that tests may run as.
    monkeypatch.setattr(atomic_write.os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="write-protected"):
        check_writable_file(tmp_path / "a", "--x")
    with pytest.raises(InputError, match="no permission to write into"):
        check_writable_file(tmp_path / "new" / "b", "--x")
    with pytest.raises(InputError, match="no permission to write into"):
        check_writable_folder(tmp_path, "--x")


def test_places_that_can_be_written_are_left_as_they_are(tmp_path):
    check_writable_file(tmp_path / "new" / "a.json")
    check_writable_folder(tmp_path / "new" / "folder")
    assert list(tmp_path.iterdir()) == []


def test_json_is_strict_and_utf8(tmp_path):
    content = {"a": float("nan"), "b": [float("inf"), 1.5, np.float64("nan")], "猫": (1, None)}
    write_json(tmp_path / "a.json", content)
    text = (tmp_path / "a.json").read_text("utf-8")
    assert "猫" in text and "NaN" not in text and "Infinity" not in text
    read = json.loads(text, parse_constant=pytest.fail)
    assert read == {"a": None, "b": [None, 1.5, None], "猫": [1, None]}


def test_json_of_a_name_that_is_not_text():
    name = os.fsdecode(b"caf\xe9.png")
    text = strict_json([name, "\\udce9"])
    assert json.loads(text.encode("utf-8")) == [name, "\\udce9"]


def test_a_process_of_several_writes_without_asking_the_others(tmp_path, monkeypatch):
    import torch.distributed

    def refuse(*args, **kwargs):
        raise AssertionError("a file is no reason to start a process group")

    for name, value in {"RUN_ID": "1", "RANK": "1"}.items():
        monkeypatch.setenv(f"TORCHELASTIC_{name}", value)
    monkeypatch.setattr(torch.distributed, "init_process_group", refuse)
    exp = example_explanation(n_images=2).explanation
    exp.save(tmp_path / "a.npz")
    exp.to_html(tmp_path / "a.html")
    write_folder(tmp_path / "thing")
    assert len(exp.load(tmp_path / "a.npz")) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "a.npz", "thing"]
