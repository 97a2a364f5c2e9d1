"""The run over a set of images with networks in torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from p2pselect import distributed
from p2pselect.exceptions import InputError
from p2pselect.explanations._explanation import Explanation
from p2pselect.nn._masking import apply_mask, to_pixels
from p2pselect.nn._model import RegionScores
from p2pselect.selection._certainty_search import SearchResult, join_results
from p2pselect.selection._search_run import ScoredBatch, SearchRun
from p2pselect.training._data import as_float_images, fingerprint


@dataclass(eq=False)
class PredictionRun(SearchRun):
    """One pass of a fitted method over images.

    With ``is_shared`` the processes that ``torchrun`` has started divide the images among them.
    """

    is_shared: bool = False

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
                result = self._search_rows(own, keep_path, stop)
            found = processes.gather((result, self.batches, self.is_soft))
        # With fewer images than processes, some of them have found nothing.
        found = [part for part in found if len(part[0].level)]
        results, batches, soft = zip(*found, strict=True)
        self.batches = [batch for part in batches for batch in part]
        self.is_soft = soft[0]
        return join_results(results)

    def explain(self, classes: np.ndarray, whole_path: bool = False) -> Explanation:
        """Run the search and put everything it found into an Explanation; needs "all"."""
        return Explanation(**self.arrays(classes, whole_path))

    def scores(self) -> Iterator[RegionScores]:
        """Scores of the regions, batch by batch, without a search."""
        with torch.inference_mode():
            for raw, labels, _ in self._read_ahead(slice(0, len(self.images))):
                images, regions = self._to_device(raw, labels)
                yield self.rule.score(as_float_images(images), regions)

    def _classify(self, images: Tensor, pixel_ranks: Tensor, kept: np.ndarray) -> np.ndarray:
        if not self.is_soft:
            pixel_masks = pixel_ranks < torch.from_numpy(kept).to(images.device)[:, None, None]
            images = apply_mask(as_float_images(images), pixel_masks, self.rule.fill)
        # In 32 bits, because NumPy has no bfloat16.
        return self.rule.classify(images).float().cpu().numpy()

    def _join(self, arrays: list[Tensor]) -> Tensor:
        return torch.cat(arrays)

    def _to_numpy(self, values: Tensor) -> np.ndarray:
        return values.cpu().numpy()

    def _to_device(self, images: np.ndarray, regions: np.ndarray) -> tuple[Tensor, Tensor]:
        """Images (b, h, w, c) as they were read, and label maps."""
        labels = torch.from_numpy(regions.astype(np.int64)).to(self.rule.device)
        return torch.from_numpy(images).to(self.rule.device, non_blocking=True), labels

    def _score(self, raw: np.ndarray, labels: np.ndarray) -> ScoredBatch:
        images, regions = self._to_device(raw, labels)
        scores = self.rule.score(as_float_images(images), regions)
        target = getattr(self.rule.kind, "target", None)
        if target is not None and scores.by_label is not None:
            scores = scores.of(regions.new_full((len(regions),), target))
        logits = scores.maps[:, 0].masked_fill(scores.areas == 0, -torch.inf)
        sorted_logits, ranking = logits.sort(dim=1, descending=True, stable=True)
        # 32 bits, because a rank per pixel waits with every image.
        ranks = torch.empty_like(ranking, dtype=torch.int32)
        order = torch.arange(ranking.shape[1], dtype=torch.int32, device=ranks.device)
        ranks.scatter_(1, ranking, order.expand_as(ranking))
        if scores.shown is not None:
            images = self._shown_softly(images, scores.shown, regions)
        return ScoredBatch(
            images,
            # Padding comes after every region, and so is never kept.
            to_pixels(ranks, regions, torch.iinfo(ranks.dtype).max),
            logits,
            scores.maps[:, 1:],
            sorted_logits.cpu().numpy(),
            scores.areas.gather(1, ranking).cpu().numpy(),
            scores.shown,
        )

    def _shown_softly(self, images: Tensor, shown: Tensor, regions: Tensor) -> Tensor:
        """Images under a continuous mask: the binary one is for people to look at."""
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
        masks = to_pixels(shown, regions)
        return apply_mask(as_float_images(images), masks, self.rule.fill)
