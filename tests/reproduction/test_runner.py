"""Runs end, are continued where they stopped, and hide no failure."""

import os
import signal
import subprocess
import sys
import time

import joblib
import numpy as np
import pytest

from p2pselect.exceptions import InputError
from p2pselect.methods import BlackboxClassifier
from p2pselect.reproduction import Cell, Training, run
from p2pselect.reproduction._experiments import BLACKBOX, P2P

GRID = Training("p2p", "grid", {"regions": "grid"}, "ablation")
PIXEL = Training("blackbox_pixel", group="blackbox")


class Broken(BlackboxClassifier):
    """Fails in fit, until it is told not to."""

    works = False

    def fit(self, X, y):
        if not self.works:
            raise ZeroDivisionError("on purpose")
        return super().fit(X, y)


def stamps(records):
    return {p.name: p.stat().st_mtime_ns for p in records.cells_folder.glob("*.json")}


def test_a_run_has_scores_of_every_cell_and_is_not_repeated(make_scale, table, tmp_path):
    scale = make_scale(P2P, BLACKBOX, Training("comet"), GRID)
    records = run(scale, tmp_path, table=table)
    assert {r.cell.key for r in records.all()} == {
        "tiny.p2p.default.0",
        "tiny.p2p.grid.0",
        "tiny.blackbox.default.0",
        "tiny.comet.default.0",
    }
    assert not any(r.failed for r in records.all())
    p2p, comet = (records.read(Cell("tiny", m, "default", 0)) for m in ("p2p", "comet"))
    assert comet.facts["tau"] == p2p.facts["tau"]
    assert p2p.facts["tau"] == pytest.approx(p2p.scores["default"]["kept_fraction"], abs=0.005)
    assert comet.facts["settings"]["tau"] == repr(p2p.facts["tau"])
    for record in records.all():
        assert record.scores[record.cell.setting]["peak_memory_mib"] > 1
        assert record.facts["n_train"] == 32 and record.facts["n_test"] == 20
        assert "numpy" in record.facts["versions"]
    before = stamps(records)
    said = []
    run(scale, tmp_path, table=table, tell=said.append)
    assert said == ["4 cells, 4 of them done before"]
    assert stamps(records) == before


def test_the_black_box_is_trained_once_and_shared(make_scale, table, tmp_path, monkeypatch):
    fits = []
    fit = BlackboxClassifier.fit
    monkeypatch.setattr(
        BlackboxClassifier, "fit", lambda self, X, y: (fits.append(1), fit(self, X, y))[1]
    )
    scale = make_scale(Training("comet"), Training("rbaem"), Training("comet1"), tau=0.2)
    records = run(scale, tmp_path, table=table)
    assert len(records.all()) == 4 and not any(r.failed for r in records.all())
    assert len(fits) == 1
    shared = records.read(Cell("tiny", "comet", "default", 0)).facts["settings"]["blackbox"]
    assert shared.startswith("BlackboxClassifier(")


def test_a_failure_is_recorded_and_the_rest_goes_on(make_scale, table, tmp_path):
    broken = Training("broken", group="blackbox", estimator=Broken)
    scale = make_scale(broken, PIXEL, tau=0.3)
    said = []
    records = run(scale, tmp_path, table=table, tell=said.append)
    failed = records.read(Cell("tiny", "broken", "default", 0))
    assert failed.failed
    assert "ZeroDivisionError: on purpose" in failed.error
    assert "in fit" in failed.error, "the traceback"
    assert "tiny.broken.default.0 FAILED: ZeroDivisionError: on purpose" in said
    assert not records.read(Cell("tiny", "blackbox_pixel", "default", 0)).failed


def test_failed_cells_are_run_again_when_that_is_wanted(
    make_scale, table, tmp_path, monkeypatch
):
    scale = make_scale(Training("broken", group="blackbox", estimator=Broken), tau=0.3)
    cell = Cell("tiny", "broken", "default", 0)
    records = run(scale, tmp_path, table=table)
    monkeypatch.setattr(Broken, "works", True)
    run(scale, tmp_path, table=table)
    assert records.read(cell).failed
    run(scale, tmp_path, table=table, retry_failed=True)
    assert not records.read(cell).failed


def test_what_needs_a_failed_cell_says_so(make_scale, table, tmp_path):
    bad = {"p2p": {"regions": "no such engine"}}
    scale = make_scale(P2P, PIXEL, changes=bad)
    records = run(scale, tmp_path, table=table)
    error = records.read(Cell("tiny", "blackbox_pixel", "default", 0)).error
    assert "uses tiny.p2p.default.0, which failed" in error


