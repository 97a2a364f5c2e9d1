"""Experiment trackers follow a training through skorch's own callbacks."""

import threading
from numbers import Real
from types import SimpleNamespace

import pytest
from skorch.callbacks import MlflowLogger, TensorBoard, WandbLogger
from two_patches import SETTINGS, two_patches

from p2pselect import P2PClassifier

MEASURED = {"train_loss", "valid_loss", "valid_acc", "valid_kept"}


class Recorder:
    """Stands for what the three packages give: takes numbers, and cannot be copied."""

    def __init__(self, folder):
        self.dir = str(folder)
        self.info = SimpleNamespace(run_id="run 1")
        self.values, self.artifacts, self.ended, self.watched = [], [], [], []
        self.lock = threading.Lock()  # open files and connections cannot be copied, either

    def _add(self, step, name, value):
        assert isinstance(value, Real), name  # as their own clients demand
        self.values.append((step, name, float(value)))

    def add_scalar(self, tag, scalar_value, global_step):
        name = tag.replace("Loss/", "").replace("/", "_")
        self._add(global_step, {"train": "train_loss"}.get(name, name), scalar_value)

    def close(self):
        self.ended.append("closed")

    def watch(self, module):
        self.watched.append(module)

    def log(self, values):
        step = 1 + sum(name == "train_loss" for _, name, _ in self.values)
        for name, value in values.items():
            self._add(step, name, value)

    def log_metric(self, run_id, key, value, step):
        self._add(step, key, value)

    def log_artifact(self, run_id, path, **where):
        self.artifacts.append(path)

    def set_terminated(self, run_id):
        self.ended.append(run_id)


# The name of the phase is a text, which metrics cannot be.
TRACKERS = {
    "TensorBoard": lambda it: TensorBoard(it, keys_ignored="phase"),
    "WandbLogger": lambda it: WandbLogger(it, keys_ignored="phase"),
    "MlflowLogger": lambda it: MlflowLogger(it, it, keys_ignored="phase"),
}


@pytest.mark.parametrize("tracker", TRACKERS)
def test_every_epoch_is_logged(tracker, tmp_path):
    it = Recorder(tmp_path)
    clf = P2PClassifier(**SETTINGS).set_params(
        max_epochs=3,
        objective__warmup_epochs=1,
        validation=0.25,
        training__callbacks=[TRACKERS[tracker](it)],
    )
    clf.fit(*two_patches(64, seed=0))
    for epoch, row in enumerate(clf.history_, 1):
        logged = {name: value for step, name, value in it.values if step == epoch}
        assert MEASURED - set(logged) == (MEASURED - set(row)), epoch
        assert all(logged[name] == pytest.approx(row[name]) for name in MEASURED & set(row))
    assert MEASURED <= set(clf.history_[-1])
    if tracker == "WandbLogger":
        assert it.watched == [clf.module_] and (tmp_path / "best_model.pth").stat().st_size
    else:
        assert it.ended == [{"TensorBoard": "closed"}.get(tracker, "run 1")]
    assert len(it.artifacts) == (4 if tracker == "MlflowLogger" else 0)
