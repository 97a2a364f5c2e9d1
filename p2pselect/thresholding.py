"""The certainty search (paper, equation 4): stateless, exact, one classifier call per mask.

Because the order of an image's regions does not depend on tau, every mask of the search
is "the first ``k`` regions of the ranking".  A search is then a walk over the distinct
values of ``k``, smallest tau first, until the classifier is certain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
    images : Tensor of shape (b, 3, h, w)
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
        Maps images (b, 3, h, w) and bool pixel masks (b, h, w) to probabilities
        (b, n_classes).
    certainty_threshold : float
        delta, in (0, 1].
    batch_size : int
    keep_path : bool, default=False
        Keep the probabilities of every level looked at.
    """
    source = iter(chunks)
    pool = _Pool(source, batch_size)
    result: SearchResult | None = None
    n_calls = n_evaluated = 0
    while pool.refill():
        slots = pool.pending[:batch_size]
        rows, levels, counts = pool.row[slots], pool.level[slots], pool.counts[slots]
        kept = np.take_along_axis(counts, levels[:, None], axis=1)[:, 0]
        proba = pool.classify(slots, kept, classify)
        n_calls, n_evaluated = n_calls + 1, n_evaluated + len(slots)
        if result is None:
            result = _empty_result(n_images, proba.shape[1], counts.shape[1], keep_path)
        following = next_level(counts, levels)
        reached = proba.max(axis=1) >= certainty_threshold
        last = following == counts.shape[1]
        if result.path_proba is not None:
            span = np.arange(counts.shape[1])
            seen = (span >= levels[:, None]) & (span < following[:, None])
            # Levels that repeat a mask have its probabilities, up to the stop.
            seen &= ~reached[:, None] | (span == levels[:, None])
            image, level = np.nonzero(seen)
            result.path_proba[rows[image], level] = proba[image]
        done = reached | last
        stop = np.where(reached, levels, counts.shape[1] - 1)
        result.level[rows[done]] = stop[done]
        result.count[rows[done]] = kept[done]
        result.proba[rows[done]] = proba[done]
        result.reached[rows[done]] = reached[done]
        pool.level[slots] = following
        pool.release(done)
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


class _Pool:
    """Images on their way through the search: at most two batches of them at a time."""

    def __init__(self, source: Iterator[Chunk], batch_size: int):
        self.source = source
        self.batch_size = batch_size
        self.n_read = 0
        self.pending = np.empty(0, np.int64)
        self.free = np.arange(2 * batch_size)
        self.row = np.zeros(2 * batch_size, np.int64)
        self.level = np.zeros(2 * batch_size, np.int64)
        self.counts = np.empty((0, 0), np.int64)
        self.images: Tensor | None = None
        self.ranks: Tensor | None = None

    def refill(self) -> bool:
        """Read chunks until a batch is full; whether anything is left to classify."""
        while len(self.pending) < self.batch_size:
            chunk = next(self.source, None)
            if chunk is None:
                break
            self._add(chunk)
        return len(self.pending) > 0

    def _add(self, chunk: Chunk) -> None:
        b = len(chunk.images)
        if self.images is None:
            capacity = len(self.free)
            self.images = chunk.images.new_empty((capacity, *chunk.images.shape[1:]))
            self.ranks = chunk.pixel_ranks.new_empty((capacity, *chunk.pixel_ranks.shape[1:]))
            self.counts = np.zeros((capacity, chunk.counts.shape[1]), np.int64)
        slots, self.free = self.free[:b], self.free[b:]
        where = torch.from_numpy(slots).to(chunk.images.device)
        assert self.images is not None and self.ranks is not None
        self.images[where] = chunk.images
        self.ranks[where] = chunk.pixel_ranks
        self.counts[slots] = chunk.counts
        self.row[slots] = self.n_read + np.arange(b)
        self.level[slots] = 0
        self.pending = np.concatenate([self.pending, slots])
        self.n_read += b

    def classify(
        self, slots: np.ndarray, kept: np.ndarray, classify: Callable[[Tensor, Tensor], Tensor]
    ) -> np.ndarray:
        assert self.images is not None and self.ranks is not None
        where = torch.from_numpy(slots).to(self.images.device)
        k = torch.from_numpy(kept).to(self.images.device)
        masks = self.ranks[where] < k[:, None, None]
        return classify(self.images[where], masks).float().cpu().numpy()

    def release(self, done: np.ndarray) -> None:
        """Of the batch just classified, drop what is done; the rest waits its turn again."""
        batch = self.pending[: len(done)]
        self.free = np.concatenate([self.free, batch[done]])
        self.pending = np.concatenate([self.pending[len(done) :], batch[~done]])
