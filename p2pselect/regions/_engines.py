"""The ways to divide an image into regions, by name.

What an engine returns need not be connected or in order: the transformer sees to that.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any, NamedTuple, Protocol

import numpy as np

from p2pselect.exceptions import InputError, UnknownNameError, brief, did_you_mean
from p2pselect.regions._labels import relabel
from p2pselect.regions._slic import grid_shape, min_size, slic

_FAST_SLIC_RECIPE = (
    "engine='fast_slic' needs the package fast-slic, whose plain installation fails; install "
    "it by\n    pip install cython numpy setuptools\n"
    "    pip install --no-build-isolation fast-slic==0.4.0\n"
    "or use the default engine='slic', which needs nothing"
)

#: Raised whenever an engine's labels change, so that cached ones are not mistaken for them.
REVISION = 1


class RegionEngine(Protocol):
    """What divides an image into regions: any callable ``image -> labels``.

    Pass one as ``SuperpixelTransformer(engine=...)`` or ``P2PClassifier(regions=...)``.  A
    plain function will do.  An engine with settings is best a class with ``get_params`` and
    ``set_params``, such as a subclass of :class:`sklearn.base.BaseEstimator`: a grid search
    then reaches its settings as ``engine__name``.

    Its labels must depend on the image alone, so that an image has the same regions whenever it
    comes again.  It is called from several threads where ``n_jobs`` says so.

    See Also
    --------
    SuperpixelTransformer : Makes label maps of images by an engine.
    masks_to_labels : Turns overlapping masks into labels.

    Notes
    -----
    To keep its label maps on disk (``cache_dir``), an engine needs an attribute ``cache_key``:
    a text that is changed whenever its results change.

    Examples
    --------
    >>> import numpy as np
    >>> from p2pselect import SuperpixelTransformer
    >>> def stripes(image):
    ...     return np.indices(image.shape[:2])[1] // 2
    >>> SuperpixelTransformer(engine=stripes).propose(np.zeros((1, 6, 3), np.uint8))
    array([[0, 0, 1, 1, 2, 2]], dtype=int32)
    """

    # Otherwise the signature of a protocol is (*args, **kwargs).
    def __init__(self) -> None: ...

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Divide one image.

        Parameters
        ----------
        image : ndarray of shape (h, w, c), uint8
            RGB for images of 1, 3 or 4 channels; not to be modified.

        Returns
        -------
        ndarray of shape (h, w), int
            Any integers.  A label in several pieces becomes several regions.
        """


class EngineSettings(NamedTuple):
    """What the engines of this package are asked for; each takes what it knows."""

    n_segments: int
    compactness: float
    n_iter: int
    min_size_factor: float


BuiltinEngine = Callable[[np.ndarray, EngineSettings], np.ndarray]


def own_slic(image: np.ndarray, settings: EngineSettings) -> np.ndarray:
    """The compiled SLIC of this package."""
    return slic(image, *settings)


def skimage_slic(image: np.ndarray, settings: EngineSettings) -> np.ndarray:
    """scikit-image's SLIC: the same scale of compactness, about twenty times slower."""
    from skimage.segmentation import slic as reference

    return reference(
        image,
        n_segments=settings.n_segments,
        compactness=settings.compactness,
        max_num_iter=settings.n_iter,
        start_label=0,
        channel_axis=-1,
    )


def watershed(image: np.ndarray, settings: EngineSettings) -> np.ndarray:
    """Watershed of the gradient from regular seeds, as many as SLIC finds regions.

    This is the paper's other region proposal (its ablation of the segmentation algorithm).
    """
    from skimage.filters import sobel
    from skimage.segmentation import watershed as flood

    h, w = image.shape[:2]
    n_seeds = int(slic(image, *settings).max()) + 1
    rows = grid_shape(h, w, n_seeds)[0]
    seeds = np.zeros((h, w), np.int32)
    for row in range(rows):
        first, last = n_seeds * row // rows, n_seeds * (row + 1) // rows
        columns = ((np.arange(last - first) + 0.5) * w / (last - first)).astype(int)
        seeds[int((row + 0.5) * h / rows), columns] = np.arange(first, last) + 1
    return flood(sobel(image.mean(axis=2) / 255), seeds)


def felzenszwalb(image: np.ndarray, settings: EngineSettings) -> np.ndarray:
    """Felzenszwalb's graph merging; the number of regions follows the image."""
    from skimage.segmentation import felzenszwalb as merge

    smallest = _smallest(image, settings)
    scale = _spacing(image, settings) ** 2 / 10
    labels = merge(image, scale=scale, sigma=0.5, min_size=smallest, channel_axis=-1)
    return relabel(labels, smallest)


def quickshift(image: np.ndarray, settings: EngineSettings) -> np.ndarray:
    """Quickshift, LIME's default; the number of regions only roughly follows n_segments."""
    from skimage.segmentation import quickshift as climb

    _require_rgb(image, "quickshift")
    spacing = _spacing(image, settings)
    labels = climb(image, kernel_size=max(spacing / 8, 1), max_dist=spacing, rng=0)
    return relabel(labels, _smallest(image, settings))


def grid(image: np.ndarray, settings: EngineSettings) -> np.ndarray:
    """Rectangular patches."""
    h, w = image.shape[:2]
    rows, columns = grid_shape(h, w, settings.n_segments)
    row, column = np.arange(h) * rows // h, np.arange(w) * columns // w
    return row[:, None] * columns + column


