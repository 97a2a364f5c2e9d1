"""skorch callbacks that a user brings: which can work here, and when they compare epochs."""

from __future__ import annotations

from typing import Any

from skorch.callbacks import BatchScoring, Callback, EpochScoring, LRScheduler

from p2pselect.exceptions import InputError, brief


class StopTraining(KeyboardInterrupt):
    """Raised at the end of an epoch after which a callback wants no other.

    A ``KeyboardInterrupt`` because that is what skorch's callbacks raise to stop a training.
    """


def check_callbacks(
    given: Any, validation_fraction: float | None, ema_decay: float | None = None
) -> None:
    """Refuse callbacks that can only fail, before anything is trained.

    Parameters
    ----------
    given : list or None
        Callbacks, their classes, or pairs of a name and one of these, as skorch takes them.
    validation_fraction, ema_decay : float or None

    Raises
    ------
    InputError
        If one is not a callback of skorch, needs held-out images where there are none, or
        would choose weights that a moving average replaces.
    """
    for entry in given or []:
        callback = entry[1] if isinstance(entry, tuple) and len(entry) == 2 else entry
        if isinstance(callback, type) and issubclass(callback, Callback):
            callback = callback()
        if not isinstance(callback, Callback):
            raise InputError(
                "callbacks must be a list of skorch callbacks, such as "
                f"skorch.callbacks.EarlyStopping(), got {brief(entry)} in it"
            )
        name = type(callback).__name__
        if scores_predictions(callback, training=False) and validation_fraction is None:
            raise InputError(
                f"callbacks: {name} scores held-out images, of which there are none; set "
                "validation_fraction (for example to 0.2), or on_train=True"
            )
        if getattr(callback, "load_best", False) and ema_decay is not None:
            raise InputError(
                f"callbacks: {name}(load_best=True) and ema_decay={ema_decay} both choose the "
                "weights that predict; use one of them"
            )
        monitor = getattr(callback, "monitor", None)
        held_out = isinstance(monitor, str) and monitor.startswith("valid_")
        if held_out and compares_epochs(callback) and validation_fraction is None:
            raise InputError(
                f"callbacks: {name} monitors {brief(monitor)}, but no images are held out to "
                "measure it; set validation_fraction (for example to 0.2), or monitor "
                "'train_loss'"
            )


def scores_predictions(callback: Any, training: bool) -> bool:
    """Whether a callback scores predictions for training images, or for those held out."""
    return isinstance(callback, (EpochScoring, BatchScoring)) and callback.on_train == training


def compares_epochs(callback: Any) -> bool:
    """Whether a callback acts on how a recorded number changes from epoch to epoch."""
    if isinstance(callback, LRScheduler):
        # It always has a monitor, which one of its policies looks at.
        name = getattr(callback.policy, "__name__", callback.policy)
        return bool(name == "ReduceLROnPlateau")
    return getattr(callback, "monitor", None) is not None
