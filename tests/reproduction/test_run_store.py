"""Results are whole or absent, and a folder is one run."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from p2pselect.exceptions import InputError
from p2pselect.reproduction import (
    RunStore,
    Score,
    Trial,
    TrialResult,
    read_scores,
    write_scores,
)
from p2pselect.reproduction._run_store import about_run, begin_run

TRIAL = Trial("digit_scenes", "p2p", "default", 3)
SCORES = {"default": {"accuracy": 0.5, "tau": 0.1}, "matched": {"accuracy": 0.25}}


def test_what_is_written_is_read(tmp_path):
    store = RunStore(tmp_path)
    assert store.read(TRIAL) is None and store.results() == [] and store.long_form() == []
    store.write(TrialResult(TRIAL, SCORES, {"seconds": 1.5}))
    assert store.read(TRIAL) == TrialResult(TRIAL, SCORES, {"seconds": 1.5})
    assert store.long_form()[2] == Score("digit_scenes", "p2p", 3, "matched", "accuracy", 0.25)


def test_an_undefined_score_is_null_on_disk_and_nan_in_memory(tmp_path):
    store = RunStore(tmp_path)
    store.write(TrialResult(TRIAL, {"default": {"accuracy": float("nan"), "tau": 0.1}}))
    (file,) = store.trials_folder.iterdir()
    content = json.loads(file.read_text(), parse_constant=pytest.fail)
    assert content["scores"] == {"default": {"accuracy": None, "tau": 0.1}}
    undefined, tau = store.long_form()
    assert undefined.value != undefined.value and tau.value == 0.1


def test_a_failure_is_a_record_without_rows(tmp_path):
    store = RunStore(tmp_path)
    store.write(TrialResult(TRIAL, error="Traceback ..."))
    assert store.read(TRIAL).failed
    assert store.long_form() == []


def test_half_written_files_are_ignored(tmp_path):
    store = RunStore(tmp_path)
    store.write(TrialResult(TRIAL, SCORES))
    (store.trials_folder / ".digit_scenes.p2p.default.4.json.12.part").write_text('{"for')
    assert [result.trial for result in store.results()] == [TRIAL]


WRITER = """
import sys
from p2pselect.reproduction import Trial, TrialResult, RunStore
store = RunStore(sys.argv[1])
print("begin", flush=True)
for n in range(10**9):
    scores = {str(k): {"accuracy": n} for k in range(2000)}
    store.write(TrialResult(Trial("d", "p2p", "default", n % 3), scores))
"""


@pytest.mark.skipif(os.name != "posix", reason="this system is not POSIX")
def test_a_writer_killed_at_any_point_leaves_whole_results(tmp_path):
    for wait in (0.06, 0.13):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE
        )
        assert writer.stdout.readline() == b"begin\n"
        time.sleep(wait)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        for result in RunStore(tmp_path).results():
            assert len(result.scores) == 2000


def test_a_folder_holds_one_run(tmp_path):
    store = RunStore(tmp_path)
    begin_run(store, {"suite": {"name": "small", "n": (1, 2)}, "started": "now"})
    begin_run(store, {"suite": {"name": "small", "n": (1, 2)}, "started": "later"})
    assert about_run(store)["started"] == "now"
    begin_run(store, {"suite": {"name": "small", "more": 5}, "started": "later"})
    assert about_run(store)["suite"] == {"name": "small", "n": [1, 2], "more": 5}
    with pytest.raises(InputError, match=r"other settings \(different: n\)"):
        begin_run(store, {"suite": {"name": "small", "n": (1, 3)}, "started": "later"})


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(InputError, match="does not hold a run"):
        about_run(RunStore(tmp_path))


def test_a_newer_format_is_refused(tmp_path):
    store = RunStore(tmp_path)
    store.write(TrialResult(TRIAL, SCORES))
    file = store.trials_folder / f"{TRIAL.key}.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 99}))
    with pytest.raises(InputError, match="format 99"):
        store.results()


def test_long_form_and_back(tmp_path):
    rows = [
        Score("d", "p2p", 0, "default", "accuracy", 0.123457),
        Score("d", "c", 1, "", "a", 1.0),
    ]
    write_scores(rows, tmp_path / "new" / "all.csv")
    assert read_scores(tmp_path / "new" / "all.csv") == rows
    head = (tmp_path / "new" / "all.csv").read_text().splitlines()[0]
    assert head == "dataset,method,seed,setting,metric,value"


def test_a_table_with_other_columns(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="must have the columns dataset, method"):
        read_scores(tmp_path / "x.csv")
