"""What a person sees of a training: a line per epoch, and a bar below it on a terminal."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from skorch.callbacks import Callback
from tqdm import tqdm

#: Of the bar, which is there only while epochs are running.
_FORMAT = "{desc} {percentage:3.0f}%|{bar:8}| {n:.1f}/{total} [{elapsed}<{remaining}]"
#: Widest line, in characters: what a terminal shows.
_WIDTH = 80
#: The time left is estimated from this many epochs, since those of other phases may be shorter.
_N_TIMED = 3


class TrainingProgress(Callback):
    """Tells of every epoch of a fit, of which some may be ``done`` already."""

    def __init__(self, epochs: int, done: int = 0, n_held_out: int = 0):
        self.epochs = epochs
        self.done = done
        self.n_held_out = n_held_out

    def on_train_begin(self, net: Any, X: Any = None, **kwargs: Any) -> None:
        self.number_ = self.done
        # In a log file every state of a bar would be one more piece of a very long line.
        self.bar_ = tqdm(
            total=self.epochs,
            initial=self.done,
            unit="epoch",
            desc="epochs",
            bar_format=_FORMAT,
            dynamic_ncols=True,
            leave=False,
            disable=not sys.stderr.isatty(),
        )
        self._say(f"{len(X)} images to train on, {self.n_held_out or 'none'} held out")

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        if training:
            self.bar_.update(1 / max(1, net._n_batches))

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.number_ += 1
        left = self.epochs - self.number_
        seconds = float(np.mean(net.history[-_N_TIMED:, "dur"])) * left
        row = net.history[-1]
        self._say(epoch_line(self.number_, self.epochs, row, seconds))
        if row.get("stopped"):
            self._say(f"stopped after {self.number_} of {self.epochs} epochs")

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        self.bar_.close()

    def _say(self, line: str) -> None:
        # Above the bar, where there is one.
        tqdm.write(line, file=sys.stderr)


def epoch_line(number: int, total: int, row: dict[str, Any], seconds: float) -> str:
    """What the history says of an epoch, and the time until the end, in one line.

    >>> row = {"phase": "joint", "train_loss": 1.2, "valid_loss": 1.3, "valid_acc": 0.81}
    >>> epoch_line(7, 20, row, 492.0)
    ' 7/20 joint       loss 1.200  valid 1.300  acc .810  left 8:12'
    """
    words = [f"{number:{len(str(total))}}/{total} {row['phase']:<10.10}"]
    for name, short in (("train_loss", "loss"), ("valid_loss", "valid")):
        # It is infinite in phases that only prepare for the last one.
        if np.isfinite(row.get(name, np.inf)):
            words.append(f"{short} {_in_five_places(row[name])}")
    for name, short in (("valid_acc", "acc"), ("valid_kept", "kept")):
        if name in row:
            words.append(f"{short} {row[name]:.3f}".replace(" 0.", " ."))
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return "  ".join([*words, f"left {clock}"])[:_WIDTH]


def _in_five_places(loss: float) -> str:
    size = abs(loss)
    return f"{loss:.3f}" if size < 10 else f"{loss:.2f}" if size < 100 else f"{loss:.0e}"
