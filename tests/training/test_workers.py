"""Worker processes, however they are started: no deadlock, and the same learning."""

import multiprocessing
import subprocess
import sys

import pytest

from p2pselect.exceptions import InputError
from p2pselect.images._geometry import Grid
from p2pselect.training._augmentation import flip
from p2pselect.training._data import Views
from p2pselect.training._training_run import check_sendable

SCRIPT = """
import sys
import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info
from p2pselect import P2PClassifier, datasets, presets

class Stream(IterableDataset):
    def __iter__(self):
        info = get_worker_info()
        start, step = (0, 1) if info is None else (info.id, info.num_workers)
        yield from list(zip(images, target))[start::step]

scenes = datasets.make_digit_scenes(24, image_size=32, random_state=0)
images, target = scenes.images, scenes.target % 2
changes = {"image_size": 32, "max_epochs": 1, "objective__warmup_epochs": 0, "batch_size": 8}
changes |= {"augment": "paper", "random_state": 0, "n_jobs": 2}

def make(num_workers=0):
    clf = P2PClassifier(**presets.SMALL)
    return clf.set_params(**changes, training__num_workers=num_workers)

if __name__ == "__main__":
    torch.multiprocessing.set_start_method(sys.argv[1])
    # Threads of torch, numba and the reader are there before the workers are.
    alone = make().fit(images, target)
    alone.predict(images)
    divided = make(2).fit(images, target)
    losses = [clf.history_[:, "train_loss"] for clf in (alone, divided)]
    np.testing.assert_allclose(*losses, rtol=1e-6)
    assert len(make(2).fit(Stream()).history_) == 1
    print("done")
"""


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_learn_the_same_however_they_are_started(tmp_path, start):
    script = tmp_path / "workers.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, script, start], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == "done\n"


@pytest.mark.parametrize("start", ["spawn", "forkserver", "fork"])
def test_what_cannot_be_sent_to_a_worker_is_said(monkeypatch, start):
    monkeypatch.setattr(multiprocessing, "get_start_method", lambda allow_none: start)
    check_sendable(Views(print, Grid((32, 32), "pad"), flip))
    own = Views(print, Grid((32, 32), "pad"), lambda images, regions, rng: (images, regions))
    if start == "fork":
        check_sendable(own)
    else:
        with pytest.raises(InputError, match=r"num_workers: augment or regions .*lambda"):
            check_sendable(own)
