"""A display of how a training went, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Self

import numpy as np

from p2pselect._docstrings import shared_docs
from p2pselect.exceptions import InputError
from p2pselect.explanations.figures._display import Display
from p2pselect.explanations.figures._pixels import BLUE, GREEN, ORANGE, PURPLE

#: Names in a history, words, colors and lines of what is drawn.
_LOSSES = (
    ("train_loss", "training images", BLUE, "o-"),
    ("valid_loss", "held-out images", ORANGE, "s--"),
)
_SHARES = (
    ("valid_acc", "right, of held-out images", GREEN, "o-"),
    ("valid_kept", "kept, of their pixels", PURPLE, "s--"),
)


@shared_docs
@dataclass(eq=False)
class LearningCurvesDisplay(Display):
    """Losses of every epoch, and accuracy and kept fraction on held-out images.

    Lines end with their phase, because other phases minimize something else.  The loss of the
    training images is that of their random views while the networks change; that of held-out
    images is measured afterwards, with all schedules at their end.

    Parameters
    ----------
    phases : list of n str
        Name of the phase of every epoch.
    values : dict of str to ndarray of shape (n,)
        ``train_loss``, ``valid_loss``, ``valid_acc`` and ``valid_kept`` where they were
        measured, NaN elsewhere.

    Examples
    --------
    >>> rows = [{"phase": "fit", "train_loss": loss} for loss in (0.7, 0.4, 0.3)]
    >>> display = LearningCurvesDisplay.from_history(rows)
    >>> display.values["train_loss"]
    array([0.7, 0.4, 0.3])
    """

    phases: list[str]
    values: dict[str, np.ndarray]

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> Self:
        """Draw the history of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier of this package, a Pipeline that ends in one, or a search over
            one.  Saved models keep their history.
        %(ax_and_what_is_drawn)s

        Raises
        ------
        InputError
            If the estimator has no history.
        """
        model = estimator
        while not hasattr(model, "history_"):
            inner = getattr(model, "best_estimator_", None) or getattr(model, "steps", None)
            if inner is None:
                raise InputError(
                    f"{cls.__name__} needs a fitted classifier of p2pselect, got a "
                    f"{type(estimator).__name__} without history_"
                )
            model = inner[-1][1] if isinstance(inner, list) else inner
        return cls.from_history(model.history_, ax=ax)

    @classmethod
    def from_history(cls, history: Iterable[Mapping[str, Any]], *, ax: Any = None) -> Self:
        """Draw a history.

        Parameters
        ----------
        history : iterable of dict
            One for every epoch, such as ``clf.history_``.
        %(ax_and_what_is_drawn)s

        Raises
        ------
        InputError
            If there was no epoch.
        """
        rows = [*history]
        if not rows:
            raise InputError("there is no epoch to draw: the history is empty")
        values = {}
        for name, *_ in (*_LOSSES, *_SHARES):
            column = np.array([row.get(name, np.nan) for row in rows], float)
            column[~np.isfinite(column)] = np.nan
            if not np.isnan(column).all():
                values[name] = column
        return cls([str(row.get("phase", "")) for row in rows], values).plot(ax)

    def _size(self) -> tuple[float, float]:
        return 6.4, 4.6 if self._has_shares else 3.2

    @property
    def _has_shares(self) -> bool:
        return any(name in self.values for name, *_ in _SHARES)

    def _draw(self, ax: Any) -> None:
        ax.set_axis_off()
        low = 0.5 if self._has_shares else 0.0
        losses = ax.inset_axes((0, low, 1, 1 - low))
        losses.set_ylabel("loss")
        self._draw_lines(losses, _LOSSES)
        self._name_phases(losses)
        last = losses
        if self._has_shares:
            last = ax.inset_axes((0, 0, 1, 0.42), sharex=losses)
            last.set(ylabel="share", ylim=(0, 1.02))
            self._draw_lines(last, _SHARES)
            losses.tick_params(labelbottom=False)
        last.set_xlabel("epoch")
        last.xaxis.get_major_locator().set_params(integer=True)
        last.set_xlim(0.5, len(self.phases) + 0.5)

    def _draw_lines(self, ax: Any, lines: Any) -> None:
        for name, words, color, style in lines:
            for start, stop, _ in self._stretches() if name in self.values else ():
                epochs, values = np.arange(start, stop) + 1, self.values[name][start:stop]
                # The legend names a line once.
                label = words if start == 0 else None
                ax.plot(epochs, values, style, color=color, lw=2, ms=3.5, label=label)
        for start, *_ in self._stretches()[1:]:
            ax.axvline(start + 0.5, color="gray", lw=1, ls=":")
        ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.03), fontsize=9)
        ax.spines[["top", "right"]].set_visible(False)

    def _stretches(self) -> list[tuple[int, int, str]]:
        """First epoch, end and name of every phase."""
        found, start = [], 0
        for name, epochs in groupby(self.phases):
            stop = start + len([*epochs])
            found.append((start, stop, name))
            start = stop
        return found

    def _name_phases(self, ax: Any) -> None:
        place = {"transform": ax.get_xaxis_transform(), "ha": "center", "va": "bottom"}
        for start, stop, name in self._stretches():
            middle = (start + stop + 1) / 2
            ax.text(middle, 1.0, name, fontsize=9, color="gray", parse_math=False, **place)
