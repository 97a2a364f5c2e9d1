"""The run over a set of images: regions, certainty search, and what to keep of it.

Knows no library of networks: a subclass runs them, in torch or in anything else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from p2pselect._answer_kinds import LabelSet
from p2pselect._answering import familiarity
from p2pselect.images import ImageSequence
from p2pselect.images._geometry import without_padding
from p2pselect.selection._certainty_search import (
    Chunk,
    SearchResult,
    search_certainty,
    stopped,
)
from p2pselect.selection._selection_rule import CUTS, SelectionRule, budget_cut
from p2pselect.selection._stop_report import StopReport


@dataclass(frozen=True)
class ScoredBatch:
    """Images whose regions are ranked; in arrays of the networks' library, but for two."""

    images: Any  # (b, ...), as `_classify` takes them
    pixel_ranks: Any  # (b, h, w): place of every pixel's region in the ranking of its image
    logits: Any  # (b, d): of every region; minus infinity for padding
    embeddings: Any  # (b, k, d)
    sorted_logits: np.ndarray  # (b, d): best region first
    sorted_areas: np.ndarray  # (b, d)
    soft_masks: Any = None  # (b, d): where the images are masked already, by continuous masks


@dataclass(eq=False)
class SearchRun(ABC):
    """One pass of a fitted method over images.

    Without ``regions`` (n, h, w) the rule proposes them, batch by batch.  ``keep`` says what to
    remember of every batch besides the predictions: "nothing", "ranks" for :meth:`pixel_masks`,
    "kept" for :meth:`paths`, or "all" for :meth:`arrays`.  ``max_kept`` is the largest
    fraction of the pixels that any mask may keep.  A ``report`` replaces the classifier's word:
    the search stops at its threshold, and certainty is what it makes of the classifier's.
    """

    rule: SelectionRule
    images: ImageSequence
    regions: np.ndarray | None
    tau_grid: np.ndarray
    certainty_threshold: float
    keep: str = "nothing"
    max_kept: float | None = None
    report: StopReport | None = None

    def __post_init__(self) -> None:
        self.offsets = self.rule.offsets(self.tau_grid)
        self.batches: list[dict[str, np.ndarray]] = []
        self.is_soft = False

    # -- the networks, and the arrays of their library --------------------------------------

    @abstractmethod
    def _score(self, raw: np.ndarray, labels: np.ndarray) -> ScoredBatch:
        """Rank the regions of images (b, h, w, c) as they were read."""

    @abstractmethod
    def _classify(self, images: Any, pixel_ranks: Any, kept: np.ndarray) -> np.ndarray:
        """Class probabilities (b, n_classes), float32, from the ``kept`` (b,) best regions."""

    @abstractmethod
    def _join(self, arrays: list[Any]) -> Any:
        """One array of several."""

    @abstractmethod
    def _to_numpy(self, values: Any) -> np.ndarray:
        """An array of the networks' library as one of NumPy."""

    # -- the search ------------------------------------------------------------------------

    @property
    def _stop(self) -> float:
        """The classifier's certainty at which the search stops."""
        return self.certainty_threshold if self.report is None else self.report.threshold

    @property
    def _fallback(self) -> str:
        # Everything would be more than max_kept allows.
        return self.rule.fallback if self.max_kept is None else "most_certain"

    def search(self, keep_path: bool = False, stop: float | None = None) -> SearchResult:
        """Run the search over all images.

        It stops at another certainty than its own if there is a ``stop``.
        """
        self.batches = []
        return self._search_rows(slice(0, len(self.images)), keep_path, stop)

    def _search_rows(self, rows: slice, keep_path: bool, stop: float | None) -> SearchResult:
        return search_certainty(
            self._chunks(rows),
            rows.stop - rows.start,
            self._classify,
            self._stop if stop is None else stop,
            self.rule.batch_size,
            keep_path,
            self._fallback,
            self._join,
            self.rule.kind,
        )

    def proba(self, result: SearchResult) -> np.ndarray:
        """Class probabilities (n, n_classes), with the certainty that the report gives them."""
        if self.report is None:
            return result.proba
        kind = self.rule.kind
        return kind.with_certainty(result.proba, self.report(kind.certainty(result.proba)))

    @property
    def _asks_familiarity(self) -> bool:
        """Whether anybody wants to know how familiar images are."""
        asked = self.report is not None and self.report.lowest_familiarity is not None
        return asked or self.keep == "kept"

    def answered(self, result: SearchResult) -> np.ndarray:
        """Whether images (n,) are answered: certain, familiar, and of a class that may be."""
        if self.report is None:
            return result.reached
        familiar = self._stacked("familiarity") if self._asks_familiarity else None
        return result.reached & self.report.may_answer(result.proba, familiar)

    def _prediction_sets(self, result: SearchResult) -> np.ndarray | None:
        # The images that they were learned from stopped without a budget.
        if self.report is None or self.max_kept is not None:
            return None
        return self.report.prediction_sets(result.proba)

    def paths(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What the run says at every tau; needs "kept".

        Probabilities (n, t, n_classes), kept shares (n, t), and familiarity (n,).
        """
        proba = self.search(keep_path=True, stop=np.inf).path_proba
        assert proba is not None
        return proba, self._stacked("kept"), self._stacked("familiarity")

    def pixel_masks(self, result: SearchResult) -> np.ndarray:
        """Masks at which the search stopped, bool (n, h, w); needs ``keep="ranks"``."""
        masks = np.empty((len(self.images), *self.rule.grid.size), bool)
        start = 0
        for batch in self.batches:
            stop = start + len(batch["ranks"])
            masks[start:stop] = batch["ranks"] < result.count[start:stop, None, None]
            start = stop
        return masks

    def arrays(self, classes: np.ndarray, whole_path: bool = False) -> dict[str, Any]:
        """Run the search and find all that an Explanation is made of; needs "all"."""
        result = self.search(keep_path=True, stop=np.inf if whole_path else None)
        counts = self._stacked("counts")
        if whole_path:
            result = stopped(result, counts, self._stop, self._fallback, self.rule.kind)
        logits = self._stacked("logits", padding=-np.inf)
        embeddings = self._stacked("embeddings", padding=0.0)
        offsets = self.offsets[result.level]
        # Stable, as the sort of the search is: regions of equal scores get the same ranks.
        ranks = np.argsort(np.argsort(-logits, axis=1, kind="stable"), axis=1)
        # Where a logit is very low, exp overflows and the probability is 0, as it should be.
        with np.errstate(over="ignore"):
            probs = 1 / (1 + np.exp(-(logits + offsets[:, None])))
        return {
            "images": self._stacked("images"),
            "regions": self._stacked("regions"),
            "region_masks": ranks < result.count[:, None],
            "selection_logits": logits,
            "selection_probs": probs.astype(np.float32),
            "tau": self.tau_grid[result.level],
            "proba": self.proba(result),
            "classes": classes,
            "multilabel": isinstance(self.rule.kind, LabelSet),
            "target": self._target_of(classes),
            "answered": self.answered(result),
            "certainty_threshold": self.certainty_threshold,
            "stop_certainty": None if self.report is None else self.report.threshold,
            "prediction_sets": self._prediction_sets(result),
            "answered_classes": None if self.report is None else self.report.answered_classes,
            "lowest_familiarity": (
                None if self.report is None else self.report.lowest_familiarity
            ),
            "region_embeddings": embeddings if embeddings.shape[1] else None,
            "soft_region_masks": self._stacked("soft", padding=0.0) if self.is_soft else None,
            "path_tau": self.tau_grid,
            "path_counts": counts,
            "path_proba": result.path_proba,
            "original_sizes": self._stacked("sizes"),
            "resize": self.rule.resize,
            "fill": self.rule.fill,
            "originals": self.images,
        }

    def _target_of(self, classes: np.ndarray) -> Any:
        column = getattr(self.rule.kind, "target", None)
        return None if column is None else classes[column].item()

    # -- batches ---------------------------------------------------------------------------

    def _read(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows, grid = slice(start, stop), self.rule.grid
        images, sizes = self.images._on_grid(rows, grid)
        if self.regions is not None:
            regions = self.regions[rows]
            return without_padding(images, regions), regions, sizes
        return images, self.rule.propose(images, grid.contents(sizes)), sizes

    def _read_ahead(self, rows: slice) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Batches of images, regions and sizes; the next is read while one is in use."""
        size = self.rule.batch_size
        starts = range(rows.start, rows.stop, size)
        with ThreadPoolExecutor(1) as reader:

            def read(start: int) -> Any:
                return reader.submit(self._read, start, min(start + size, rows.stop))

            following = None
            for start in starts:
                current = following or read(start)
                following = read(start + size) if start + size in starts else None
                yield current.result()

    def _chunks(self, rows: slice) -> Iterator[Chunk]:
        for raw, labels, sizes in self._read_ahead(rows):
            scored = self._score(raw, labels)
            logits, areas = scored.sorted_logits, scored.sorted_areas
            counts = self._counts(logits, areas)
            found: dict[str, np.ndarray] = {}
            if self._asks_familiarity:
                found["familiarity"] = familiarity(logits, areas)
            if self.keep == "kept":
                # An empty mask keeps nothing.
                area = np.pad(areas.cumsum(axis=1), [(0, 0), (1, 0)])
                found["kept"] = np.take_along_axis(area, counts, axis=1) / area[:, -1:]
            elif self.keep == "ranks":
                found["ranks"] = self._to_numpy(scored.pixel_ranks)
            elif self.keep == "all":
                found |= {
                    "images": raw,
                    "sizes": sizes,
                    "regions": labels.astype(np.int32),
                    "logits": self._to_numpy(scored.logits),
                    "embeddings": self._to_numpy(scored.embeddings),
                    "counts": counts.astype(np.int32),
                }
            if scored.soft_masks is not None:
                self.is_soft = True
                if self.keep == "all":
                    found["soft"] = self._to_numpy(scored.soft_masks)
            self.batches.append(found)
            yield Chunk(scored.images, scored.pixel_ranks, counts)

    def _counts(self, logits: np.ndarray, areas: np.ndarray) -> np.ndarray:
        """Number of regions kept at every tau, given what is in ranking order."""
        cut = CUTS[self.rule.cut] if isinstance(self.rule.cut, str) else self.rule.cut
        counts = cut(logits, areas, self.offsets, self.tau_grid)
        if self.max_kept is not None:
            most = budget_cut(logits, areas, self.offsets, np.array([self.max_kept]))
            counts = np.minimum(counts, most)
        if not self.rule.allow_empty:
            counts = counts.clip(min=1)
        return counts

    def _stacked(self, name: str, padding: float | None = None) -> np.ndarray:
        """What was kept under a name, for all images; last axes padded to one length."""
        parts = [batch[name] for batch in self.batches]
        if padding is None:
            return np.concatenate(parts)
        width = max(part.shape[-1] for part in parts)
        return np.concatenate(
            [
                np.pad(
                    part,
                    [(0, 0)] * (part.ndim - 1) + [(0, width - part.shape[-1])],
                    constant_values=padding,
                )
                for part in parts
            ]
        )
