"""The result of an audit: who reads what in the same masked images, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from p2pselect._docstrings import shared_docs
from p2pselect._optional import need
from p2pselect.exceptions import InputError
from p2pselect.explanations.figures._display import Display
from p2pselect.explanations.figures._pixels import BLUE, ORANGE
from p2pselect.metrics._encoding import bootstrap_means

#: Draws of the bootstrap.
N_DRAWS = 2000
PIXELS, ENCODES, UNCLEAR = "evidence is in the pixels", "the mask encodes", "cannot tell"


@shared_docs
@dataclass(eq=False)
class Audit(Display):
    """What a model and its judge read in the same masked images, made by :func:`audit`.

    A *level* is what is shown of every image: at most some share of its area, the model's own
    mask (``"stop"``), or all of it (``"whole"``).  A *row* is who read what.

    Parameters
    ----------
    values : dict of str to ndarray of shape (n, n_levels)
        One value per image, NaN where there is none. ``"model"`` and ``"judge"`` tell whether
        the answer from the model's masks is right (of several labels, how many are), and so do
        ``"judge: scattered"``, ``"judge: contiguous"``, ``"judge: central"`` and ``"judge:
        objects"`` for masks of the same area that the model had no part in, ``"model:
        scattered"`` and ``"model: contiguous"`` for the model on such masks, and ``"outline"``
        for a logistic regression that sees the outline of the model's mask alone. ``"model:
        belief"`` and ``"judge: belief"`` are probabilities of the true class (or the mean over
        labels). ``"shown outside"`` is the share of what the model shows that is outside the
        object, and ``"shown outside: central"`` that of as much in the middle; ``"outside"``
        tells whether the former is more than half, and ``"kept"`` is the share of the area that
        it shows. ``"model: worst group"`` and ``"judge: worst group"`` have the images of
        ``worst_group`` alone. ``"retrained"``, ``"retrained: scattered"`` and ``"retrained:
        contiguous"`` belong to classifiers that learned, and answer, without as much of every
        image as a level shows; at the level of the whole image, nothing is removed.
    levels : ndarray of shape (n_levels,)
        Shares of the area in (0, 1], which are followed by NaN for the stop and 1 for the whole
        image.
    y : ndarray of shape (n,) or (n, n_labels)
        True labels.
    groups : ndarray of shape (n,), optional
        Images that the bootstrap draws together.
    judge : JudgeClassifier, optional
        The fitted judge, which can serve other audits.  Its ``converged_`` says whether it had
        stopped learning.
    tolerance : float, default=0.05
        Differences of accuracy up to this one do not count.

    Examples
    --------
    >>> right = np.ones((4, 3))
    >>> values = {"model": right, "judge": right * [0.0, 0.5, 1.0]}
    >>> found = Audit(values, levels=np.array([0.1, np.nan, 1.0]), y=np.array([0, 1, 0, 1]))
    >>> found.names, found.gap[0]
    (['0.1', 'stop', 'whole'], array([1. , 0.5, 0. ]))
    """

    values: dict[str, np.ndarray]
    levels: np.ndarray
    y: np.ndarray
    groups: np.ndarray | None = None
    judge: Any = field(default=None, repr=False)
    tolerance: float = 0.05

    @property
    def model_accuracy(self) -> np.ndarray:
        """Accuracy of the model at every level, float array of shape (n_levels,)."""
        return self.figure("model")[0]

    @property
    def judge_accuracy(self) -> np.ndarray:
        """Accuracy of the judge on the same masked images, float array of shape (n_levels,)."""
        return self.figure("judge")[0]

    @property
    def gap(self) -> np.ndarray:
        """Accuracy of the model minus that of the judge, with its interval, (3, n_levels)."""
        return self.figure("model", "judge")

    def figure(self, row: str, minus: str | None = None) -> np.ndarray:
        """Return the mean of a row over the images, or the difference of two, with intervals.

        Parameters
        ----------
        row : str
            A key of ``values``.
        minus : str, optional
            The row to subtract, image by image.

        Returns
        -------
        ndarray of shape (3, n_levels)
            Means, and the lower and upper ends of their 95 % intervals (percentiles of 2,000
            draws of the images, which are the same for all rows).
        """
        if (row, minus) not in self._figures:
            values = (
                self.values[row] if minus is None else self.values[row] - self.values[minus]
            )
            self._figures[row, minus] = self._interval(values)
        return self._figures[row, minus]

    @cached_property
    def _figures(self) -> dict[tuple[str, str | None], np.ndarray]:
        return {}

    @property
    def worst_group(self) -> Any:
        """The group whose images the model reads worst from its own masks; None without one.

        Its accuracy is a little too low: among groups that are equally hard, one comes last.
        """
        if self.groups is None or "model: worst group" not in self.values:
            return None
        has = ~np.isnan(self.values["model: worst group"]).all(axis=1)
        return self.groups[has][0]

    @property
    def names(self) -> list[str]:
        """Names of the levels."""
        return [*(f"{share:.3g}" for share in self.levels[:-2]), "stop", "whole"]

    @property
    def verdict(self) -> str:
        """One of "evidence is in the pixels", "the mask encodes" and "cannot tell"."""
        return self._judged[0]

    @property
    def reasons(self) -> list[str]:
        """Sentences that say what the verdict rests on."""
        return self._judged[1]

    @property
    def _converged(self) -> bool:
        return bool(getattr(self.judge, "converged_", True))

    @cached_property
    def _judged(self) -> tuple[str, list[str]]:
        most, names = self.tolerance, np.array(self.names)
        constant, guessed = self._guesses
        # Where answers are guesses, they are evidence of nothing.
        counts = self.figure("model")[1] > constant
        counts[-2:] = False
        if not counts.any():
            return UNCLEAR, ["At no area is the model better than a constant answer."]
        model, believed = self.figure("model"), self.figure("model: belief")
        # What speaks for the model: a judge knows no less than somebody who guesses.
        mean, low, high = np.min(
            [
                self.gap,
                model - constant,
                self.figure("model: belief", "judge: belief"),
                believed - guessed,
            ],
            axis=0,
        )
        if (high[counts] <= most).all():
            text = "At no area does the model read its masks better than the judge by more than"
            return PIXELS, [f"{text} {most:g}; at most, it does by {mean[counts].max():+.3f}."]
        if faults := self._faults_of_the_judge():
            return UNCLEAR, [*faults, "A gap may be the judge's fault."]
        convicting = counts & (low > most)
        if convicting.any():
            found = [f"{mean[i]:.3f} at {names[i]}" for i in np.flatnonzero(convicting)]
            return ENCODES, [
                "A judge that learned from masks that nobody chose reads the same images worse "
                f"than the model: by {', '.join(found)} of the area."
            ]
        wide = ", ".join(names[counts & (high > most)])
        return UNCLEAR, [
            f"The interval of the gap contains {most:g} at {wide} of the area: more test "
            "images would tell."
        ]

    @property
    def _guesses(self) -> tuple[float, float]:
        """Accuracy of the best constant answer, and mean probability of the truth by guessing.

        If images have several labels, both are means over them.
        """
        columns = self.y.reshape(len(self.y), -1).T
        shares = [np.unique(own, return_counts=True)[1] / len(own) for own in columns]
        constant, guessed = np.mean([[own.max(), (own**2).sum()] for own in shares], axis=0)
        return float(constant), float(guessed)

    def _faults_of_the_judge(self) -> list[str]:
        """Why a gap between the model and this judge does not show a code."""
        faults = []
        if not self._converged:
            faults.append("The judge was still learning when its training ended.")
        whole = self.judge_accuracy[-1]
        best = np.nanmax(self.model_accuracy[-2:])
        if best - whole > self.tolerance:
            faults.append(
                f"The judge reads whole images with an accuracy of {whole:.3f}, while the "
                f"model reaches {best:.3f}."
            )
        neutral = [
            self.figure(f"model: {kind}", f"judge: {kind}")[0, :-2]
            for kind in ("scattered", "contiguous")
            if f"model: {kind}" in self.values
        ]
        if neutral and np.mean(neutral) > self.tolerance:
            faults.append(
                "The model reads random regions, which nobody chose, more accurately than the "
                f"judge, by {np.mean(neutral):.3f} on average."
            )
        return faults

    def difference(self, other: Audit) -> dict[str, np.ndarray]:
        """Compare two models on the same test images, image by image.

        Parameters
        ----------
        other : Audit
            Of another model, with the same images, levels and groups.

        Returns
        -------
        dict of str to ndarray of shape (3, n_levels)
            For every row that both have: mean of this one minus the other, and its interval.

        Raises
        ------
        InputError
            If the images or levels are not the same.
        """
        same = np.array_equal(self.y, other.y)
        if not same or not np.array_equal(self.levels, other.levels, equal_nan=True):
            raise InputError("both audits must have the same test images and areas")
        rows = [row for row in self.values if row in other.values]
        return {row: self._interval(self.values[row] - other.values[row]) for row in rows}

    def _interval(self, values: np.ndarray) -> np.ndarray:
        groups = self.groups
        # Of a single group, its images are all that can be drawn.
        if groups is not None and len(np.unique(groups[~np.isnan(values).all(axis=1)])) < 2:
            groups = None
        return bootstrap_means(values, groups, N_DRAWS, random_state=0)

    def to_frame(self) -> Any:
        """Return all figures as a pandas DataFrame.

        Returns
        -------
        DataFrame
            One line per level and row, with ``value``, ``low`` and ``high``.
        """
        need("pandas", "to_frame", "pandas")
        import pandas as pd

        return pd.DataFrame(
            [
                {"level": name, "row": row, "value": mean, "low": low, "high": high}
                for row, figure in self._table().items()
                for name, (mean, low, high) in zip(self.names, figure.T, strict=True)
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the single images, as JSON can hold it.

        Returns
        -------
        dict
            ``verdict``, ``reasons``, ``n_images``, ``n_labels`` (None where images have one
            class each), ``judge_converged``, ``tolerance``,
            ``levels``, ``worst_group`` and ``rows``: the lists ``value``, ``low`` and ``high``
            by name, with None where there is no value.
        """
        rows = {
            row: {
                end: [None if np.isnan(v) else round(float(v), 6) for v in values]
                for end, values in zip(("value", "low", "high"), figure, strict=True)
            }
            for row, figure in self._table().items()
        }
        return {
            "verdict": self.verdict,
            "reasons": self.reasons,
            "n_images": len(self.y),
            "n_labels": None if self.y.ndim == 1 else self.y.shape[1],
            "judge_converged": self._converged,
            "tolerance": self.tolerance,
            "levels": self.names,
            "worst_group": None if self.worst_group is None else str(self.worst_group),
            "rows": rows,
        }

    def _table(self) -> dict[str, np.ndarray]:
        table = {row: self.figure(row) for row in self.values}
        return {**table, "gap": self.gap}

    def __str__(self) -> str:
        lines = [self.verdict, *self.reasons, ""]
        gap = {
            f"gap, {end}": row for end, row in zip(("", "from", "to"), self.gap, strict=True)
        }
        means = {row: self.figure(row)[0] for row in self.values}
        lines.append(f"{'share that is shown':22s}" + "".join(f"{n:>8s}" for n in self.names))
        for row, figures in {**means, **gap}.items():
            cells = ["" if np.isnan(value) else f"{value:.3f}" for value in figures]
            lines.append(f"{row.strip(', '):22s}" + "".join(f"{cell:>8s}" for cell in cells))
        return "\n".join(lines)

    def _size(self) -> tuple[float, float]:
        return 6.4, 4.2

    def _draw(self, ax: Any) -> None:
        kept, fixed = self.figure("kept")[0], slice(0, -2)
        lines = {
            "model": ("model", BLUE, "-"),
            "judge": ("judge, same regions", ORANGE, "-"),
            "judge: objects": ("judge, regions of the object", "0.25", "--"),
            "judge: contiguous": ("judge, in one piece", "0.45", "-."),
            "judge: scattered": ("judge, scattered", "0.6", ":"),
        }
        for row, (name, color, style) in lines.items():
            if row not in self.values:
                continue
            mean, low, high = self.figure(row)
            ax.plot(kept[fixed], mean[fixed], style, color=color, lw=2, label=name)
            ax.fill_between(kept[fixed], low[fixed], high[fixed], color=color, alpha=0.15, lw=0)
            if row in ("model", "judge"):
                ax.plot(kept[-2], mean[-2], "o", color=color, ms=7, mec="white")
        ax.set(ylim=(0, 1.02), xlabel="share of the image that is shown", ylabel="accuracy")
        ax.set_title(self.verdict)
        ax.legend(frameon=False, loc="lower right", fontsize=9)
        ax.spines[["top", "right"]].set_visible(False)
