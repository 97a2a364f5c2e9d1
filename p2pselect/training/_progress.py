"""A progress bar with the time left, the loss and its terms."""

from __future__ import annotations

import math
import sys
from typing import Any

from skorch.callbacks import Callback
from tqdm.auto import tqdm

#: Short, so that phase and loss are seen in a terminal of 80 columns; what comes behind them is
#: cut off where there is no room.
_FORMAT = "{desc} {percentage:3.0f}%|{bar:8}| {n:.1f}/{total} [{elapsed}<{remaining}{postfix}]"


class TrainingBar(Callback):
    """One bar over all epochs of a fit, advanced batch by batch.

    Parameters
    ----------
    epochs : int
        Epochs of this training.
    done : int, default=0
        How many of them were trained before it was stopped: where the bar begins.
    """

    def __init__(self, epochs: int, done: int = 0):
        self.epochs = epochs
        self.done = done

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.is_watched_ = sys.stderr.isatty()
        self.bar_ = tqdm(
            total=self.epochs,
            initial=self.done,
            unit="epoch",
            desc="epochs",
            bar_format=_FORMAT,
            dynamic_ncols=True,
            # In a log file every refresh is one more piece of a very long line.
            mininterval=0.1 if self.is_watched_ else 30,
        )

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        if training:
            self.bar_.update(1 / max(1, net._n_batches))

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        row = net.history[-1]
        terms = {
            name: f"{value:.3f}"
            for name, value in row.items()
            if name.startswith(("train_", "valid_"))
            and isinstance(value, float)
            and math.isfinite(value)  # it is not, of held-out images before the last phase
        }
        losses = [name for name in ("train_loss", "valid_loss") if name in terms]
        words = [_named(name, terms.pop(name)) for name in losses]
        words.append(row["phase"])
        words += [_named(name, value) for name, value in terms.items()]
        self.bar_.set_postfix_str(", ".join(words), refresh=self.is_watched_)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        self.bar_.close()


def _named(term: str, value: str) -> str:
    return f"{term.removeprefix('train_')}={value}"
