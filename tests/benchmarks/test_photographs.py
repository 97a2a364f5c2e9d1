"""The program on two tiny sets: records, going on, and figures only from what may be quoted."""

import json
import sys
from dataclasses import replace

import photograph_methods
import photographs
import pytest
from benchmarks.fake_sets import write_set
from recorded_tables import table_of

from p2pselect import SuperpixelTransformer, presets

SETTINGS = {
    **presets.SMALL,
    "image_size": 24,
    "max_epochs": 1,
    "objective__warmup_epochs": 0,
    "regions": SuperpixelTransformer(n_segments=9),
}
#: The same for the command.
OPTIONS = ("--preset=small", "--image-size=24", "--epochs=1", "--segments=9")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for seed, name in enumerate(("first", "second")):
        write_set(folder / name, n_train=6, n_test=3, seed=seed)
    return folder


@pytest.fixture
def trained(monkeypatch):
    """Tiny networks in place of pretrained ones, and a list of the trainings."""
    trainings = []

    def counting(name, method):
        def run(train, measured, seed, settings):
            trainings.append((name, seed))
            return method.run(train, measured, seed, settings)

        return replace(method, run=run)

    counted = {name: counting(name, method) for name, method in photographs.METHODS.items()}
    monkeypatch.setattr(photographs, "METHODS", counted)
    monkeypatch.setattr(photographs, "SETS", ("first", "second"))
    monkeypatch.setattr(photograph_methods, "default_settings", lambda *_: SETTINGS)
    monkeypatch.setattr(photograph_methods, "FIT_OPTIONS", OPTIONS)
    return trainings


@pytest.fixture
def run(data, trained, monkeypatch, capsys, tmp_path):
    """Run the program; returns what it printed."""

    def run(*arguments):
        trained.clear()
        command = ["photographs.py", f"--data={data}", f"--out={tmp_path / 'run'}", *arguments]
        monkeypatch.setattr(sys, "argv", command)
        photographs.main()
        return capsys.readouterr().out

    return run


def test_every_cell_has_a_record_and_the_tables_show_all_of_them(run, trained, tmp_path):
    printed = run("--sets", "first", "--seeds", "0")
    assert trained == [("p2p", 0), ("probe", 0), ("blackbox", 0)]
    records = [json.loads(path.read_text()) for path in (tmp_path / "run").iterdir()]
    assert len(records) == len(trained)
    for record in records:
        assert record["costs"]["CPU seconds"] > 0
        assert record["about"].keys() >= {"commit", "date", "versions", "threads"}
        assert not record["is_pretrained"]
        assert record["facts"].get("other settings", []) == []
        assert record["facts"].get("epochs", 1) == 1
        for part in ("test", "test_more"):
            assert len(record["images"][part]) == 6
            for row in record["rows"][part].values():
                assert all(len(values) == 6 for values in row.values())
    for place in ("first/test", "first/test more"):
        for row in ("p2p", "p2p@0.95", "probe", "probe@C=0.01", "blackbox"):
            assert f"| {place}:{row} " in printed
        for row in ("p2p-probe", "p2p-blackbox", "p2p-kept", "p2p-cpu"):
            assert f"| {place}:{row} " in printed
        for kind in ("masks", "left masks"):
            assert f"| {place}:{kind}:p2p " in printed


def test_a_run_goes_on_where_it_was_stopped(run, trained, tmp_path, monkeypatch):
    arguments = ("--sets", "first", "--seeds", "0", "--methods", "probe", "blackbox")
    first = run(*arguments)
    assert trained == [("probe", 0), ("blackbox", 0)]
    again = run(*arguments)
    assert trained == [] and first.endswith(again) and "| first/test:probe " in again
    (cell,) = (tmp_path / "run").glob("*probe*.json")
    before = cell.read_text()
    cell.unlink()
    run(*arguments)
    assert trained == [("probe", 0)]
    assert json.loads(cell.read_text())["rows"] == json.loads(before)["rows"]
    # Other settings of P2P that the probe has no part in: only the black box is trained again.
    changed = {**SETTINGS, "max_epochs": 2}
    monkeypatch.setattr(photograph_methods, "default_settings", lambda *_: changed)
    run(*arguments)
    assert trained == [("blackbox", 0)]


def test_a_cell_that_fails_leaves_no_record(run, monkeypatch, tmp_path):
    def fail(*_):
        raise RuntimeError("out of luck")

    broken = replace(photographs.METHODS["probe"], run=fail)
    monkeypatch.setitem(photographs.METHODS, "probe", broken)
    with pytest.raises(RuntimeError, match="out of luck"):
        run("--sets", "first", "--seeds", "0", "--methods", "probe")
    assert not [*(tmp_path / "run").glob("*.json")]


def test_validation_images_are_training_images_that_were_held_out(run, data, tmp_path):
    printed = run(
        *("--sets", "first", "--seeds", "0", "--split", "validation", "--methods", "probe")
    )
    assert "first/validation:probe" in printed and "first/test" not in printed
    (path,) = (tmp_path / "run").iterdir()
    names = json.loads(path.read_text())["images"]["validation"]
    assert names and all((data / "first/train/images" / name).is_file() for name in names)


def test_what_may_not_be_quoted_is_not_written(run, tmp_path):
    path = tmp_path / "figures.json"
    with pytest.raises(SystemExit) as stop:
        run("--sets", "first", "--seeds", "0", "--methods", "probe", f"--json={path}")
    words = str(stop.value)
    assert "5 cells have not been run" in words
    assert "fewer than 3 seeds" in words and "random weights" in words
    assert not path.exists()


def test_the_figures_that_are_written_are_those_of_the_tables(run, tmp_path, monkeypatch):

    def answer(train, measured, seed, settings):
        row = {name: [0.0] * 5 + [1.0] for name in ("right", "kept", "certain")}
        rows = {part: dict.fromkeys(photographs.METHODS, row) for part in measured}
        return photograph_methods.Outcome(costs={"CPU seconds": 1.0}, rows=rows)

    for name, method in photographs.METHODS.items():
        monkeypatch.setitem(photographs.METHODS, name, replace(method, run=answer))
    monkeypatch.setattr(photograph_methods, "is_pretrained", lambda settings: True)
    facts = {"commit": "abc1234", "changed": False, "date": "2026-11-26"}
    monkeypatch.setattr(photographs, "about", lambda: facts)
    path = tmp_path / "figures.json"
    printed = run("--sets", "first", "second", f"--json={path}")
    figures = json.loads(path.read_text())
    assert figures["about"] == dict.fromkeys(("p2p", "probe", "blackbox"), facts)
    head, *body = table_of({"photographs": figures}, ["first/test:p2p", "second/test:probe"])
    assert head[:2] == ["", "accuracy"]
    for row in body:
        shown = next(line for line in printed.splitlines() if f"| {row[0]} " in line)
        assert [cell.strip() for cell in shown.split("|")[1:-1]] == row


def test_settings_are_told_apart_without_the_folders_of_this_machine(tmp_path):
    def told(folder, **changes):
        files = {"selector": folder / "a.safetensors", "classifier": folder / "b.safetensors"}
        return photographs.described({**SETTINGS, "pretrained": files, **changes})

    here, there = (told(tmp_path / name) for name in ("here", "there"))
    assert here == there and "a.safetensors" in here["pretrained"]
    assert photographs.digest(here) == photographs.digest(there)
    assert photographs.digest(here) != photographs.digest(told(tmp_path, lr=1.0))
