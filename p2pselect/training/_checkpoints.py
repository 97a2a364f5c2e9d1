"""Training that can be killed: its state after every epoch, and the way back to it.

Everything that later epochs depend on is restored: networks, optimizer, learning rate schedule,
history, and what a method learns outside of its networks.  Random numbers depend on the seed
and the epoch only.  So a training that was resumed ends (on a CPU, exactly) as one that was
never stopped.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.history import History

from p2pselect._settings import Settings
from p2pselect.atomic_write import atomic_open
from p2pselect.distributed import Group
from p2pselect.exceptions import InputError, TrainingError, brief, brief_path
from p2pselect.training._data import TrainingData
from p2pselect.training._stream import TrainingStream

FORMAT = 3


class Checkpoints(Callback):
    """The checkpoint of one training: a file, replaced after every epoch.

    A training that resumes takes over the ``seed`` of the checkpoint.  ``others`` are objects
    that change while training, besides the net, with ``state_dict`` and ``load_state_dict``.
    The first of several processes reads and writes the file: all have the same to write.
    """

    def __init__(
        self,
        path: Path,
        seed: int,
        others: Sequence[Any],
        processes: Group,
    ):
        self.path = path
        self.others = others
        self.writes = processes.rank == 0
        self.saved = processes.broadcast(read_checkpoint(path) if self.writes else None)
        self.seed: int = self.saved["seed"] if self.saved else seed

    def restore(self, net: NeuralNet) -> bool:
        """Restore a net from the checkpoint, if there is one.

        The result says whether a callback has stopped that training, so that it is over.
        """
        if self.saved is None:
            return False
        net.module_.load_state_dict(self.saved["module"])
        net.history = History(json.loads(self.saved["history"]))
        for changing, state in zip(self._changing(net), self.saved["changing"], strict=True):
            changing.load_state_dict(state)
        net.optimizer_.load_state_dict(self.saved["optimizer"])
        return _is_stopped(net)

    def _changing(self, net: NeuralNet) -> list[Any]:
        memories = [getattr(phase.objective, "memory", None) for phase in net.phases]
        return [*(memory for memory in memories if memory is not None), *self.others]

    def named_in(self, error: TrainingError, n_epochs: int) -> TrainingError:
        """An error of training that says where the state before it lies."""
        if not self.path.is_file():
            return error
        return TrainingError(f"{error}; the state after epoch {n_epochs} is in {self.path}")

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        saved, self.saved = self.saved, None
        if saved is not None and saved["is_unfinished"]:
            schedule = _schedule(net)
            if schedule is not None:
                # It has just been made, and has set the optimizer to its start.
                schedule.load_state_dict(saved["schedule"])
            net.optimizer_.load_state_dict(saved["optimizer"])

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        self._write(net)

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        if _is_stopped(net):
            self._write(net)  # callbacks may have gone back to the best epoch

    def _write(self, net: NeuralNet) -> None:
        if not self.writes:
            return
        schedule = _schedule(net)
        history = [{**row, "batches": row["batches"][-1:]} for row in net.history]
        state = {
            "format": FORMAT,
            "seed": self.seed,
            "history": json.dumps(history),
            "is_unfinished": len(history) < self.end,
            "module": net.module_.state_dict(),
            "changing": [changing.state_dict() for changing in self._changing(net)],
            "optimizer": net.optimizer_.state_dict(),
            "schedule": None if schedule is None else schedule.state_dict(),
        }
        content = io.BytesIO()
        torch.save(state, content)
        with atomic_open(self.path, "wb") as file:
            file.write(content.getbuffer())

    #: Epochs after which the learning rate schedule that is running ends.
    end = 0


def _is_stopped(net: NeuralNet) -> bool:
    return bool(net.history and net.history[-1].get("stopped"))


def _schedule(net: NeuralNet) -> Any:
    callback = dict(net.watchers).get("lr_schedule")
    return getattr(callback, "lr_scheduler_", None)


def read_checkpoint(path: Path) -> dict[str, Any] | None:
    """What a checkpoint holds; None where there is no file."""
    if not path.is_file():
        return None
    try:
        # weights_only: tensors, numbers and names; nothing in the file is called.
        saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if saved["format"] != FORMAT:
            raise ValueError(f"format {saved['format']}, expected {FORMAT}")
    # A damaged file can raise nearly anything.
    except Exception as error:
        raise InputError(
            f"{path} is not a checkpoint that can be read ({error}); delete it to train "
            "from the start"
        ) from error
    return saved


def checkpoint_path(
    folder: str | os.PathLike[str],
    settings: Settings,
    data: TrainingData | TrainingStream,
    held_out: TrainingData | None,
) -> Path:
    """The file for the training of an estimator with these settings on these data.

    Trainings that differ in anything have different files, so that a folder can serve all
    candidates and folds of a search.  Of the data, labels, weights, and names of files or the
    pixels of some images count.
    """
    method, hashes = type(settings).__name__, {}
    # The settings of a group are listed by themselves, the same whether it is None; what is
    # held out shows in the data.
    without = {*settings._names_by_role("machine"), *settings._groups(), "validation"}
    for name, value in settings.get_params().items():
        if name in without:
            continue
        try:
            hashes[name] = joblib.hash(value)
        # An object can raise anything when it is pickled.
        except Exception as error:
            raise InputError(
                f"checkpoint_dir: {name}={brief(value)} cannot be told from others, as it "
                f"cannot be pickled ({error}); use a function of a module"
            ) from error
    content = (method, hashes, *data.content(), *(held_out.content() if held_out else ()))
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"checkpoint_dir={brief_path(folder)}: {error.strerror}") from error
    return Path(folder, f"{method}-{joblib.hash(content)}.checkpoint")
