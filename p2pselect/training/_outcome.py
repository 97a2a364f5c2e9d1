"""Whether a training has learned anything at all: what nobody should have to find out later."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.special import entr
from skorch.callbacks import Callback

from p2pselect.exceptions import P2PSelectWarning

#: A loss that is closer to that of guessing is the loss of guessing, but for its noise.
_SHARE_OF_GUESSING = 0.98
#: Steps before which nobody expects that anything was learned.
_FIRST_STEPS = 10


class Outcome(Callback):
    """Warns at the end of a training whose answers are no better than guesses.

    The sign costs nothing: the cross-entropy of the last epoch, which training has computed,
    against that of giving every class the share that it has of the images.  Only the last
    phase counts; a few steps, and methods that learn from something else than labels, are not
    judged.
    """

    def on_train_end(self, net: Any, X: Any = None, **kwargs: Any) -> None:
        if net.interrupted or not net.history or not net.is_in_last_phase:
            return
        if len(net.history) * X.n_batches(net.batch_size) < _FIRST_STEPS:
            return
        last = net.history[-1]
        by_class = X.class_weights()
        for name, of_guessing in guessing_losses(by_class / by_class.sum()).items():
            found = [
                value
                for key, value in last.items()
                if key.startswith("train_") and key[6:].rpartition("/")[2] == name
            ]
            scale = by_class.sum() / len(X)
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


def guessing_losses(shares: np.ndarray) -> dict[str, float]:
    """Losses of answering every image with the shares of the classes, by the name of the loss.

    Parameters
    ----------
    shares : ndarray of shape (n_classes,)
        Of the training images; they sum to 1.

    Returns
    -------
    dict of str to float
        In nats.

    Examples
    --------
    >>> round(guessing_losses(np.array([0.5, 0.5]))["cross_entropy"], 3)
    0.693
    """
    # Targets of a binary cross-entropy: 1 for the right class, 1 / C for all others.
    told = shares + (1 - shares) / len(shares)
    return {
        "cross_entropy": float(entr(shares).sum()),
        "binary_cross_entropy": float((entr(told) + entr(1 - told)).sum()),
    }
