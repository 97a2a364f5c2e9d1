"""The certainty search (paper, equation 4): stateless, exact, one classifier call per mask.

Because the order of an image's regions does not depend on tau, every mask of the search
is "the first ``k`` regions of the ranking".  A search is then a walk over the distinct
values of ``k``, smallest tau first, until the classifier is certain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor


def make_tau_grid(tau_min: float, tau_step: float) -> np.ndarray:
    """Values of tau to try: ``tau_min, tau_min + tau_step, ...``, and always 1.0 at the end.

    Examples
    --------
    >>> make_tau_grid(0.25, 0.5)
    array([0.25, 0.75, 1.  ])
    """
    n_steps = int(np.ceil((1 - tau_min) / tau_step - 1e-9))
    inner = np.round(tau_min + tau_step * np.arange(n_steps), 10)
    return np.append(inner, 1.0)


def threshold_counts(sorted_logits: Tensor, offsets: Tensor) -> Tensor:
    """Regions kept at every tau by the paper's cut, sigmoid > .5 (section 4).

    Parameters
    ----------
    sorted_logits : Tensor of shape (n, d)
        Falling along each row; ``-inf`` for padding.
    offsets : Tensor of shape (t,)
        What every tau adds to the logits.

    Returns
    -------
    Tensor of shape (n, t), int64
    """
    return torch.stack([(sorted_logits + o > 0).sum(dim=1) for o in offsets], dim=1)


def budget_counts(sorted_areas: Tensor, tau_grid: np.ndarray) -> Tensor:
    """Most probable regions that fit into tau's share of the pixels (constraint of eq. 2).

    Parameters
    ----------
    sorted_areas : Tensor of shape (n, d)
        Pixels of the regions, most probable first; 0 for padding, which comes last.
    tau_grid : ndarray of shape (t,)

    Returns
    -------
    Tensor of shape (n, t), int64
    """
    used = sorted_areas.cumsum(dim=1)
    real = sorted_areas > 0
    budgets = [float(np.floor(tau * float(used[0, -1]) + 1e-6)) for tau in tau_grid]
    return torch.stack([((used <= b) & real).sum(dim=1) for b in budgets], dim=1)


@dataclass(frozen=True)
class Chunk:
    """Images that enter the search together.

    Attributes
    ----------
    images : Tensor of shape (b, ...)
        As ``classify`` takes them.
    pixel_ranks : Tensor of shape (b, h, w)
        Position of every pixel's region in its image's ranking: a pixel is kept by the
        mask of the first ``k`` regions iff its rank is below ``k``.
    counts : ndarray of shape (b, t)
        Number of regions kept at every tau; monotone along each row.
    """

    images: Tensor
    pixel_ranks: Tensor
    counts: np.ndarray


@dataclass
class SearchResult:
    """Where the search stopped for every image.

    Attributes
    ----------
    level : ndarray of shape (n,), int
        Index into the tau grid.
    count : ndarray of shape (n,), int
        Regions kept there.
    proba : ndarray of shape (n, n_classes), float32
    reached : ndarray of shape (n,), bool
        Whether the certainty was reached; where not, the search ended at tau = 1.
    path_proba : ndarray of shape (n, t, n_classes) or None
        Probabilities at every tau that was looked at, NaN after the stop.
    n_calls : int
        Classifier batches.
    n_evaluated : int
        Images given to the classifier, one per distinct mask.
    """

    level: np.ndarray
    count: np.ndarray
    proba: np.ndarray
    reached: np.ndarray
    path_proba: np.ndarray | None
    n_calls: int = 0
    n_evaluated: int = 0


def joined(results: Sequence[SearchResult]) -> SearchResult:
    """The result of searches over the images of one set, one after the other."""
    return SearchResult(
        **{
            field.name: _joined([getattr(result, field.name) for result in results])
            for field in fields(SearchResult)
        }
    )


def _joined(values: list[Any]) -> Any:
    if isinstance(values[0], np.ndarray):
        return np.concatenate(values)
    return None if values[0] is None else sum(values)


def most_certain(result: SearchResult, counts: np.ndarray) -> SearchResult:
    """Where the certainty was not reached, go back to the mask that came closest to it.

    Parameters
    ----------
    result : SearchResult
        With its path.
    counts : ndarray of shape (n, t)
        Regions kept at every tau.

    Returns
    -------
    SearchResult
        Of equally certain masks the smallest.
    """
    assert result.path_proba is not None
    certainty = np.nan_to_num(result.path_proba, nan=-1.0).max(axis=2)
    level = np.where(result.reached, result.level, certainty.argmax(axis=1))
    rows = np.arange(len(level))
    return replace(
        result, level=level, count=counts[rows, level], proba=result.path_proba[rows, level]
    )


def next_level(counts: np.ndarray, level: np.ndarray) -> np.ndarray:
    """First level after ``level`` with another mask, or the number of levels, per row."""
    t = counts.shape[1]
    here = np.take_along_axis(counts, level[:, None], axis=1)
    other = (counts != here) & (np.arange(t) > level[:, None])
    return np.where(other.any(axis=1), other.argmax(axis=1), t)


def search_certainty(
    chunks: Iterable[Chunk],
    n_images: int,
    classify: Callable[[Tensor, Tensor], Tensor],
    certainty_threshold: float,
    batch_size: int,
    keep_path: bool = False,
) -> SearchResult:
    r"""Find :math:`\min\{\tau \mid \max_c p(y_c \mid x_m) \ge \delta\}` per image (eq. 4).

    Looks only at how large the largest probability is, never at the label nor at which
    class it is.  Images leave when they are certain, and the classifier's batches are
    filled up with the next images, so that they stay full until the end.

    Parameters
    ----------
    chunks : iterable of Chunk
        In the order of the images; at most ``batch_size`` images each.
    n_images : int
    classify : callable
        Maps images of chunks and their bool pixel masks (b, h, w) to probabilities
        (b, n_classes).
    certainty_threshold : float
        delta, in (0, 1].
    batch_size : int
    keep_path : bool, default=False
        Keep the probabilities of every level looked at.
    """
    queue = _Queue(chunks, batch_size)
    result: SearchResult | None = None
    n_calls = n_evaluated = 0
    while batch := queue.next_batch():
        kept = np.take_along_axis(batch.counts, batch.level[:, None], axis=1)[:, 0]
        k = torch.from_numpy(kept).to(batch.pixel_ranks.device)
        masks = batch.pixel_ranks < k[:, None, None]
        proba = classify(batch.images, masks).float().cpu().numpy()
        n_calls, n_evaluated = n_calls + 1, n_evaluated + len(batch)
        n_levels = batch.counts.shape[1]
        if result is None:
            result = _empty_result(n_images, proba.shape[1], n_levels, keep_path)
        following = next_level(batch.counts, batch.level)
        reached = proba.max(axis=1) >= certainty_threshold
        last = following == n_levels
        if result.path_proba is not None:
            span = np.arange(n_levels)
            seen = (span >= batch.level[:, None]) & (span < following[:, None])
            # Levels that repeat a mask have its probabilities, up to the stop.
            seen &= ~reached[:, None] | (span == batch.level[:, None])
            image, level = np.nonzero(seen)
            result.path_proba[batch.row[image], level] = proba[image]
        done = reached | last
        rows = batch.row[done]
        result.level[rows] = np.where(reached, batch.level, n_levels - 1)[done]
        result.count[rows] = kept[done]
        result.proba[rows] = proba[done]
        result.reached[rows] = reached[done]
        queue.put_back(replace(batch, level=following)[np.flatnonzero(~done)])
    if result is None:
        result = _empty_result(0, 0, 1, keep_path)
    result.n_calls, result.n_evaluated = n_calls, n_evaluated
    return result


def _empty_result(n: int, n_classes: int, n_levels: int, keep_path: bool) -> SearchResult:
    path = np.full((n, n_levels, n_classes), np.nan, np.float32) if keep_path else None
    return SearchResult(
        level=np.zeros(n, np.int64),
        count=np.zeros(n, np.int64),
        proba=np.zeros((n, n_classes), np.float32),
        reached=np.zeros(n, bool),
        path_proba=path,
    )


@dataclass(frozen=True)
class _Waiting:
    """Images of a chunk on their way through the search, their rows and next levels."""

    images: Tensor
    pixel_ranks: Tensor
    counts: np.ndarray
    row: np.ndarray
    level: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, which: slice | np.ndarray) -> _Waiting:
        on_device: Any = which
        if isinstance(which, np.ndarray):
            on_device = torch.from_numpy(which).to(self.images.device)
        return _Waiting(
            self.images[on_device],
            self.pixel_ranks[on_device],
            self.counts[which],
            self.row[which],
            self.level[which],
        )

    @classmethod
    def joined(cls, parts: Sequence[_Waiting]) -> _Waiting:
        if len(parts) == 1:  # most of the time, and images are large
            return parts[0]
        return cls(
            torch.cat([part.images for part in parts]),
            torch.cat([part.pixel_ranks for part in parts]),
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("counts", "row", "level")
            ),
        )


class _Queue:
    """Full batches out of chunks and of what was put back: at most two of them at a time."""

    def __init__(self, chunks: Iterable[Chunk], batch_size: int):
        self.chunks = iter(chunks)
        self.batch_size = batch_size
        self.n_read = 0
        self.parts: list[_Waiting] = []

    def next_batch(self) -> _Waiting | None:
        """The images that wait longest; None when none are left."""
        while sum(map(len, self.parts)) < self.batch_size:
            chunk = next(self.chunks, None)
            if chunk is None:
                break
            row = self.n_read + np.arange(len(chunk.images))
            self.n_read += len(row)
            self.parts.append(
                _Waiting(chunk.images, chunk.pixel_ranks, chunk.counts, row, np.zeros_like(row))
            )
        taken: list[_Waiting] = []
        missing = self.batch_size
        while self.parts and missing:
            part = self.parts.pop(0)
            if len(part) > missing:
                self.parts.insert(0, part[missing:])
            taken.append(part[:missing])
            missing -= len(taken[-1])
        return _Waiting.joined(taken) if taken else None

    def put_back(self, batch: _Waiting) -> None:
        """Let images wait for another turn."""
        if len(batch):
            self.parts.append(batch)
