"""Where the evidence for an answer may be, as people say it about some of the images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from p2pselect.images._geometry import ALLOWED, FORBIDDEN, NO_REGION, WANTED

_KINDS = len({FORBIDDEN, ALLOWED, WANTED})


@dataclass(frozen=True)
class EvidenceMaps:
    """Maps (k, h, w), uint8, of some of n images.

    ``places`` (n,) has the number of every image's map, and -1 for images without one.
    """

    places: np.ndarray
    maps: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """The images that have a map."""
        return np.flatnonzero(self.places >= 0)

    def part(self, rows: np.ndarray) -> EvidenceMaps:
        """Those of some images."""
        return EvidenceMaps(self.places[rows], self.maps)

    def batch(self, rows: np.ndarray) -> np.ndarray:
        """Maps (b, h, w); in an image without one, the evidence may be anywhere."""
        found = np.full((len(rows), *self.maps.shape[1:]), ALLOWED, np.uint8)
        places = self.places[rows]
        found[places >= 0] = self.maps[places[places >= 0]]
        return found


def joined(regions: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Label maps that say of every pixel which region it is in, and what is known about it.

    Whatever moves the regions of an image, from a flip to a function of the user, moves what is
    known about its pixels, too.
    """
    both = regions.astype(np.int32) * _KINDS + maps
    return np.where(regions == NO_REGION, NO_REGION, both).astype(np.int32)


def separated(both: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Label maps and maps of evidence, as they were before :func:`joined`."""
    maps = np.where(both == NO_REGION, ALLOWED, both % _KINDS).astype(np.uint8)
    # Rounded down, so that NO_REGION stays what it is.
    return both // _KINDS, maps
