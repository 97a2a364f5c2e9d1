"""Region proposal with settings that are fixed: no estimator, nothing to validate."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from PIL import Image

from p2pselect.exceptions import InputError, brief
from p2pselect.images import ImageSequence
from p2pselect.images._geometry import NO_REGION, Rectangle
from p2pselect.images._pixels import to_rgb
from p2pselect.regions._cache import cache_key, open_cache
from p2pselect.regions._engines import REVISION, EngineSettings, RegionEngine, divide
from p2pselect.regions._labels import relabel
from p2pselect.regions._slic import max_regions, min_size


@dataclass(frozen=True)
class RegionProposal:
    """Divides images into regions; :class:`~p2pselect.SuperpixelTransformer` has the words."""

    engine: str | RegionEngine
    settings: EngineSettings
    resolution: int | None = None
    on_channels: tuple[int, ...] | None = None
    cache_dir: str | os.PathLike[str] | None = None
    n_threads: int = 1

    def one(self, image: np.ndarray) -> np.ndarray:
        """Label map of an image (h, w, c) as networks see it, so that none is opacity."""
        if self.on_channels is not None:
            image = choose_channels(image, self.on_channels)
        if image.dtype != np.uint8:
            image = np.rint(image * 255).astype(np.uint8)
        if image.shape[2] == 1:
            image = to_rgb(image)
        image = np.require(image, requirements=["C", "W"])  # the one type that is compiled
        if self.cache_dir is None:
            return self._divide(image)
        stored = open_cache(os.fspath(self.cache_dir))
        key = cache_key(image, self._maker())
        labels = stored.get(key)
        if labels is None:
            labels = self._divide(image)
            stored.put(key, labels)
        return labels

    def each(self, images: ImageSequence | np.ndarray | list[np.ndarray]) -> list[np.ndarray]:
        """Label maps of images of any sizes."""

        def one(i: int) -> np.ndarray:
            image = images[i]
            if isinstance(images, ImageSequence):
                image = images._as_seen(image)
            return self.one(image)

        threads = min(self.n_threads, len(images))
        if threads <= 1:
            return [one(i) for i in range(len(images))]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(one, range(len(images))))

    def batch(self, images: np.ndarray, contents: np.ndarray | None = None) -> np.ndarray:
        """Label maps of images of one size, of which only the ``contents`` are divided."""
        if contents is None:
            return np.stack(self.each(images))
        parts = [Rectangle(*part) for part in np.asarray(contents).tolist()]
        inside = [part.of(image) for part, image in zip(parts, images, strict=True)]
        labels = np.full(images.shape[:3], NO_REGION, np.int32)
        for part, out, own in zip(parts, labels, self.each(inside), strict=True):
            part.of(out)[...] = own
        return labels

    def _divide(self, image: np.ndarray) -> np.ndarray:
        h, w = image.shape[:2]
        factor = shrink_factor(h, w, self.resolution)
        small = shrink(image, factor) if factor > 1 else image
        labels = divide(small, self.engine, self.settings)
        if self.engine != "slic":
            labels = relabel(labels)
        if factor > 1:
            # Every label becomes a block of pixels, so regions stay connected and in order.
            labels = labels.repeat(factor, axis=0)[:h].repeat(factor, axis=1)[:, :w]
            if self.engine == "slic" and (h % factor or w % factor):
                # Blocks that the edge cuts may have left a region below the minimum size.
                asked = self.settings
                smallest = min_size(h, w, asked.n_segments, asked.min_size_factor)
                labels = relabel(labels, smallest, max_regions(asked.n_segments))
        return labels

    def _maker(self) -> str:
        """All that the labels of an image depend on, as a text."""
        name = self.engine
        if not isinstance(name, str):
            key = getattr(self.engine, "cache_key", None)
            if not isinstance(key, str):
                raise InputError(
                    "cache_dir: results of a callable engine can be kept only if it has an "
                    "attribute cache_key, a text to be changed whenever its results change"
                )
            name = f"callable {key}"
        return f"{name}|{REVISION}|{tuple(self.settings)}|{self.resolution}"


def choose_channels(image: np.ndarray, channels: tuple[int, ...]) -> np.ndarray:
    """Some channels of an image (h, w, c)."""
    known = [isinstance(c, Integral) and 0 <= int(c) < image.shape[2] for c in channels]
    if not channels or not all(known):
        raise InputError(
            f"on_channels must be some of the channels 0 to {image.shape[2] - 1}, "
            f"got {brief(channels)}"
        )
    return image[..., list(channels)]


def shrink_factor(h: int, w: int, resolution: int | None) -> int:
    """Side of the square blocks whose means leave at most ``resolution`` pixels a side."""
    return 1 if resolution is None else -(-max(h, w) // resolution)


def shrink(image: np.ndarray, factor: int) -> np.ndarray:
    """Means of blocks, uint8 (ceil(h / factor), ceil(w / factor), c); edge blocks are cut."""
    if image.shape[2] == 3:
        return np.array(Image.fromarray(image).reduce(factor))
    channels = np.moveaxis(image, 2, 0)
    small = [Image.fromarray(np.ascontiguousarray(one)).reduce(factor) for one in channels]
    return np.stack([np.asarray(one) for one in small], axis=2)
