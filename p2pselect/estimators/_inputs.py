"""What the estimators accept as images and regions, and as numbers in an interval."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import clone

from p2pselect._docstrings import SharedDocs
from p2pselect.exceptions import InputError, UnknownNameError, brief, brief_path
from p2pselect.images import ImageSequence, as_images
from p2pselect.images._folders import is_folder
from p2pselect.images._geometry import NO_REGION, Grid
from p2pselect.regions._engines import ENGINES, check_engine
from p2pselect.regions._images_with_regions import ImagesWithRegions
from p2pselect.regions._labels import check_label_map, check_label_maps, without_gaps
from p2pselect.regions._transformer import SuperpixelTransformer

#: Images whose regions are proposed together.
_AT_ONCE = 256
#: What the methods that predict take.
shared_inputs = SharedDocs(
    X="""
        X : images
            Anything that ``fit`` takes, except streams.
    """,
    regions="""
        regions : array-like of shape (n, h, w), optional
            Label maps to use instead of proposing regions.
    """,
)


def read_images(
    X: Any, regions: Any, *, meaning: dict[str, Any], grid: Grid
) -> tuple[ImageSequence, np.ndarray | None]:
    """Take X apart into images and, where given, label maps (n, h, w) on the grid."""
    if isinstance(X, ImagesWithRegions):
        X, regions = X.images, X.regions if regions is None else regions
    images = as_images(X, **meaning)
    if regions is None:
        return images, None
    return images, _fit_to_grid(regions, images, grid)


def refuse_folder(X: Any) -> None:
    """Refuse a folder where every image needs a label: in which order would they come?"""
    if is_folder(X):
        raise InputError(
            f"X is a folder, {brief_path(X)}, which does not tell whose labels are in y: take "
            "images and labels from p2pselect.datasets.load_image_folder, for a folder with a "
            "subfolder per class, or from load_image_table"
        )


def propose_all(
    regions: SuperpixelTransformer, images: ImageSequence, grid: Grid
) -> np.ndarray:
    """Label maps (n, h, w), int32, of all images, which are read in batches."""
    maps = np.empty((len(images), *grid.size), np.int32)
    for start in range(0, len(images), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        batch, sizes = images._on_grid(rows, grid)
        maps[rows] = regions.propose_batch(batch, grid.contents(sizes))
    return maps


def _fit_to_grid(regions: Any, images: ImageSequence, grid: Grid) -> np.ndarray:
    """Label maps (n, h, w), int32, of maps of the images' own sizes or of the grid's."""
    if not hasattr(regions, "__len__") or isinstance(regions, str | dict):
        raise InputError(f"regions must be one label map per image, got {brief(regions)}")
    if len(regions) != len(images):
        raise InputError(
            f"regions must be one label map per image: got {len(regions)} label maps "
            f"for {len(images)} images"
        )
    sizes = images.sizes()
    if getattr(regions, "shape", ())[1:] == grid.size and grid.contents(sizes) is None:
        return check_label_maps(regions)
    maps = np.empty((len(images), *grid.size), dtype=np.int32)
    for number, (given, shape) in enumerate(zip(regions, sizes.tolist(), strict=True)):
        name = f"regions of image {number}"
        labels = check_label_map(given, name)
        placement = grid.place(shape)
        if labels.shape == grid.size:
            maps[number] = without_gaps(placement.padded(labels, NO_REGION))
            continue
        if not _belongs_to(labels, shape, images):
            raise InputError(
                f"{name} must have the image's shape {tuple(shape)} or the model's "
                f"{grid.size}, got {labels.shape}"
            )
        # Regions that are lost between the pixels of the grid leave gaps.
        maps[number] = without_gaps(placement.onto_grid(labels, NO_REGION))
    return maps


def _belongs_to(labels: np.ndarray, shape: list[int], images: ImageSequence) -> bool:
    """Whether a label map can be the image's: files may have been made smaller for it."""
    if images.image_shape is not None:
        return labels.shape == tuple(shape)
    first, second = labels.shape[0] * shape[1], labels.shape[1] * shape[0]
    # The sides of a smaller copy are rounded, so that its shape is only about the same.
    return abs(first - second) <= 0.05 * max(first, second)


def resolve_regions(regions: Any, n_jobs: int | None) -> SuperpixelTransformer:
    """The transformer behind the ``regions`` parameter: a name, a callable or a transformer."""
    if isinstance(regions, SuperpixelTransformer):
        own = clone(regions).set_params(output="labels")
        own._validate_params()
        check_engine(own.engine)
        return own
    if callable(regions) or regions in ENGINES:
        return SuperpixelTransformer(engine=regions, n_jobs=n_jobs)
    raise UnknownNameError(
        f"regions must be a SuperpixelTransformer, a callable or one of {sorted(ENGINES)}, "
        f"got {brief(regions)}"
    )


def in_unit_interval(name: str, value: Any, *words: str) -> Any:
    """The value, if it is a number in (0, 1] or one of the words."""
    # True is a Real, too, and would pass for 1.
    number = isinstance(value, Real) and not isinstance(value, bool) and 0 < float(value) <= 1
    if not (number or (isinstance(value, str) and value in words)):
        allowed = " or ".join([*map(repr, words), "a number in (0, 1]"])
        raise InputError(f"{name} must be {allowed}, got {brief(value)}")
    return value
