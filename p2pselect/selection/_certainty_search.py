"""The certainty search (paper, equation 4): stateless, exact, one classifier call per mask.

The order of an image's regions does not depend on tau, so every mask of the search is "the
first ``k`` regions of the ranking".  The search walks over the distinct values of ``k``,
smallest tau first, until the classifier is certain.  Where it never is, the search ends with
one of the masks that it has tried.

Images and ranks may be arrays of any library, on any device: nothing here looks into them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from p2pselect._answer_kinds import ONE_CLASS, AnswerKind
from p2pselect._answering import stops, unanswered_levels


def make_tau_grid(tau_min: float, tau_step: float) -> np.ndarray:
    """Values of tau to try: ``tau_min, tau_min + tau_step, ...``, and always 1.0 at the end.

    Examples
    --------
    >>> make_tau_grid(0.25, 0.5)
    array([0.25, 0.75, 1.  ])
    """
    # Without the rounding, floating-point noise could add a step just below 1.
    n_steps = int(np.ceil((1 - tau_min) / tau_step - 1e-9))
    inner = np.round(tau_min + tau_step * np.arange(n_steps), 10)
    return np.append(inner, 1.0)


@dataclass(frozen=True)
class Chunk:
    """Images that enter the search together."""

    images: Any  # (b, ...), as `classify` takes them
    # (b, h, w): position of every pixel's region in its image's ranking.  The mask of the first
    # k regions keeps the pixels whose rank is below k.
    pixel_ranks: Any
    counts: np.ndarray  # (b, t): regions kept at every tau; never falls along a row


@dataclass
class SearchResult:
    """Where the search stopped for every image."""

    level: np.ndarray  # (n,): index into the tau grid
    count: np.ndarray  # (n,): regions kept there
    proba: np.ndarray  # (n, n_classes), float32
    reached: np.ndarray  # (n,), bool: certain enough; otherwise this is what it fell back to
    path_proba: np.ndarray | None  # (n, t, n_classes): at every tau visited, NaN after the stop

    def put(
        self, rows: np.ndarray, level: np.ndarray, count: np.ndarray, proba: np.ndarray
    ) -> None:
        """Let some of the images stop here."""
        self.level[rows], self.count[rows], self.proba[rows] = level, count, proba


def join_results(results: Sequence[SearchResult]) -> SearchResult:
    """The result for a set of images whose parts were searched one after the other."""

    def joined(name: str) -> Any:
        values = [getattr(part, name) for part in results]
        return None if values[0] is None else np.concatenate(values)

    return SearchResult(**{field.name: joined(field.name) for field in fields(SearchResult)})


def stopped(
    result: SearchResult,
    counts: np.ndarray,
    certainty_threshold: float,
    fallback: str,
    kind: AnswerKind,
) -> SearchResult:
    """Where a search would have stopped that went on to the end of every path.

    ``counts`` (n, t) are the numbers of regions kept at every tau.
    """
    path = result.path_proba
    assert path is not None
    rest = unanswered_levels(path, fallback, kind)
    level, reached = stops(kind.certainty(path), certainty_threshold, rest)
    rows = np.arange(len(level))
    return replace(
        result, level=level, count=counts[rows, level], proba=path[rows, level], reached=reached
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
    classify: Callable[[Any, Any, np.ndarray], np.ndarray],
    certainty_threshold: float,
    batch_size: int,
    keep_path: bool = False,
    fallback: str = "everything",
    join: Callable[[list[Any]], Any] = np.concatenate,
    kind: AnswerKind = ONE_CLASS,
) -> SearchResult:
    r"""Find :math:`\min\{\tau \mid \max_c p(y_c \mid x_m) \ge \delta\}` per image (eq. 4).

    Only the size of the largest probability counts, never the label, nor which class it is.
    Images leave when they are certain, and the next images fill up the classifier's batches,
    so that these stay full until the end.  Where images have several labels (another ``kind``),
    the least certain one decides.

    Chunks come in the order of the images, with at most ``batch_size`` images each.
    ``classify`` maps their images, the ranks of their pixels (b, h, w) and the number of ranks
    that are kept (b,) to probabilities (b, n_classes), float32; ``keep_path`` keeps those of
    every level that was visited.  An image that never becomes certain ends with the mask at
    tau = 1, or, if ``fallback`` is ``"most_certain"``, with the mask whose answer is the most
    probable one, the smallest among equals, or, if it is ``"settled"``, with the smallest from
    which on the answer stays the same up to that one.  ``join`` makes one array of several
    images or ranks.
    """
    queue = _Queue(chunks, batch_size, join)
    result: SearchResult | None = None
    best = np.full(n_images, -1.0)  # the joint certainty of what was found so far
    while batch := queue.next_batch():
        kept = np.take_along_axis(batch.counts, batch.level[:, None], axis=1)[:, 0]
        proba = classify(batch.images, batch.pixel_ranks, kept)
        n_levels = batch.counts.shape[1]
        if result is None:
            result = _empty_result(n_images, proba.shape[1], n_levels, keep_path)
            # Since when the answer has been what it is.
            settled = _empty_result(n_images, proba.shape[1], n_levels, keep_path=False)
        following = next_level(batch.counts, batch.level)
        reached = kind.certainty(proba) >= certainty_threshold
        last = following == n_levels
        if result.path_proba is not None:
            span = np.arange(n_levels)
            seen = (span >= batch.level[:, None]) & (span < following[:, None])
            # Levels that repeat a mask have its probabilities, up to the stop.
            seen &= ~reached[:, None] | (span == batch.level[:, None])
            image, level = np.nonzero(seen)
            result.path_proba[batch.row[image], level] = proba[image]
        # What is found first stays where another mask is as good, but not smaller.
        certainty = kind.joint_certainty(proba)
        better = certainty > best[batch.row]
        best[batch.row[better]] = certainty[better]
        if fallback == "everything":
            # The mask at tau = 1 keeps the same regions as the last one that was new.
            found, level = reached | last, np.where(reached, batch.level, n_levels - 1)
        else:
            found, level = reached | better, batch.level
        result.put(batch.row[found], level[found], kept[found], proba[found])
        if fallback == "settled":
            since = kind.answers(settled.proba[batch.row])
            new = (batch.level == 0) | ~kind.right(kind.answers(proba), since)
            settled.put(batch.row[new], batch.level[new], kept[new], proba[new])
            rows = batch.row[better & ~reached]
            result.put(rows, settled.level[rows], settled.count[rows], settled.proba[rows])
        result.reached[batch.row] = reached
        queue.put_back(replace(batch, level=following)[np.flatnonzero(~(reached | last))])
    return _empty_result(0, 0, 1, keep_path) if result is None else result


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
class _Waiting(Chunk):
    """Images of a chunk on their way through the search, with their rows and next levels."""

    row: np.ndarray
    level: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, which: slice | np.ndarray) -> _Waiting:
        return _Waiting(
            self.images[which],
            self.pixel_ranks[which],
            self.counts[which],
            self.row[which],
            self.level[which],
        )

    @classmethod
    def joined(cls, parts: Sequence[_Waiting], join: Callable[[list[Any]], Any]) -> _Waiting:
        if len(parts) == 1:  # most of the time, and images are large
            return parts[0]
        return cls(
            join([part.images for part in parts]),
            join([part.pixel_ranks for part in parts]),
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("counts", "row", "level")
            ),
        )


class _Queue:
    """Makes full batches of new chunks and returned images, holding at most two at a time."""

    def __init__(
        self, chunks: Iterable[Chunk], batch_size: int, join: Callable[[list[Any]], Any]
    ):
        self.chunks = iter(chunks)
        self.batch_size = batch_size
        self.join = join
        self.n_read = 0
        self.parts: list[_Waiting] = []

    def next_batch(self) -> _Waiting | None:
        """The images that have waited longest; None when none are left."""
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
        return _Waiting.joined(taken, self.join) if taken else None

    def put_back(self, batch: _Waiting) -> None:
        """Let images wait for another turn."""
        if len(batch):
            self.parts.append(batch)