def pixel(image: np.ndarray, settings: EngineSettings) -> np.ndarray:
    """Every pixel its own region."""
    h, w = image.shape[:2]
    return np.arange(h * w).reshape(h, w)


def fast_slic(image: np.ndarray, settings: EngineSettings) -> np.ndarray:
    """The package that the paper used, where it is installed.

    Its compactness of 20 corresponds to 14 of the other engines.
    """
    try:
        from fast_slic import Slic
    except ImportError as error:
        raise InputError(_FAST_SLIC_RECIPE) from error
    _require_rgb(image, "fast_slic")
    # A new object for every image: a used one starts from the centers of the image before, and
    # regions would depend on the order of the images.
    engine = Slic(
        num_components=settings.n_segments,
        compactness=settings.compactness,
        min_size_factor=settings.min_size_factor,
        num_threads=1,
    )
    return engine.iterate(np.ascontiguousarray(image), max_iter=settings.n_iter)


ENGINES: dict[str, BuiltinEngine] = {
    "slic": own_slic,
    "skimage-slic": skimage_slic,
    "watershed": watershed,
    "felzenszwalb": felzenszwalb,
    "quickshift": quickshift,
    "grid": grid,
    "pixel": pixel,
    "fast_slic": fast_slic,
}


def check_engine(engine: str | RegionEngine) -> None:
    """Raise an error with near matches unless there is such an engine."""
    if isinstance(engine, str) and engine not in ENGINES:
        raise UnknownNameError(
            f"engine must be a callable or one of {sorted(ENGINES)}, "
            f"got {brief(engine)}{did_you_mean(engine, ENGINES)}"
        )


def divide(
    image: np.ndarray, engine: str | RegionEngine, settings: EngineSettings
) -> np.ndarray:
    """Labels of an image by an engine: one of this package by name, or any callable."""
    check_engine(engine)
    if isinstance(engine, str):
        return ENGINES[engine](image, settings)
    labels = np.asarray(engine(image))
    if labels.shape != image.shape[:2] or labels.dtype.kind not in "iub":
        raise InputError(
            f"engine: the callable must return integer labels of shape {image.shape[:2]}, "
            f"got shape {labels.shape} and dtype {labels.dtype}"
        )
    return labels.astype(np.int64, copy=False)


def _spacing(image: np.ndarray, settings: EngineSettings) -> float:
    """Side of a square region of the mean size."""
    return sqrt(image.shape[0] * image.shape[1] / settings.n_segments)


def _smallest(image: np.ndarray, settings: EngineSettings) -> int:
    """Fewest pixels of a region; smaller ones are crumbs of a region in many pieces."""
    h, w = image.shape[:2]
    return min_size(h, w, settings.n_segments, settings.min_size_factor)


def _require_rgb(image: np.ndarray, name: str) -> None:
    if image.shape[2] != 3:
        raise InputError(f"engine={name!r} takes color images, got {image.shape[2]} channels")


def masks_to_labels(
    masks: Any,
    image: np.ndarray | None = None,
    *,
    n_segments: int = 100,
    compactness: float = 14.0,
) -> np.ndarray:
    """Turn overlapping masks, for example from Segment Anything, into one label map.

    Masks are painted from the largest to the smallest, so that a part stays visible on its
    whole.  What no mask covers is divided by SLIC.

    Parameters
    ----------
    masks : array-like of shape (k, h, w), bool
        True inside; ``k`` may be 0 if ``image`` is given.
    image : ndarray of shape (h, w, c), uint8, default=None
        The image, for the superpixels of the uncovered part; None leaves each connected
        uncovered part whole.
    n_segments : int, default=100
        Superpixels that the whole image would be divided into.
    compactness : float, default=14.0
        Weight of position against color, as in SuperpixelTransformer.

    Returns
    -------
    ndarray of shape (h, w), int32
        Labels ``0 .. d - 1`` in raster order of first appearance, each 4-connected.

    Raises
    ------
    InputError
        If ``masks`` does not have three dimensions, or differs in size from ``image``.

    Examples
    --------
    >>> import numpy as np
    >>> whole, part = np.zeros((2, 3, 6), bool)
    >>> whole[:, :4], part[1, 1] = True, True
    >>> masks_to_labels([part, whole])
    array([[0, 0, 0, 0, 1, 1],
           [0, 2, 0, 0, 1, 1],
           [0, 0, 0, 0, 1, 1]], dtype=int32)
    """
    stack = np.asarray(masks, dtype=bool)
    if image is not None and len(stack) == 0:
        stack = np.zeros((0, *image.shape[:2]), bool)
    if stack.ndim != 3 or (image is not None and stack.shape[1:] != image.shape[:2]):
        size = "h, w" if image is None else f"{image.shape[0]}, {image.shape[1]}"
        raise InputError(f"masks must have shape (k, {size}), got {np.shape(masks)}")
    if image is None:
        labels = np.full(stack.shape[1:], len(stack))
    else:
        labels = len(stack) + slic(image, n_segments, compactness).astype(np.int64)
    areas = stack.sum(axis=(1, 2))
    for k in np.argsort(-areas, kind="stable"):
        labels[stack[k]] = k
    return relabel(labels)
