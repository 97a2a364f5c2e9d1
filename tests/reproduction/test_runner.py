"""Runs finish, continue where they stopped, and do not hide failures."""

import os
import signal
import subprocess
import sys
import time

import joblib
import pytest
import timm
from safetensors.torch import save_file

from p2pselect.exceptions import InputError, WeightsNotFoundError
from p2pselect.methods import BlackboxClassifier
from p2pselect.reproduction import Trial, Variant, run_suite
from p2pselect.reproduction._run_store import read_examples
from p2pselect.reproduction._suite import BLACKBOX, P2P

GRID = Variant("p2p", "grid", {"regions": "grid"}, "ablation")
PIXEL = Variant("blackbox_pixel", group="blackbox")


class Broken(BlackboxClassifier):
    """Fails in fit, until it is told not to."""

    works = False

    def fit(self, X, y):
        if not self.works:
            raise ZeroDivisionError("on purpose")
        return super().fit(X, y)


def stamps(store):
    return {p.name: p.stat().st_mtime_ns for p in store.trials_folder.glob("*.json")}


def test_a_run_has_scores_of_every_cell_and_is_not_repeated(make_suite, table, tmp_path):
    suite = make_suite(P2P, BLACKBOX, Variant("comet"), GRID)
    store = run_suite(suite, tmp_path, dataset_table=table)
    assert {r.trial.key for r in store.results()} == {
        "tiny.p2p.default.0",
        "tiny.p2p.grid.0",
        "tiny.blackbox.default.0",
        "tiny.comet.default.0",
    }
    assert not any(r.failed for r in store.results())
    p2p, comet = (store.read(Trial("tiny", m, "default", 0)) for m in ("p2p", "comet"))
    assert comet.facts["tau"] == p2p.facts["tau"]
    assert p2p.facts["tau"] == pytest.approx(p2p.scores["default"]["kept_fraction"], abs=0.005)
    assert comet.facts["settings"]["tau"] == repr(p2p.facts["tau"])
    for result in store.results():
        assert result.scores[result.trial.setting]["peak_memory_mib"] > 1
        assert result.facts["n_train"] == 32 and result.facts["n_test"] == 20
        assert "numpy" in result.facts["versions"]
    before = stamps(store)
    said = []
    run_suite(suite, tmp_path, dataset_table=table, log=said.append)
    assert said == ["4 trials, 4 of them already done"]
    assert stamps(store) == before


def test_the_black_box_is_trained_once_and_shared(make_suite, table, tmp_path, monkeypatch):
    fits = []
    fit = BlackboxClassifier.fit
    monkeypatch.setattr(
        BlackboxClassifier, "fit", lambda self, X, y: (fits.append(1), fit(self, X, y))[1]
    )
    suite = make_suite(Variant("comet"), Variant("rbaem"), Variant("comet1"), tau=0.2)
    store = run_suite(suite, tmp_path, dataset_table=table)
    assert len(store.results()) == 4 and not any(r.failed for r in store.results())
    assert len(fits) == 1
    shared = store.read(Trial("tiny", "comet", "default", 0)).facts["settings"]["blackbox"]
    assert shared.startswith("BlackboxClassifier(")


def test_a_failure_is_recorded_and_the_rest_goes_on(make_suite, table, tmp_path):
    broken = Variant("broken", group="blackbox", estimator=Broken)
    suite = make_suite(broken, PIXEL, tau=0.3)
    said = []
    store = run_suite(suite, tmp_path, dataset_table=table, log=said.append)
    failed = store.read(Trial("tiny", "broken", "default", 0))
    assert failed.failed
    assert "ZeroDivisionError: on purpose" in failed.error
    assert "in fit" in failed.error, "the traceback"
    assert "tiny.broken.default.0 FAILED: ZeroDivisionError: on purpose" in said
    assert not store.read(Trial("tiny", "blackbox_pixel", "default", 0)).failed