def test_other_settings_need_another_folder(make_scale, table, tmp_path):
    run(make_scale(PIXEL, tau=0.3), tmp_path, table=table)
    with pytest.raises(InputError, match="plan of tiny"):
        run(make_scale(PIXEL, tau=0.4), tmp_path, table=table)


def test_seeds_and_methods_can_be_added(make_scale, table, tmp_path):
    scale = make_scale(PIXEL, Training("l2x"), tau=0.3)
    run(scale, tmp_path, table=table, methods=["blackbox_pixel"])
    records = run(scale, tmp_path, table=table, seeds=[0, 1])
    assert len(records.all()) == 4


def test_absent_data_sets_are_left_out_with_a_word(make_scale, tiny_scenes, tmp_path):
    said = []
    absent = {"tiny": tiny_scenes(present=False)}
    records = run(make_scale(PIXEL, tau=0.3), tmp_path, table=absent, tell=said.append)
    assert said == ["tiny is not there: left out", "0 cells, 0 of them done before"]
    assert records.all() == []
    with pytest.raises(InputError, match="tiny is not there"):
        run(make_scale(PIXEL, tau=0.3), tmp_path, table=absent, datasets=["tiny"])


def test_a_data_set_without_masks_has_no_localization(make_scale, tiny_scenes, tmp_path):
    table = {"tiny": tiny_scenes(with_masks=False)}
    records = run(make_scale(PIXEL, tau=0.3), tmp_path, table=table)
    scores = records.read(Cell("tiny", "blackbox_pixel", "default", 0)).scores["default"]
    assert "accuracy" in scores and "localization" not in scores


def test_all_methods_see_the_same_images(make_scale, table, tmp_path):
    records = run(make_scale(P2P, PIXEL), tmp_path, table=table)
    images, targets = [], []
    for method in ("p2p", "blackbox_pixel"):
        cell = Cell("tiny", method, "default", 0)
        with np.load(records.example_path(cell)) as stored:
            images.append(stored["images"])
        with np.load(records.truth_path(cell)) as stored:
            targets.append(stored["target"])
            assert stored["masks"].shape == images[-1].shape[:3]
    assert (images[0] == images[1]).all() and (targets[0] == targets[1]).all()


def test_a_seed_decides_everything(make_scale, table, tmp_path):
    scale = make_scale(P2P)
    first, second = (run(scale, tmp_path / name, table=table) for name in "ab")
    scores = [records.all()[0].scores for records in (first, second)]
    timing = ("fit_seconds", "fit_cpu_seconds", "peak_memory_mib")
    for found in scores:
        for name in timing:
            del found["default"][name]
    assert scores[0] == scores[1]


def test_any_joblib_backend(make_scale, table, tmp_path):
    with joblib.parallel_config("threading", n_jobs=2):
        records = run(
            make_scale(PIXEL, Training("l2x"), tau=0.3), tmp_path, table=table, n_jobs=None
        )
    assert len(records.all()) == 2 and not any(r.failed for r in records.all())


RUN = """
import sys
from dataclasses import dataclass
from p2pselect import datasets, presets
from p2pselect.reproduction import Plan, Scale, Training, run

@dataclass(frozen=True)
class Scenes:
    def is_present(self, root):
        return True

    def load(self, root, split, random_state):
        made = datasets.make_digit_scenes(24, 32, split=split, random_state=random_state)
        made.target = made.target % 2
        return made

settings = {**presets.SMALL, "image_size": 32, "warmup_epochs": 0, "regions": "grid"}
plan = Plan(settings, {"blackbox": 1}, tau=0.3)
training = Training("blackbox_pixel", group="blackbox")
scale = Scale("tiny", {"tiny": plan}, (training,), seeds=tuple(range(8)), n_curve_images=24)
run(scale, sys.argv[1], table={"tiny": Scenes()}, datasets=["tiny"])
"""


@pytest.mark.skipif(os.name != "posix", reason="this system is not POSIX")
def test_killed_in_the_middle_and_continued(tmp_path):
    command = [sys.executable, "-c", RUN, str(tmp_path)]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    first = subprocess.Popen(command, env=alone)
    cells = tmp_path / "cells"
    while not cells.is_dir() or len(list(cells.glob("*.json"))) < 2:
        assert first.poll() is None, "the run ended before it could be killed"
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    finished = {p.name: p.stat().st_mtime_ns for p in cells.glob("tiny*.json")}
    assert 2 <= len(finished) < 8
    subprocess.run(command, check=True, env=alone)
    after = {p.name: p.stat().st_mtime_ns for p in cells.glob("tiny*.json")}
    assert len(after) == 8
    assert {name: after[name] for name in finished} == finished, "cells were done twice"
