"""SuperpixelTransformer: images to label maps, the scikit-learn way."""

from __future__ import annotations

import os
from functools import partial
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import TransformerMixin
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions

from p2pselect._settings import Settings, setting
from p2pselect.exceptions import InputError
from p2pselect.images import ImageSequence, as_images
from p2pselect.images._pixels import to_rgb
from p2pselect.regions._cache import CacheInfo, open_cache
from p2pselect.regions._engines import EngineSettings, RegionEngine, check_engine, divide
from p2pselect.regions._images_with_regions import ImagesWithRegions
from p2pselect.regions._proposal import RegionProposal


class SuperpixelTransformer(TransformerMixin, Settings):
    """Divide images into regions of similar color.

    The labels of an image depend on the image and the parameters alone: not on the other
    images, their order, the number of threads, or earlier calls.  Nothing is learned: ``fit``
    checks its input, and ``transform`` works without it.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    image_shape_in_ : tuple of int, or None
        Height and width of the images seen in ``fit``, None where they differ.
    n_features_in_ : int
        Number of channels seen in ``fit``.
    engine_ : callable
        The engine with its parameters: ``engine_(image)`` gives labels as the engine made them.
    cache_info_ : CacheInfo
        ``hits`` and ``misses`` of ``cache_dir`` in this process, ``n_maps`` and ``n_bytes``
        that it holds; works without ``fit``.

    See Also
    --------
    p2pselect.regions.RegionEngine : What an engine of your own has to do.

    Examples
    --------
    >>> import numpy as np
    >>> from p2pselect import SuperpixelTransformer
    >>> X = np.zeros((2, 32, 32, 3), np.uint8)
    >>> regions = SuperpixelTransformer(n_segments=16).fit_transform(X)
    >>> regions.shape, regions.dtype, int(regions.max())
    ((2, 32, 32), dtype('int32'), 15)
    """

    engine: str | RegionEngine = setting(
        """The name of an engine, or a callable from an image (h, w, 3), uint8, to labels (h, w)
        of any integers, of which those in several pieces become several regions.

        ``"slic"`` is a compiled SLIC, and the fastest; ``"skimage-slic"`` is scikit-image's.
        ``"watershed"`` floods the gradient, with as many regions as SLIC.  Of
        ``"felzenszwalb"`` and ``"quickshift"``, both scikit-image's, the number of regions
        follows the image.  ``"grid"`` makes rectangular patches, and ``"pixel"`` makes every
        pixel a region.  ``"fast_slic"`` is the package of that name, where it is installed.""",
        str,
        callable,
        default="slic",
    )
    n_segments: int = setting(
        """Regions asked for per image.  ``"slic"`` gives at most 1.5 times as many.""",
        Interval(Integral, 1, None, closed="left"),
        default=100,
    )
    compactness: float = setting(
        """Weight of position against color in the SLIC engines: higher is squarer.  The scale
        is that of Achanta et al. and scikit-image.  fast-slic's 20, the setting of the P2P
        paper, cuts like 14 here (equal contour density).""",
        Interval(Real, 0, None, closed="left"),
        default=14.0,
    )
    n_iter: int = setting(
        "Iterations of the SLIC engines.",
        Interval(Integral, 0, None, closed="left"),
        default=10,
    )
    min_size_factor: float = setting(
        """Smallest region, as a fraction of ``h * w / n_segments``; for ``"slic"``,
        ``"felzenszwalb"``, ``"quickshift"`` and ``"fast_slic"``.""",
        Interval(Real, 0, 1, closed="both"),
        default=0.25,
    )
    resolution: int | None = setting(
        """Compute on block means with at most this many pixels a side, and enlarge the labels:
        112 for images of 224 halves the time and is slightly coarser.""",
        Interval(Integral, 1, None, closed="left"),
        default=None,
    )
    on_channels: tuple[int, ...] | None = setting(
        """Channels whose values are compared, numbered from 0, of images that have other
        channels than colors: one stain that shows the outlines, for example.  None compares
        all.  Of more than three, and of two, ``"slic"`` compares the principal components.""",
        tuple,
        default=None,
        kind="tuple of int",
    )
    output: Literal["labels", "images+regions"] = setting(
        """What ``transform`` returns: label maps, or images and label maps together, as a
        pipeline passes them on to a classifier of this package.""",
        StrOptions({"labels", "images+regions"}),
        default="labels",
    )
    channels: Literal["last", "first"] = setting(
        "Where arrays have their channel axis.", StrOptions({"last", "first"}), default="last"
    )
    cache_dir: str | os.PathLike[str] | None = setting(
        """Folder where label maps are kept, compressed, for images that come again; several
        processes may share it.  It pays for slow engines, and for data that are not augmented.
        An engine of your own needs an attribute ``cache_key`` for it, see
        :class:`~p2pselect.regions.RegionEngine`.""",
        str,
        os.PathLike,
        default=None,
        kind="str or path-like",
        role="machine",
    )
    n_jobs: int | None = setting(
        "Number of threads that share the images.",
        Integral,
        default=None,
        kind="int",
        role="machine",
    )

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check parameters and images; nothing is learned.

        Parameters
        ----------
        X : images
            Anything that :func:`p2pselect.images.as_images` takes.
        y : object, default=None
            Ignored.

        Returns
        -------
        self
            The transformer itself.

        Raises
        ------
        InputError
            If ``X`` does not hold images.
        UnknownNameError
            If no engine has that name.
        """
        images = self._check(X)
        self.engine_ = partial(divide, engine=self.engine, settings=self._engine_settings())
        self.image_shape_in_ = images.image_shape
        self.n_features_in_ = images.n_channels
        return self

    def transform(self, X: Any) -> np.ndarray | list[np.ndarray] | ImagesWithRegions:
        """Make label maps of images.

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
            If ``X`` does not hold images.
        UnknownNameError
            If no engine has that name.
        """
        images = self._check(X)
        maps = self._proposal().each(images)
        regions = np.stack(maps) if len({labels.shape for labels in maps}) == 1 else maps
        return ImagesWithRegions(images, regions) if self.output != "labels" else regions

    def propose(self, image: np.ndarray) -> np.ndarray:
        """Make the label map of one image, without ``fit`` and without checking parameters.

        Parameters
        ----------
        image : ndarray of shape (h, w, c), uint8 or float in [0, 1]
            One channel is gray, three are RGB, four are RGB and opacity (blended with black);
            with other numbers of channels ``"slic"`` compares the principal components.

        Returns
        -------
        ndarray of shape (h, w), int32
            Labels as :meth:`transform` gives them.
        """
        if image.ndim != 3 or 0 in image.shape:
            raise InputError(
                f"image must have shape (h, w, c), got {image.shape}; volumes are not supported"
            )
        return self._proposal().one(to_rgb(image) if image.shape[2] == 4 else image)

    def propose_batch(
        self, images: np.ndarray, contents: np.ndarray | None = None
    ) -> np.ndarray:
        """Make label maps of images of one size; see :meth:`propose`.

        Parameters
        ----------
        images : ndarray of shape (b, h, w, c), uint8 or float in [0, 1]
            Images as networks see them: one channel is gray, three are RGB, and of any other
            number none is opacity.
        contents : ndarray of shape (b, 4), int, optional
            Top, left, height and width in pixels of the part of every image that is divided,
            as if it were the whole image.  The rest is padding.

        Returns
        -------
        ndarray of shape (b, h, w), int32
            Labels as :meth:`transform` gives them, and -1 for padding.
        """
        return self._proposal().batch(images, contents)

    @property
    def cache_info_(self) -> CacheInfo:
        """Hits and misses of ``cache_dir`` in this process, and maps and bytes it holds."""
        if self.cache_dir is None:
            return CacheInfo(0, 0, 0, 0)
        return open_cache(os.fspath(self.cache_dir)).info()

    def _check(self, X: Any) -> ImageSequence:
        self._validate_params()
        check_engine(self.engine)
        return as_images(X, channels=self.channels)

    def _proposal(self) -> RegionProposal:
        """What these settings do to images."""
        return RegionProposal(
            self.engine,
            self._engine_settings(),
            self.resolution,
            self.on_channels,
            self.cache_dir,
            effective_n_jobs(self.n_jobs),
        )

    def _engine_settings(self) -> EngineSettings:
        return EngineSettings(
            self.n_segments, self.compactness, self.n_iter, self.min_size_factor
        )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        # Labels are integers for images of any type.
        tags.transformer_tags.preserves_dtype = []
        return tags
