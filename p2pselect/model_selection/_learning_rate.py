"""A learning rate from a short training at rising rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from p2pselect._docstrings import shared_docs
from p2pselect.exceptions import InputError, TrainingError, brief
from p2pselect.explanations.figures._display import Display
from p2pselect.explanations.figures._pixels import BLUE, ORANGE


@shared_docs
@dataclass(eq=False)
class LearningRateDisplay(Display):
    """Loss of a training whose learning rate rises, made by :func:`find_learning_rate`.

    Parameters
    ----------
    rates : ndarray of shape (n_steps,)
        Learning rate of every step.
    losses : ndarray of shape (n_steps,)
        Smoothed loss of the training images of that step.

    Examples
    --------
    >>> display = LearningRateDisplay(np.array([1e-3, 1e-2, 0.1]), np.array([2.0, 1.5, 9.0]))
    >>> display.suggested
    0.001
    """

    rates: np.ndarray
    losses: np.ndarray

    @property
    def suggested(self) -> float:
        """A tenth of the rate at which the loss is lowest, where it still falls (float)."""
        return float(self.rates[self.losses.argmin()]) / 10

    def _draw(self, ax: Any) -> None:
        ax.plot(self.rates, self.losses, color=BLUE, lw=2)
        ax.axvline(self.suggested, color=ORANGE, lw=1.5, ls="--")
        ax.set(xscale="log", xlabel="learning rate", ylabel="loss, smoothed")
        # What comes after the rise is of no interest, and would flatten all that is.
        low, start = self.losses.min(), self.losses[0]
        room = max(start - low, 0.1 * abs(low))
        ax.set_ylim(low - 0.1 * room, start + 0.5 * room)
        ax.set_title(f"suggested: {self.suggested:.1e}")
        ax.spines[["top", "right"]].set_visible(False)


def find_learning_rate(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    low: float = 1e-6,
    high: float = 1.0,
    n_steps: int = 100,
    **fit_params: Any,
) -> LearningRateDisplay:
    """Train for some steps at rising learning rates, and see where the loss falls.

    This is the range test of Smith (2017).  A copy of the estimator is trained, in the phase in
    which most of its networks learn; the estimator itself and all global random numbers stay as
    they are.  A tenth of the rate with the lowest loss is a usual choice for ``lr``, with any
    schedule.

    Parameters
    ----------
    estimator : estimator
        A classifier of this package; it need not be fitted.
    X : images
        As for ``fit``; streams will do.
    y : array-like of shape (n,), optional
        Labels; None where X has them.
    low, high : float, default=1e-6 and 1.0
        First and last rate; the rate rises geometrically.
    n_steps : int, default=100
        Steps of the optimizer; it stops earlier where the loss has grown to four times the
        lowest one.
    **fit_params
        More arguments of ``fit``.

    Returns
    -------
    LearningRateDisplay
        Its ``suggested`` is the rate, and ``plot()`` draws the curve.

    Raises
    ------
    InputError
        If the estimator is none of this package, the rates do not rise from above 0, or there
        are fewer than two steps.

    References
    ----------
    Smith, L. N. Cyclical Learning Rates for Training Neural Networks. WACV 2017, section 3.3.

    Examples
    --------
    >>> from p2pselect import P2PClassifier, datasets, presets
    >>> scenes = datasets.make_digit_scenes(24, image_size=32, random_state=0)
    >>> clf = P2PClassifier(**{**presets.SMALL, "image_size": 32})
    >>> found = find_learning_rate(clf, scenes.images, scenes.target % 2, n_steps=5)
    >>> 1 < len(found.rates) <= 5  # it ends early where the loss explodes
    True
    """
    # The networks' libraries are needed only now.
    from p2pselect.training._rising_rates import RangeTest

    if not (0 < low < high and n_steps >= 2):
        raise InputError(
            "find_learning_rate needs 0 < low < high and n_steps of at least 2, got "
            f"low={brief(low)}, high={brief(high)} and n_steps={brief(n_steps)}"
        )
    if "training__callbacks" not in estimator.get_params():
        raise InputError(
            f"find_learning_rate needs a classifier of p2pselect, got {brief(estimator)}"
        )
    test = RangeTest(low, high, n_steps)
    trained = clone(estimator).set_params(
        lr=low,
        max_epochs=n_steps,
        validation=None,
        verbose=0,
        warm_start=False,
        training__callbacks=[test],
        training__checkpoint_dir=None,
        training__ema_decay=None,
        training__lr_schedule="constant",
        training__patience=None,
    )
    if trained.random_state is None:
        trained.set_params(random_state=0)  # None would draw from numpy's generator
    try:
        trained.fit(X, y, **fit_params)
    except TrainingError:
        # The loss is not a number any more: that rate was too high.
        if not test.losses:
            raise
    return LearningRateDisplay(np.array(test.rates[: len(test.losses)]), np.array(test.losses))
