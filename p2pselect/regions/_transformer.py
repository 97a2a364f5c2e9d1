"""SuperpixelTransformer: images to label maps, the scikit-learn way."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions

from p2pselect._doc_links import DocumentedEstimator
from p2pselect.exceptions import InputError
from p2pselect.images import ImageSequence, as_images
from p2pselect.images._pixels import to_rgb
from p2pselect.regions._cache import CacheInfo, cache_key, open_cache
from p2pselect.regions._container import ImagesWithRegions
from p2pselect.regions._engines import REVISION, Settings, resolve_engine
from p2pselect.regions._labels import relabel
from p2pselect.regions._resolution import enlarge, shrink, shrink_factor
from p2pselect.regions._slic import max_regions, min_size


class SuperpixelTransformer(DocumentedEstimator, TransformerMixin, BaseEstimator):
    """Divide images into regions of similar colour.

    The labels of an image depend on the image and the parameters alone: not on the other
    images, their order, the number of threads, or earlier calls.

    Parameters
    ----------
    engine : str or callable, default="slic"
        * ``"slic"``: compiled SLIC superpixels; no other is as fast;
        * ``"skimage-slic"``: scikit-image's SLIC;
        * ``"watershed"``: watershed of the gradient, with SLIC's number of regions;
        * ``"felzenszwalb"``, ``"quickshift"``: scikit-image's, whose number of regions
          follows the image;
        * ``"grid"``: rectangular patches; ``"pixel"``: every pixel a region;
        * ``"fast_slic"``: the package of that name, where it is installed;
        * a callable ``image (h, w, 3) uint8 -> labels (h, w)`` of any integers.

        Labels in several pieces become several regions.
    n_segments : int, default=100
        Regions asked for per image.  ``"slic"`` gives at most ``1.5`` times as many.
    compactness : float, default=14.0
        Weight of position against colour in the SLIC engines: higher is squarer.  The
        scale is that of Achanta et al. and scikit-image; fast-slic's 20, the setting of the
        P2P paper, cuts like 14 here (equal contour density).
    n_iter : int, default=10
        Iterations of the SLIC engines.
    min_size_factor : float, default=0.25
        Smallest region, as a fraction of ``h * w / n_segments``: of ``"slic"``,
        ``"felzenszwalb"``, ``"quickshift"`` and ``"fast_slic"``.
    resolution : int, default=None
        Compute on block means of at most so many pixels a side, and enlarge the labels:
        112 for images of 224 halves the time and is slightly coarser.
    output : {"labels", "images+regions"}, default="labels"
        What ``transform`` returns: label maps, or images and label maps together, as a
        pipeline passes them on to a classifier of this package.
    channels : {"last", "first"}, default="last"
        Where arrays have their channel axis.
    cache_dir : str or path-like, default=None
        Folder where label maps are kept, compressed, for images that come again; safe under
        several processes.  Worth it for slow engines, and for data that are not augmented.
        A callable engine needs an attribute ``cache_key``: a text to be changed whenever its
        results change.
    n_jobs : int, default=None
        Threads, over images; the compiled engine releases the GIL.

    Attributes
    ----------
    image_shape_in_ : tuple of int, or None
        Height and width of the images seen in ``fit``, None where they differ.
    n_features_in_ : int
        Number of channels seen in ``fit``.
    engine_ : callable
        The engine that the name stands for.
    cache_info_ : CacheInfo
        ``hits`` and ``misses`` of ``cache_dir`` in this process, ``n_maps`` and ``n_bytes``
        that it holds; works without ``fit``.

    Notes
    -----
    Nothing is learned: ``fit`` checks its input, and ``transform`` works without it.

    Examples
    --------
    >>> import numpy as np
    >>> from p2pselect import SuperpixelTransformer
    >>> X = np.zeros((2, 32, 32, 3), np.uint8)
    >>> regions = SuperpixelTransformer(n_segments=16).fit_transform(X)
    >>> regions.shape, regions.dtype, int(regions.max())
    ((2, 32, 32), dtype('int32'), 15)
    """

    _parameter_constraints: dict = {
        "engine": [str, callable],
        "n_segments": [Interval(Integral, 1, None, closed="left")],
        "compactness": [Interval(Real, 0, None, closed="left")],
        "n_iter": [Interval(Integral, 0, None, closed="left")],
        "min_size_factor": [Interval(Real, 0, 1, closed="both")],
        "resolution": [Interval(Integral, 1, None, closed="left"), None],
        "output": [StrOptions({"labels", "images+regions"})],
        "channels": [StrOptions({"last", "first"})],
        "cache_dir": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        engine: str | Callable[[np.ndarray], Any] = "slic",
        *,
        n_segments: int = 100,
        compactness: float = 14.0,
        n_iter: int = 10,
        min_size_factor: float = 0.25,
        resolution: int | None = None,
        output: Literal["labels", "images+regions"] = "labels",
        channels: Literal["last", "first"] = "last",
        cache_dir: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
    ):
        self.engine = engine
        self.n_segments = n_segments
        self.compactness = compactness
        self.n_iter = n_iter
        self.min_size_factor = min_size_factor
        self.resolution = resolution
        self.output = output
        self.channels = channels
        self.cache_dir = cache_dir
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check parameters and images; nothing is learned.

        Parameters
        ----------
        X : images
            Anything that :func:`p2pselect.images.as_images` takes.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        InputError
            If ``X`` is no images.
        UnknownNameError
            If no engine has that name.
        """
        self._validate_params()
        self.engine_ = resolve_engine(self.engine)
        images = as_images(X, channels=self.channels)
        self.image_shape_in_ = images.image_shape
        self.n_features_in_ = images.n_channels
        return self

    def transform(self, X: Any) -> np.ndarray | list[np.ndarray] | ImagesWithRegions:
        """Label maps of images.

        Parameters
        ----------
        X : images
            Anything that :func:`p2pselect.images.as_images` takes.

        Returns
        -------
        ndarray of shape (n, h, w), int32, or list of arrays, or ImagesWithRegions
            Per image labels ``0 .. d_i - 1`` in raster order of first appearance, each
            4-connected; a list where the images differ in size.

        Raises
        ------
        InputError
            If ``X`` is no images.
        UnknownNameError
            If no engine has that name.
        """
        self._validate_params()
        images = as_images(X, channels=self.channels)
        maps = self._propose_all(images)
        regions = np.stack(maps) if len({labels.shape for labels in maps}) == 1 else maps
        return ImagesWithRegions(images, regions) if self.output != "labels" else regions

    def propose(self, image: np.ndarray) -> np.ndarray:
        """Label map of one image, without a fit and without a look at the parameters.

        Parameters
        ----------
        image : ndarray of shape (h, w, c), uint8 or float in [0, 1]
            One channel is grey, three are RGB, four are RGB and opacity (laid over black);
            with other numbers of channels ``"slic"`` compares the principal components.

        Returns
        -------
        ndarray of shape (h, w), int32
        """
        if image.ndim != 3 or 0 in image.shape:
            raise InputError(
                f"image must have shape (h, w, c), got {image.shape}; volumes are not supported"
            )
        if image.dtype != np.uint8:
            image = np.rint(image * 255).astype(np.uint8)
        if image.shape[2] in (1, 4):
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

    def _divide(self, image: np.ndarray) -> np.ndarray:
        h, w = image.shape[:2]
        factor = shrink_factor(h, w, self.resolution)
        small = shrink(image, factor) if factor > 1 else image
        labels = resolve_engine(self.engine)(small, self._settings())
        if self.engine != "slic":
            labels = relabel(labels)
        if factor > 1:
            labels = enlarge(labels, factor, h, w)
            if self.engine == "slic" and (h % factor or w % factor):
                # Blocks that the edge cuts may have left a region below the minimum size.
                smallest = min_size(h, w, self.n_segments, self.min_size_factor)
                labels = relabel(labels, smallest, max_regions(self.n_segments))
        return labels

    def propose_batch(self, images: np.ndarray) -> np.ndarray:
        """Label maps of images of one size; see :meth:`propose`.

        Parameters
        ----------
        images : ndarray of shape (b, h, w, c), uint8 or float in [0, 1]

        Returns
        -------
        ndarray of shape (b, h, w), int32
        """
        return np.stack(self._propose_all(images))

    def _propose_all(self, images: ImageSequence | np.ndarray) -> list[np.ndarray]:
        threads = min(effective_n_jobs(self.n_jobs), len(images))
        if threads <= 1:
            return [self.propose(images[i]) for i in range(len(images))]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(lambda i: self.propose(images[i]), range(len(images))))

    @property
    def cache_info_(self) -> CacheInfo:
        """Hits and misses of ``cache_dir`` in this process, and maps and bytes it holds."""
        if self.cache_dir is None:
            return CacheInfo(0, 0, 0, 0)
        return open_cache(os.fspath(self.cache_dir)).info()

    def _maker(self) -> str:
        """All that the labels of an image depend on, as a text."""
        name = self.engine if isinstance(self.engine, str) else self._name_of_callable()
        return f"{name}|{REVISION}|{tuple(self._settings())}|{self.resolution}"

    def _name_of_callable(self) -> str:
        name = getattr(self.engine, "cache_key", None)
        if not isinstance(name, str):
            raise InputError(
                "cache_dir: results of a callable engine can be kept only if it has an "
                "attribute cache_key, a text to be changed whenever its results change"
            )
        return f"callable {name}"

    def _settings(self) -> Settings:
        return Settings(self.n_segments, self.compactness, self.n_iter, self.min_size_factor)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        # Labels are integers, whatever the type of the images.
        tags.transformer_tags.preserves_dtype = []
        return tags
