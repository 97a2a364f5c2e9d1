"""The run over a set of images: regions, selector, certainty search, what is kept of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from p2pselect.distributed import together
from p2pselect.exceptions import InputError
from p2pselect.explanations._explanation import Explanation
from p2pselect.images import ImageSequence
from p2pselect.nn._masking import apply_mask
from p2pselect.nn._model import RegionScores
from p2pselect.nn._pooling import to_pixels
from p2pselect.selection._certainty_search import (
    Chunk,
    SearchResult,
    budget_counts,
    joined,
    most_certain,
    search_certainty,
)
from p2pselect.training._data import as_float_images, fingerprint

if TYPE_CHECKING:
    from p2pselect.estimators._base import SelectiveImageClassifier


class Selections:
    """One pass of an estimator over images.

    Parameters
    ----------
    estimator : SelectiveImageClassifier
        Fitted.
    images : ImageSequence
    regions : ndarray of shape (n, h, w) or None
    tau_grid : ndarray of shape (t,)
    certainty_threshold : float
    keep : {"nothing", "ranks", "all"}
        What to remember of every batch besides the predictions.
    max_kept : float, optional
        Largest fraction of the pixels that any mask keeps.
    """

    def __init__(
        self,
        estimator: SelectiveImageClassifier,
        images: ImageSequence,
        regions: np.ndarray | None,
        tau_grid: np.ndarray,
        certainty_threshold: float,
        keep: str,
        max_kept: float | None = None,
    ):
        self.estimator = estimator
        self.images = images
        self.regions = regions
        self.tau_grid = tau_grid
        self.certainty_threshold = certainty_threshold
        self.keep = keep
        self.max_kept = max_kept
        self.kept: list[dict[str, np.ndarray]] = []
        self.soft = False
        with torch.inference_mode():
            self.offsets = estimator._tau_offsets(tau_grid)

    def search(self, keep_path: bool = False) -> SearchResult:
        """Run the search over all images: in each process over its part of them."""
        self.kept = []
        team = together()
        team.agree("images", lambda: fingerprint(self.images, self.regions))
        own = team.part(len(self.images))
        with torch.inference_mode():
            result = search_certainty(
                self._chunks(own),
                own.stop - own.start,
                self._classify,
                self.certainty_threshold,
                self.estimator.batch_size,
                keep_path,
            )
        found = team.gather((result, self.kept, self.soft))
        # With fewer images than processes, some have found nothing.
        found = [part for part in found if len(part[0].level)]
        results, kept, soft = zip(*found, strict=True)
        self.kept = [batch for batches in kept for batch in batches]
        self.soft = soft[0]
        return joined(results)

    def _classify(self, images: Tensor, pixel_masks: Tensor) -> Tensor:
        if not self.soft:
            images = apply_mask(as_float_images(images), pixel_masks)
        return self.estimator.module_(images).softmax(dim=1)

    def _read(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        estimator = self.estimator
        rows = slice(start, stop)
        images = self.images.batch(rows, estimator.image_size)
        if self.regions is not None:
            return images, self.regions[rows]
        return images, estimator.regions_.propose_batch(images)

    def _batches(self, rows: slice) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Batches of images and regions; the next one is read while one is in use."""
        size = self.estimator.batch_size
        starts = range(rows.start, rows.stop, size)
        with ThreadPoolExecutor(1) as reader:

            def read(start: int) -> Any:
                return reader.submit(self._read, start, min(start + size, rows.stop))

            following = None
            for start in starts:
                current = following or read(start)
                following = read(start + size) if start + size in starts else None
                yield current.result()

    def scores(self) -> Iterator[RegionScores]:
        """Scores of the regions, batch by batch, without a search."""
        with torch.inference_mode():
            for batch in self._batches(slice(0, len(self.images))):
                images, regions = self._to_device(*batch)
                yield self.estimator._score(as_float_images(images), regions)

    def _to_device(self, images: np.ndarray, regions: np.ndarray) -> tuple[Tensor, Tensor]:
        """Images (b, h, w, 3) as they were read, and label maps."""
        device = self.estimator.device_
        labels = torch.from_numpy(regions.astype(np.int64)).to(device)
        return torch.from_numpy(images).to(device, non_blocking=True), labels

    def _chunks(self, rows: slice) -> Iterator[Chunk]:
        estimator = self.estimator
        for raw, labels in self._batches(rows):
            images, regions = self._to_device(raw, labels)
            scores = estimator._score(as_float_images(images), regions)
            logits = scores.maps[:, 0].masked_fill(scores.areas == 0, -torch.inf)
            sorted_logits, ranking = logits.sort(dim=1, descending=True, stable=True)
            sorted_areas = scores.areas.gather(1, ranking)
            counts = estimator._mask_counts(
                sorted_logits, sorted_areas, self.offsets, self.tau_grid
            )
            if self.max_kept is not None:
                most = budget_counts(sorted_areas, np.array([self.max_kept]))
                counts = torch.minimum(counts, most)
            if not estimator.allow_empty:
                counts = counts.clamp(min=1)
            # 32 bits: a rank per pixel waits with every image.
            ranks = torch.empty_like(ranking, dtype=torch.int32)
            order = torch.arange(ranking.shape[1], dtype=torch.int32, device=ranks.device)
            ranks.scatter_(1, ranking, order.expand_as(ranking))
            pixel_ranks = ranks.gather(1, regions.flatten(1)).view(regions.shape)
            counts_np = counts.cpu().numpy()
            self._remember(raw, labels, logits, scores.maps[:, 1:], pixel_ranks, counts_np)
            if scores.shown is not None:
                self._refuse_what_needs_binary_masks()
                # Shown as it is: the binary mask is what to look at, not what was seen.
                # From here on what waits are the images as they are shown.
                images = apply_mask(as_float_images(images), to_pixels(scores.shown, regions))
                self.soft = True
                if self.keep == "all":
                    self.kept[-1]["soft"] = scores.shown.cpu().numpy()
            yield Chunk(images, pixel_ranks, counts_np)

    def _refuse_what_needs_binary_masks(self) -> None:
        """Of a classifier that sees continuous masks, in which no tau hides anything."""
        name = type(self.estimator).__name__
        if len(self.tau_grid) > 1:
            raise InputError(
                f"tau='dynamic' needs a classifier that sees binary masks; that of this {name} "
                "is shown continuous ones, in which no tau hides anything: tau must be a "
                "number in (0, 1]"
            )
        if self.max_kept is not None:
            raise InputError(
                f"max_kept={self.max_kept:g} needs a classifier that sees binary masks; that "
                f"of this {name} is shown continuous ones, which hide next to nothing"
            )

    def _remember(
        self,
        images: np.ndarray,
        regions: np.ndarray,
        logits: Tensor,
        embeddings: Tensor,
        pixel_ranks: Tensor,
        counts: np.ndarray,
    ) -> None:
        if self.keep == "ranks":
            self.kept.append({"ranks": pixel_ranks.cpu().numpy()})
        elif self.keep == "all":
            self.kept.append(
                {
                    "images": images,
                    "regions": regions.astype(np.int32),
                    "logits": logits.cpu().numpy(),
                    "embeddings": embeddings.cpu().numpy(),
                    "counts": counts.astype(np.int32),
                }
            )

    def pixel_masks(self, result: SearchResult) -> np.ndarray:
        """Masks of the stopping points, bool (n, h, w); needs ``keep="ranks"``."""
        size = self.estimator.image_size
        masks = np.empty((len(self.images), size, size), bool)
        start = 0
        for part in self.kept:
            stop = start + len(part["ranks"])
            masks[start:stop] = part["ranks"] < result.count[start:stop, None, None]
            start = stop
        return masks


