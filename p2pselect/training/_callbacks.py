"""Callbacks of a training: which ones of the user can work, and those of the library."""

from __future__ import annotations

import math
import warnings
from copy import deepcopy
from typing import Any

import numpy as np
from scipy.special import entr
from skorch import NeuralNet
from skorch.callbacks import BatchScoring, Callback, EpochScoring, LRScheduler
from torch import nn

from p2pselect.exceptions import InputError, P2PSelectWarning, brief

# -- callbacks of the user ---------------------------------------------------------------------


class StopTraining(KeyboardInterrupt):
    """Raised at the end of an epoch after which a callback wants no other.

    A ``KeyboardInterrupt`` because that is what skorch's callbacks raise to stop a training.
    """


def check_callbacks(given: Any, has_held_out: bool) -> None:
    """Refuse callbacks that need held-out images where there are none."""
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
        if scores_predictions(callback, training=False) and not has_held_out:
            raise InputError(
                f"callbacks: {name} scores held-out images, but no images are held out; set "
                "validation (for example to 0.2), or on_train=True"
            )
        monitor = getattr(callback, "monitor", None)
        held_out = isinstance(monitor, str) and monitor.startswith("valid_")
        if held_out and compares_epochs(callback) and not has_held_out:
            raise InputError(
                f"callbacks: {name} monitors {brief(monitor)}, but no images are held out to "
                "measure it; set validation (for example to 0.2), or monitor "
                "'train_loss'"
            )


def scores_predictions(callback: Any, training: bool) -> bool:
    """Whether a callback scores predictions for training images, or for those held out."""
    return isinstance(callback, (EpochScoring, BatchScoring)) and callback.on_train == training


def compares_epochs(callback: Any) -> bool:
    """Whether a callback acts on how a recorded number changes from epoch to epoch."""
    if isinstance(callback, LRScheduler):
        # It always has a monitor, which only one of its policies looks at.
        name = getattr(callback.policy, "__name__", callback.policy)
        return bool(name == "ReduceLROnPlateau")
    return getattr(callback, "monitor", None) is not None


# -- callbacks of the library ------------------------------------------------------------------


class BestEpoch(Callback):
    """Keeps the weights of the epoch of the last phase whose ``valid_loss`` is the lowest.

    Training ends after ``patience`` epochs that were not the best one.
    """

    def __init__(self, patience: int):
        self.patience = patience
        self.misses = 0
        self.loss = math.inf
        self.weights: dict[str, Any] | None = None

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        if not net.is_in_last_phase:
            return
        loss = net.history[-1, "valid_loss"]
        if loss < self.loss:
            self.loss, self.misses = loss, 0
            self.weights = deepcopy(net.module_.state_dict())
        else:
            self.misses += 1
            if self.misses == self.patience:
                raise StopTraining

    def take_over(self, module: nn.Module) -> None:
        """Put the weights of the best epoch in place, if there was one."""
        if self.weights is not None:
            module.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"misses": self.misses, "loss": self.loss, "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what a checkpoint has kept."""
        self.misses, self.loss = state["misses"], state["loss"]
        self.weights = state["weights"]


#: A loss that is closer to that of guessing differs from it only by noise.
_SHARE_OF_GUESSING = 0.98
#: Steps before which nobody expects that anything was learned.
_FIRST_STEPS = 10


class Outcome(Callback):
    """Warns at the end of a training whose answers are no better than guesses.

    It compares the cross-entropy of the last epoch, which training has computed anyway, with
    that of guessing by how frequent the classes are.  Only the last phase counts; a few steps,
    and methods that learn from something other than labels, are not judged.
    """

    def on_train_end(self, net: Any, X: Any = None, **kwargs: Any) -> None:
        if net.interrupted or not net.history or not net.is_in_last_phase:
            return
        if len(net.history) * X.n_batches(net.batch_size) < _FIRST_STEPS:
            return
        last = net.history[-1]
        total, smoothing = X.total_weight(), net.label_smoothing
        shares, scale = X.class_weights() / total, total / len(X)
        if net.label_weight is None:
            guessing = guessing_losses(shares, smoothing)
        else:
            weight = net.label_weight.cpu().numpy()
            guessing = guessing_labels_loss(shares, weight, smoothing)
        for name, of_guessing in guessing.items():
            found = [
                value
                for key, value in last.items()
                if key.startswith("train_") and key[6:].rpartition("/")[2] == name
            ]
            if found and min(found) >= _SHARE_OF_GUESSING * scale * of_guessing:
                epochs = len(net.history)
                warnings.warn(
                    f"the model has learned nothing: after {epochs} epoch{'s' * (epochs > 1)} "
                    f"the loss on the training images is {min(found):.3f}, and guessing by how "
                    f"frequent the classes are gives {scale * of_guessing:.3f}. Check that the "
                    "labels belong to their images; then try more epochs (max_epochs), another "
                    "learning rate (lr), pretrained networks (pretrained=True) or a larger "
                    "image_size",
                    P2PSelectWarning,
                    stacklevel=2,
                )


def guessing_labels_loss(
    shares: np.ndarray, label_weight: np.ndarray, label_smoothing: float = 0.0
) -> dict[str, float]:
    """The loss, by name, of giving every image the shares (k,) of the labels; in nats.

    ``label_weight`` (k, 2) weighs the absence and the presence of every label.

    >>> round(guessing_labels_loss(np.array([0.5]), np.ones((1, 2)))["cross_entropy"], 3)
    0.693
    """
    told = np.stack([1 - shares, shares], axis=1) * label_weight
    told = (1 - label_smoothing) * told + label_smoothing * told.mean(axis=1, keepdims=True)
    # What weighs w in all is guessed best by the shares of w: their entropy, w times.
    return {"cross_entropy": float(entr(told).sum() - entr(told.sum(axis=1)).sum())}


def guessing_losses(shares: np.ndarray, label_smoothing: float = 0.0) -> dict[str, float]:
    """Losses, by name, of answering every image with the shares of the classes; in nats.

    >>> round(guessing_losses(np.array([0.5, 0.5]))["cross_entropy"], 3)
    0.693
    """
    # B-cos is told 1 for the right class and 1 / C for all others.
    told = shares + (1 - shares) / len(shares)
    smoothed = (1 - label_smoothing) * shares + label_smoothing / len(shares)
    return {
        "cross_entropy": float(entr(smoothed).sum()),
        "binary_cross_entropy": float((entr(told) + entr(1 - told)).sum()),
    }
