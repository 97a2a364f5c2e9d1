"""Images together with their regions, as a pipeline passes them on."""

from __future__ import annotations

from typing import Any

import numpy as np

from p2pselect.exceptions import InputError
from p2pselect.images import ImageSequence


class ImagesWithRegions:
    """Images and one label map for each, sliced together.

    ``SuperpixelTransformer(output="images+regions")`` returns it, and every estimator of this
    package takes it for ``X``.  scikit-learn can index it, so it also serves as ``X`` in
    cross-validation.

    Parameters
    ----------
    images : ImageSequence or ndarray of shape (n, h, w, c)
        The images.
    regions : ndarray of shape (n, h, w), int32, or list of n arrays of shape (h_i, w_i)
        Labels ``0 .. d_i - 1`` per image; a list where the images differ in size.

    Raises
    ------
    InputError
        If the numbers of label maps and images differ.

    Examples
    --------
    >>> import numpy as np
    >>> both = ImagesWithRegions(np.zeros((5, 8, 8, 3), np.uint8), np.zeros((5, 8, 8), int))
    >>> both[1:3]
    ImagesWithRegions(2 images)
    >>> both[[0, 4]].regions.shape
    (2, 8, 8)
    """

    def __init__(self, images: ImageSequence | np.ndarray, regions: np.ndarray | list):
        if len(images) != len(regions):
            raise InputError(
                "regions must be one label map per image: "
                f"got {len(regions)} label maps for {len(images)} images"
            )
        self.images = images
        self.regions = regions

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"ImagesWithRegions({len(self)} images)"

    @property
    def shape(self) -> tuple[int]:
        """``(n,)``: one axis, which is all that may be indexed."""
        return (len(self),)

    def __getitem__(self, key: Any) -> ImagesWithRegions:
        """Select images by int, slice, int array or bool array; always a container."""
        if isinstance(key, tuple):  # scikit-learn's way to index the first of several axes
            key = key[0]
        rows = np.atleast_1d(np.arange(len(self))[key])
        if isinstance(self.regions, np.ndarray):
            return ImagesWithRegions(self.images[rows], self.regions[rows])
        return ImagesWithRegions(self.images[rows], [self.regions[row] for row in rows])