def test_failed_cells_are_run_again_when_that_is_wanted(
    make_suite, table, tmp_path, monkeypatch
):
    suite = make_suite(Variant("broken", group="blackbox", estimator=Broken), tau=0.3)
    trial = Trial("tiny", "broken", "default", 0)
    store = run_suite(suite, tmp_path, dataset_table=table)
    monkeypatch.setattr(Broken, "works", True)
    run_suite(suite, tmp_path, dataset_table=table)
    assert store.read(trial).failed
    run_suite(suite, tmp_path, dataset_table=table, retry_failed=True)
    assert not store.read(trial).failed


def test_what_needs_a_failed_cell_says_so(make_suite, table, tmp_path):
    bad = {"p2p": {"regions": "no such engine"}}
    suite = make_suite(P2P, PIXEL, changes=bad)
    store = run_suite(suite, tmp_path, dataset_table=table)
    error = store.read(Trial("tiny", "blackbox_pixel", "default", 0)).error
    assert "uses the result of tiny.p2p.default.0, which failed" in error


def test_other_settings_need_another_folder(make_suite, table, tmp_path):
    run_suite(make_suite(PIXEL, tau=0.3), tmp_path, dataset_table=table)
    with pytest.raises(InputError, match="plan of tiny"):
        run_suite(make_suite(PIXEL, tau=0.4), tmp_path, dataset_table=table)


def test_weights_from_a_folder(make_suite, table, tmp_path):
    weights = tmp_path / "weights"
    suite = make_suite(PIXEL, tau=0.3, settings={"pretrained": "auto"})
    with pytest.raises(WeightsNotFoundError, match="there is no folder"):
        run_suite(suite, tmp_path / "none", weights=weights, dataset_table=table)
    assert not (tmp_path / "none").exists()
    weights.mkdir()
    network = timm.create_model("test_resnet")
    save_file(network.state_dict(), weights / "test_resnet.safetensors")
    store = run_suite(suite, tmp_path / "run", weights=weights, dataset_table=table)
    result = store.read(Trial("tiny", "blackbox_pixel", "default", 0))
    assert not result.failed, result.error
    assert result.facts["settings"]["pretrained"] == repr(str(weights))


def test_seeds_and_methods_can_be_added(make_suite, table, tmp_path):
    suite = make_suite(PIXEL, Variant("l2x"), tau=0.3)
    run_suite(suite, tmp_path, dataset_table=table, methods=["blackbox_pixel"])
    store = run_suite(suite, tmp_path, dataset_table=table, seeds=[0, 1])
    assert len(store.results()) == 4


def test_missing_data_sets_are_skipped_with_a_message(make_suite, tiny_scenes, tmp_path):
    said = []
    absent = {"tiny": tiny_scenes(present=False)}
    store = run_suite(
        make_suite(PIXEL, tau=0.3), tmp_path, dataset_table=absent, log=said.append
    )
    assert said == ["tiny is missing and will be skipped", "0 trials, 0 of them already done"]
    assert store.results() == []
    with pytest.raises(InputError, match="tiny is missing"):
        run_suite(make_suite(PIXEL, tau=0.3), tmp_path, dataset_table=absent, datasets=["tiny"])


def test_a_data_set_without_masks_has_no_localization(make_suite, tiny_scenes, tmp_path):
    table = {"tiny": tiny_scenes(with_masks=False)}
    store = run_suite(make_suite(PIXEL, tau=0.3), tmp_path, dataset_table=table)
    scores = store.read(Trial("tiny", "blackbox_pixel", "default", 0)).scores["default"]
    assert "accuracy" in scores and "localization" not in scores


def test_all_methods_see_the_same_images(make_suite, table, tmp_path):
    store = run_suite(make_suite(P2P, PIXEL), tmp_path, dataset_table=table)
    images, targets = [], []
    for method in ("p2p", "blackbox_pixel"):
        trial = Trial("tiny", method, "default", 0)
        exp, target, masks = read_examples(store, trial)
        images.append(exp.images)
        targets.append(target)
        assert masks.shape == exp.images.shape[:3]
    assert (images[0] == images[1]).all() and (targets[0] == targets[1]).all()