def _padded(parts: list[np.ndarray], value: float) -> np.ndarray:
    """Concatenate along the first axis arrays whose last axis differs in length."""
    width = max(part.shape[-1] for part in parts)
    return np.concatenate(
        [
            np.pad(
                part,
                [(0, 0)] * (part.ndim - 1) + [(0, width - part.shape[-1])],
                constant_values=value,
            )
            for part in parts
        ]
    )


def explain_selections(
    estimator: Any, selections: Selections, result: SearchResult
) -> Explanation:
    """Put the selections of a finished search (with ``keep="all"``) into an Explanation."""
    kept = selections.kept
    counts = np.concatenate([part["counts"] for part in kept])
    if selections.max_kept is not None:
        result = most_certain(result, counts)
    logits = _padded([part["logits"] for part in kept], -np.inf)
    embeddings = _padded([part["embeddings"] for part in kept], 0.0)
    offsets = selections.offsets.cpu().numpy()[result.level]
    ranking = np.argsort(-logits, axis=1, kind="stable")
    ranks = np.empty_like(ranking)
    np.put_along_axis(ranks, ranking, np.arange(ranking.shape[1])[None], axis=1)
    with np.errstate(over="ignore"):
        probs = 1 / (1 + np.exp(-(logits + offsets[:, None])))
    return Explanation(
        images=np.concatenate([part["images"] for part in kept]),
        regions=np.concatenate([part["regions"] for part in kept]),
        region_masks=ranks < result.count[:, None],
        selection_logits=logits,
        selection_probs=probs.astype(np.float32),
        tau=selections.tau_grid[result.level],
        proba=result.proba,
        classes=estimator.classes_,
        certainty_reached=result.reached,
        certainty_threshold=selections.certainty_threshold,
        region_embeddings=embeddings if embeddings.shape[1] else None,
        soft_region_masks=_padded([p["soft"] for p in kept], 0.0) if selections.soft else None,
        path_tau=selections.tau_grid,
        path_counts=counts,
        path_proba=result.path_proba,
    )
