"""The run over a set of images: regions, selector, certainty search, and what to keep of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from p2pselect import distributed
from p2pselect._answering import familiarity
from p2pselect.exceptions import InputError
from p2pselect.explanations._explanation import Explanation
from p2pselect.images import ImageSequence
from p2pselect.nn._masking import apply_mask, to_pixels
from p2pselect.nn._model import RegionScores
from p2pselect.selection._certainty_search import (
    Chunk,
    SearchResult,
    join_results,
    search_certainty,
    stopped,
)
from p2pselect.selection._selection_rule import CUTS, SelectionRule, budget_cut
from p2pselect.selection._stop_report import StopReport, with_certainty
from p2pselect.training._data import as_float_images, fingerprint, without_padding


class PredictionRun:
    """One pass of a fitted method over images.

    Without ``regions`` (n, h, w) the rule proposes them, batch by batch.  ``keep`` says what to
    remember of every batch besides the predictions: "nothing", "ranks" for :meth:`pixel_masks`,
    "kept" for :meth:`paths`, or "all" for :meth:`explain`.  ``max_kept`` is the largest
    fraction of the pixels that any mask may keep.  A ``report`` replaces the classifier's word:
    the search stops at its threshold, and certainty is what it makes of the classifier's.  With
    ``is_shared`` the processes that ``torchrun`` has started divide the images among them.
    """

    def __init__(
        self,
        rule: SelectionRule,
        images: ImageSequence,
        regions: np.ndarray | None,
        tau_grid: np.ndarray,
        certainty_threshold: float,
        keep: str = "nothing",
        max_kept: float | None = None,
        report: StopReport | None = None,
        is_shared: bool = False,
    ):
        self.rule = rule
        self.images = images
        self.regions = regions
        self.tau_grid = tau_grid
        self.certainty_threshold = certainty_threshold
        self.keep = keep
        self.max_kept = max_kept
        self.report = report
        self.is_shared = is_shared
        self.offsets = rule.offsets(tau_grid)
        self.batches: list[dict[str, np.ndarray]] = []
        self.is_soft = False

    @property
    def _stop(self) -> float:
        """The classifier's certainty at which the search stops."""
        return self.certainty_threshold if self.report is None else self.report.threshold

    @property
    def _fallback(self) -> str:
        # Everything would be more than max_kept allows.
        return self.rule.fallback if self.max_kept is None else "most_certain"

    def search(self, keep_path: bool = False, stop: float | None = None) -> SearchResult:
        """Run the search over all images; each process does its part of them.

        It stops at another certainty than its own if there is a ``stop``.
        """
        self.batches = []
        single = nullcontext(distributed.Group())
        with distributed.group() if self.is_shared else single as processes:
            processes.check_same("images", lambda: fingerprint(self.images, self.regions))
            own = processes.part(len(self.images))
            with torch.inference_mode():
                result = search_certainty(
                    self._chunks(own),
                    own.stop - own.start,
                    self._classify,
                    self._stop if stop is None else stop,
                    self.rule.batch_size,
                    keep_path,
                    self._fallback,
                )
            found = processes.gather((result, self.batches, self.is_soft))
        # With fewer images than processes, some of them have found nothing.
        found = [part for part in found if len(part[0].level)]
        results, batches, soft = zip(*found, strict=True)
        self.batches = [batch for part in batches for batch in part]
        self.is_soft = soft[0]
        return join_results(results)

    def proba(self, result: SearchResult) -> np.ndarray:
        """Class probabilities (n, n_classes), with the certainty that the report gives them."""
        if self.report is None:
            return result.proba
        return with_certainty(result.proba, self.report(result.proba.max(axis=1)))

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

    def scores(self) -> Iterator[RegionScores]:
        """Scores of the regions, batch by batch, without a search."""
        with torch.inference_mode():
            for raw, labels, _ in self._read_ahead(slice(0, len(self.images))):
                images, regions = self._to_device(raw, labels)
                yield self.rule.score(as_float_images(images), regions)

    def pixel_masks(self, result: SearchResult) -> np.ndarray:
        """Masks at which the search stopped, bool (n, h, w); needs ``keep="ranks"``."""
        masks = np.empty((len(self.images), *self.rule.grid.size), bool)
        start = 0
        for batch in self.batches:
            stop = start + len(batch["ranks"])
            masks[start:stop] = batch["ranks"] < result.count[start:stop, None, None]
            start = stop
        return masks

    def explain(self, classes: np.ndarray, whole_path: bool = False) -> Explanation:
        """Run the search and put everything it found into an Explanation; needs "all"."""
        result = self.search(keep_path=True, stop=np.inf if whole_path else None)
        counts = self._stacked("counts")
        if whole_path:
            result = stopped(result, counts, self._stop, self._fallback)
        logits = self._stacked("logits", padding=-np.inf)
        embeddings = self._stacked("embeddings", padding=0.0)
        offsets = self.offsets.cpu().numpy()[result.level]
        # Stable, as the sort of the search is: regions of equal scores get the same ranks.
        ranks = np.argsort(np.argsort(-logits, axis=1, kind="stable"), axis=1)
        # Where a logit is very low, exp overflows and the probability is 0, as it should be.
        with np.errstate(over="ignore"):
            probs = 1 / (1 + np.exp(-(logits + offsets[:, None])))
        return Explanation(
            images=self._stacked("images"),
            regions=self._stacked("regions"),
            region_masks=ranks < result.count[:, None],
            selection_logits=logits,
            selection_probs=probs.astype(np.float32),
            tau=self.tau_grid[result.level],
            proba=self.proba(result),
            classes=classes,
            answered=self.answered(result),
            certainty_threshold=self.certainty_threshold,
            stop_certainty=None if self.report is None else self.report.threshold,
            prediction_sets=self._prediction_sets(result),
            answered_classes=None if self.report is None else self.report.answered_classes,
            lowest_familiarity=None if self.report is None else self.report.lowest_familiarity,
            region_embeddings=embeddings if embeddings.shape[1] else None,
            soft_region_masks=self._stacked("soft", padding=0.0) if self.is_soft else None,
            path_tau=self.tau_grid,
            path_counts=counts,
            path_proba=result.path_proba,
            original_sizes=self._stacked("sizes"),
            resize=self.rule.resize,
            originals=self.images,
        )

    def _classify(self, images: Tensor, pixel_masks: Tensor) -> Tensor:
        if not self.is_soft:
            images = apply_mask(as_float_images(images), pixel_masks)
        return self.rule.classify(images)

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

    def _to_device(self, images: np.ndarray, regions: np.ndarray) -> tuple[Tensor, Tensor]:
        """Images (b, h, w, c) as they were read, and label maps."""
        labels = torch.from_numpy(regions.astype(np.int64)).to(self.rule.device)
        return torch.from_numpy(images).to(self.rule.device, non_blocking=True), labels

    def _chunks(self, rows: slice) -> Iterator[Chunk]:
        for raw, labels, sizes in self._read_ahead(rows):
            images, regions = self._to_device(raw, labels)
            scores = self.rule.score(as_float_images(images), regions)
            logits = scores.maps[:, 0].masked_fill(scores.areas == 0, -torch.inf)
            sorted_logits, ranking = logits.sort(dim=1, descending=True, stable=True)
            sorted_areas = scores.areas.gather(1, ranking)
            counts = self._counts(sorted_logits, sorted_areas)
            # 32 bits, because a rank per pixel waits with every image.
            ranks = torch.empty_like(ranking, dtype=torch.int32)
            order = torch.arange(ranking.shape[1], dtype=torch.int32, device=ranks.device)
            ranks.scatter_(1, ranking, order.expand_as(ranking))
            # Padding comes after every region, and so is never kept.
            pixel_ranks = to_pixels(ranks, regions, torch.iinfo(ranks.dtype).max)
            chunk = Chunk(images, pixel_ranks, counts.cpu().numpy())
            found: dict[str, np.ndarray] = {}
            if self._asks_familiarity:
                sorted_values = sorted_logits.cpu().numpy(), sorted_areas.cpu().numpy()
                found["familiarity"] = familiarity(*sorted_values)
            if self.keep == "kept":
                # An empty mask keeps nothing.
                area = F.pad(sorted_areas.cumsum(dim=1), (1, 0))
                kept = area.gather(1, counts) / area[:, -1:]
                found["kept"] = kept.cpu().numpy()
            elif self.keep == "ranks":
                found["ranks"] = pixel_ranks.cpu().numpy()
            elif self.keep == "all":
                found |= {
                    "images": raw,
                    "sizes": sizes,
                    "regions": labels.astype(np.int32),
                    "logits": logits.cpu().numpy(),
                    "embeddings": scores.maps[:, 1:].cpu().numpy(),
                    "counts": chunk.counts.astype(np.int32),
                }
            self.batches.append(found)
            if scores.shown is not None:
                chunk = self._shown_softly(chunk, scores.shown, regions)
            yield chunk

    def _counts(self, logits: Tensor, areas: Tensor) -> Tensor:
        """Number of regions kept at every tau, given what is in ranking order."""
        cut = CUTS[self.rule.cut] if isinstance(self.rule.cut, str) else self.rule.cut
        counts = cut(logits, areas, self.offsets, self.tau_grid)
        if self.max_kept is not None:
            most = budget_cut(logits, areas, self.offsets, np.array([self.max_kept]))
            counts = torch.minimum(counts, most)
        if not self.rule.allow_empty:
            counts = counts.clamp(min=1)
        return counts

    def _shown_softly(self, chunk: Chunk, shown: Tensor, regions: Tensor) -> Chunk:
        """Images under a continuous mask: the binary one is for people to look at.

        From here on, the images that wait are the masked ones.
        """
        if len(self.tau_grid) > 1:
            raise InputError(
                "tau='dynamic' needs a classifier that sees binary masks; that of this "
                f"{self.rule.method} is shown continuous ones, in which no tau hides "
                "anything: tau must be a number in (0, 1]"
            )
        if self.max_kept is not None:
            raise InputError(
                f"max_kept={self.max_kept:g} needs a classifier that sees binary masks; that "
                f"of this {self.rule.method} is shown continuous ones, which hide next to "
                "nothing"
            )
        self.is_soft = True
        if self.keep == "all":
            self.batches[-1]["soft"] = shown.cpu().numpy()
        images = apply_mask(as_float_images(chunk.images), to_pixels(shown, regions))
        return Chunk(images, chunk.pixel_ranks, chunk.counts)

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