def test_a_seed_decides_everything(make_suite, table, tmp_path):
    suite = make_suite(P2P)
    first, second = (run_suite(suite, tmp_path / name, dataset_table=table) for name in "ab")
    scores = [store.results()[0].scores for store in (first, second)]
    timing = ("fit_seconds", "fit_cpu_seconds", "peak_memory_mib")
    for found in scores:
        for name in timing:
            del found["default"][name]
    assert scores[0] == scores[1]


def test_any_joblib_backend(make_suite, table, tmp_path):
    with joblib.parallel_config("threading", n_jobs=2):
        store = run_suite(
            make_suite(PIXEL, Variant("l2x"), tau=0.3),
            tmp_path,
            dataset_table=table,
            n_jobs=None,
        )
    assert len(store.results()) == 2 and not any(r.failed for r in store.results())


RUN = """
import sys
from dataclasses import dataclass
from p2pselect import datasets, presets
from p2pselect.reproduction import Plan, Suite, Variant, run_suite

@dataclass(frozen=True)
class Scenes:
    def is_present(self, root):
        return True

    def load(self, root, split, random_state):
        made = datasets.make_digit_scenes(24, 32, split=split, random_state=random_state)
        made.target = made.target % 2
        return made

settings = {**presets.SMALL, "image_size": 32, "regions": "grid"}
plan = Plan(settings, {"blackbox": 1}, tau=0.3)
variant = Variant("blackbox_pixel", group="blackbox")
suite = Suite("tiny", {"tiny": plan}, (variant,), seeds=tuple(range(8)), n_curve_images=24)
run_suite(suite, sys.argv[1], dataset_table={"tiny": Scenes()}, datasets=["tiny"])
"""


@pytest.mark.skipif(os.name != "posix", reason="this system is not POSIX")
def test_killed_in_the_middle_and_continued(tmp_path):
    command = [sys.executable, "-c", RUN, str(tmp_path)]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    first = subprocess.Popen(command, env=alone)
    trials = tmp_path / "trials"
    while not trials.is_dir() or len(list(trials.glob("*.json"))) < 2:
        assert first.poll() is None, "the run ended before it could be killed"
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    finished = {p.name: p.stat().st_mtime_ns for p in trials.glob("tiny*.json")}
    assert 2 <= len(finished) < 8
    subprocess.run(command, check=True, env=alone)
    after = {p.name: p.stat().st_mtime_ns for p in trials.glob("tiny*.json")}
    assert len(after) == 8
    assert {name: after[name] for name in finished} == finished, "trials were done twice"


@pytest.mark.filterwarnings("ignore:.*learned nothing")
def test_audits_are_scores_of_methods_that_rank_regions(make_suite, table, tmp_path):
    suite = make_suite(P2P, BLACKBOX, audit_epochs=1)
    store = run_suite(suite, tmp_path, dataset_table=table)
    scores = store.read(Trial("tiny", "p2p", "default", 0)).scores["default"]
    for area in ("0.10", "0.20", "0.30", "0.50"):
        gap = scores[f"audit_model@{area}"] - scores[f"audit_judge@{area}"]
        assert scores[f"audit_gap@{area}"] == pytest.approx(gap)
        assert scores[f"audit_gap_low@{area}"] <= gap + 1e-9
        assert scores[f"audit_gap_high@{area}"] >= gap - 1e-9
        for kind in ("scattered", "contiguous", "objects"):
            assert 0 <= scores[f"audit_{kind}@{area}"] <= 1
    assert 0 <= scores["audit_outside"] <= 1 > scores["audit_outside_random"] > 0.5
    # A judge of one epoch had not stopped learning.
    assert scores["audit_encodes"] == 0
    of_blackbox = store.read(Trial("tiny", "blackbox", "default", 0))
    assert not of_blackbox.failed
    assert not any(name.startswith("audit") for name in of_blackbox.scores["default"])
    with pytest.raises(InputError, match="audit_epochs"):
        run_suite(make_suite(P2P, BLACKBOX, audit_epochs=2), tmp_path, dataset_table=table)
