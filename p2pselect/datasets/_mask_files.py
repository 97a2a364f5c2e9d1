"""The mask files of images, each read when it is asked for."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from p2pselect.datasets._mask_folder import check_upright, read_picture, same_aspect
from p2pselect.datasets._mask_pictures import find_objects, has_white
from p2pselect.exceptions import P2PSelectWarning
from p2pselect.images import ImageSequence
from p2pselect.images._geometry import Grid


class MaskFiles:
    """Reads the masks of images by number; what their values mean is decided for all together.

    ``files`` has a path for each of the images, or None for an image without an object.  With
    a ``grid``, masks go the way of their images to it.  What may have been meant differently is
    said once for each kind of remark.
    """

    def __init__(
        self, files: Sequence[str | None], images: ImageSequence, grid: Grid | None = None
    ):
        self.files = files
        self.images = images
        self.grid = grid
        self._said: set[str] = set()

    def __call__(self, number: int) -> np.ndarray:
        """Read a mask (h, w), bool."""
        file = self.files[number]
        (height, width) = self.images[[number]].sizes()[0].tolist()
        if file is None:
            return np.zeros((height, width) if self.grid is None else self.grid.size, bool)
        picture, own = read_picture(file)
        check_upright(own, (height, width), file)
        if self.grid is not None:
            picture.values = self.grid.place((height, width)).onto_grid(picture.values, 0)
        (mask,), remarks = find_objects([picture], [file], self._has_white)
        if not same_aspect(own, (height, width)):
            remarks.append(f"{file} does not have the aspect ratio of its image")
        for remark in remarks:
            kind = remark.removeprefix(file)
            if kind not in self._said:
                self._said.add(kind)
                warnings.warn(remark, P2PSelectWarning, stacklevel=2)
        return mask

    @cached_property
    def _has_white(self) -> bool:
        """Looks at masks until one has white, which in most sets is the first."""
        return any(has_white(read_picture(file)[0]) for file in self.files if file is not None)
