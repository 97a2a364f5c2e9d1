"""A progress bar with the time left and the terms of the loss."""

from __future__ import annotations

import math
import sys
from typing import Any

from skorch.callbacks import Callback
from tqdm.auto import tqdm


class TrainingBar(Callback):
    """One bar over all epochs of a fit, advanced batch by batch.

    Parameters
    ----------
    epochs : int
        Epochs that this fit will run.
    """

    def __init__(self, epochs: int):
        self.epochs = epochs

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        # In a log file every refresh is one more piece of a very long line.
        pause = 0.1 if sys.stderr.isatty() else 30
        self.bar_ = tqdm(
            total=self.epochs, unit="epoch", desc="fit", bar_format=_FORMAT, mininterval=pause
        )

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        if training:
            self.bar_.update(1 / max(1, net._n_batches))

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        row = net.history[-1]
        shown = {
            name.removeprefix("train_"): f"{value:.3f}"
            for name, value in row.items()
            if name.startswith(("train_", "valid_"))
            and isinstance(value, float)
            and math.isfinite(value)  # it is not, of held-out images before the last phase
        }
        self.bar_.set_postfix(phase=row["phase"], **shown)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        self.bar_.close()


_FORMAT = (
    "{desc}: {percentage:3.0f}%|{bar:20}| {n:.1f}/{total} epochs "
    "[{elapsed}<{remaining}{postfix}]"
)
