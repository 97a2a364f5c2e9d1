r"""SLIC superpixels, compiled.

Local k-means in colour and position [1]_ under
:math:`d^2 = \lVert\Delta_{Lab}\rVert^2 + (m / S)^2 \lVert\Delta_{xy}\rVert^2`, with ``m``
the compactness and ``S`` the side of a grid cell.  A pixel chooses among the centres of
its own grid cell and the eight around it, so pixels are stored cell by cell and all nine
distances are computed in one pass.  Every iteration looks at one third of the pixels (every
third diagonal, in turn); the last assignment looks at all.  Nothing outlives a call: the
labels of an image depend on that image alone.

References
----------
.. [1] Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods",
   TPAMI 2012.
"""

from math import ceil, sqrt

import numba
import numpy as np

from p2pselect.regions._compiled import compiled
from p2pselect.regions._connectivity import connect
from p2pselect.regions._features import image_features

_SAMPLES = 64  # about so many pixels of a cell are looked at by the iterations
_LANES = 8  # samples are padded to whole vectors


def slic(
    image: np.ndarray,
    n_segments: int = 100,
    compactness: float = 14.0,
    n_iter: int = 10,
    min_size_factor: float = 0.25,
) -> np.ndarray:
    """Superpixels of one image.

    Parameters
    ----------
    image : ndarray of shape (h, w, c), uint8
        One channel is grey, three are RGB (compared in CIELAB); with any other number the
        first three principal components are compared.
    n_segments : int, default=100
        Regions asked for; what comes is between a few less and ``1.5`` times as many.
    compactness : float, default=14.0
        Weight of position against colour, on the scale of Achanta et al. and scikit-image.
        fast-slic measures position in Manhattan distance: its 20, the setting of the P2P
        paper, gives the contour density of 14 here.
    n_iter : int, default=10
        Iterations of k-means.
    min_size_factor : float, default=0.25
        Smallest region as a fraction of the mean region ``h * w / n_segments``.

    Returns
    -------
    ndarray of shape (h, w), int32
        Labels ``0 .. d - 1`` in raster order of first appearance, each 4-connected.

    Examples
    --------
    >>> import numpy as np
    >>> slic(np.zeros((4, 6, 3), np.uint8), n_segments=6)
    array([[0, 0, 1, 1, 2, 2],
           [0, 0, 1, 1, 2, 2],
           [3, 3, 4, 4, 5, 5],
           [3, 3, 4, 4, 5, 5]], dtype=int32)
    """
    h, w = image.shape[:2]
    rows, columns = grid_shape(h, w, n_segments)
    tops, lefts = np.arange(rows + 1) * h // rows, np.arange(columns + 1) * w // columns
    height, width = -(-h // rows), -(-w // columns)
    weight = compactness / sqrt(h * w / (rows * columns))
    features, colours = image_features(image, tops, lefts, height, width)
    labels = _cluster(features, tops, lefts, height, width, weight, n_iter)
    smallest = min_size(h, w, n_segments, min_size_factor)
    return connect(labels, colours, smallest, max_regions(n_segments))


def grid_shape(h: int, w: int, n_segments: int) -> tuple[int, int]:
    """Rows and columns of nearly square cells that number as close to n_segments as can be."""
    ideal = sqrt(n_segments * h / w)
    shapes = set()
    for rows in (int(ideal), ceil(ideal)):
        rows = min(max(rows, 1), h)
        shapes.add((rows, min(max(round(n_segments / rows), 1), w)))
    for columns in (int(n_segments / ideal), ceil(n_segments / ideal)):
        columns = min(max(columns, 1), w)
        shapes.add((min(max(round(n_segments / columns), 1), h), columns))
    return min(shapes, key=lambda s: (abs(s[0] * s[1] - n_segments), abs(s[0] - ideal), s))


def min_size(h: int, w: int, n_segments: int, factor: float) -> int:
    """Fewest pixels of a region."""
    return max(1, int(factor * h * w / n_segments))


def max_regions(n_segments: int) -> int:
    """Most regions of an image, whatever it shows."""
    return ceil(1.5 * n_segments)


@compiled
def _cluster(
    features: np.ndarray,
    tops: np.ndarray,
    lefts: np.ndarray,
    height: int,
    width: int,
    weight: float,
    n_iter: int,
) -> np.ndarray:
    """Number of the nearest centre of every pixel, int32 (h, w); ``weight`` is m / S.

    ``tops`` and ``lefts`` are the first rows and columns of the cells, and the ends.
    """
    rows, columns = len(tops) - 1, len(lefts) - 1
    n_cells = rows * columns
    area = height * width
    stride = max(1, min((area + _SAMPLES // 2) // _SAMPLES, min(height, width) // 3))
    # A pixel is (x, y, L, a, b), with x and y from the corner of its cell, weighted.
    room = (area // stride + height + _LANES) * n_cells
    samples = np.zeros((5, room), np.float32)
    spans = np.empty((n_cells, 2), np.int32)
    corners = np.empty((n_cells, 2))  # moved by what the samples' centroid is off the cell's
    centres = np.zeros((n_cells, 5))
    n = 0
    for cell in range(n_cells):
        row, column = divmod(cell, columns)
        top, left = tops[row], lefts[column]
        start = n
        for y in range(tops[row + 1] - top):
            for x in range(-y % stride, lefts[column + 1] - left, stride):
                samples[0, n], samples[1, n] = weight * x, weight * y
                for c in range(3):
                    samples[2 + c, n] = features[c, cell * area + y * width + x]
                for c in range(5):
                    centres[cell, c] += samples[c, n]
                n += 1
        spans[cell, 0], spans[cell, 1] = start, n
        for c in range(5):
            centres[cell, c] /= n - start
        corners[cell, 0] = weight * 0.5 * (left + lefts[column + 1] - 1) - centres[cell, 0]
        corners[cell, 1] = weight * 0.5 * (top + tops[row + 1] - 1) - centres[cell, 1]
        centres[cell, 0] += corners[cell, 0]
        centres[cell, 1] += corners[cell, 1]
        n += -n % _LANES

    near = np.empty(9, np.int32)
    planes = np.empty((9, 6), np.float32)
    choice = np.empty(area + _LANES, np.int32)
    sums = np.empty((n_cells, 6))
    own = np.empty((9, 6))
    for _ in range(n_iter):
        for cell in range(n_cells):
            for c in range(6):
                sums[cell, c] = 0
        for cell in range(n_cells):
            _find_planes(cell, tops, lefts, weight, centres, near, planes)
            start, stop = spans[cell, 0], spans[cell, 1]
            end = stop + (start - stop) % _LANES
            xs, ys, ls = samples[0, start:end], samples[1, start:end], samples[2, start:end]
            as_, bs = samples[3, start:end], samples[4, start:end]
            _choose(xs, ys, ls, as_, bs, planes, (0, 1, 2, 3, 4, 5, 6, 7, 8), choice)
            for k in range(9):
                for c in range(6):
                    own[k, c] = 0
            for i in range(stop - start):
                k = choice[i]
                own[k, 0] += xs[i]
                own[k, 1] += ys[i]
                own[k, 2] += ls[i]
                own[k, 3] += as_[i]
                own[k, 4] += bs[i]
                own[k, 5] += 1
            for k in range(9):
                if own[k, 5] > 0:
                    own[k, 0] += own[k, 5] * corners[cell, 0]
                    own[k, 1] += own[k, 5] * corners[cell, 1]
                    for c in range(6):
                        sums[near[k], c] += own[k, c]
        for cell in range(n_cells):
            if sums[cell, 5] > 0:
                for c in range(5):
                    centres[cell, c] = sums[cell, c] / sums[cell, 5]

    xs, ys = np.empty(area, np.float32), np.empty(area, np.float32)
    for i in range(area):
        xs[i], ys[i] = weight * (i % width), weight * (i // width)
    out = np.empty((tops[-1], lefts[-1]), np.int32)
    for cell in range(n_cells):
        _find_planes(cell, tops, lefts, weight, centres, near, planes)
        start, end = cell * area, cell * area + area
        ls, as_, bs = features[0, start:end], features[1, start:end], features[2, start:end]
        names = (
            near[0],
            near[1],
            near[2],
            near[3],
            near[4],
            near[5],
            near[6],
            near[7],
            near[8],
        )
        _choose(xs, ys, ls, as_, bs, planes, names, choice)
        row, column = divmod(cell, columns)
        top, left, right = tops[row], lefts[column], lefts[column + 1]
        for line in range(tops[row + 1] - top):
            for i in range(right - left):
                out[top + line, left + i] = choice[line * width + i]
    return out


@numba.njit
def _find_planes(
    cell: int,
    tops: np.ndarray,
    lefts: np.ndarray,
    weight: float,
    centres: np.ndarray,
    near: np.ndarray,
    planes: np.ndarray,
) -> None:
    r"""Write the centres around a cell, and their squared distances as planes.

    The squared distance of pixel p to centre c, less :math:`\lVert p \rVert^2` which all
    share, is linear in p: :math:`\lVert c \rVert^2 - 2 c \cdot p`.
    """
    rows, columns = len(tops) - 1, len(lefts) - 1
    row, column = divmod(cell, columns)
    for k in range(9):
        r, c = row + k // 3 - 1, column + k % 3 - 1
        near[k] = cell
        for i in range(5):
            planes[k, i] = 0
        planes[k, 5] = np.inf
        if 0 <= r < rows and 0 <= c < columns:
            near[k] = r * columns + c
            x = centres[near[k], 0] - weight * lefts[column]
            y = centres[near[k], 1] - weight * tops[row]
            norm = x * x + y * y
            planes[k, 0], planes[k, 1] = -2 * x, -2 * y
            for i in range(2, 5):
                norm += centres[near[k], i] * centres[near[k], i]
                planes[k, i] = -2 * centres[near[k], i]
            planes[k, 5] = norm


@numba.njit
def _choose(
    xs: np.ndarray,
    ys: np.ndarray,
    ls: np.ndarray,
    as_: np.ndarray,
    bs: np.ndarray,
    planes: np.ndarray,
    names: tuple[int, ...],
    choice: np.ndarray,
) -> None:
    """Name of the plane that is lowest at every pixel."""
    for i in range(len(xs)):
        x, y, lightness, a, b = xs[i], ys[i], ls[i], as_[i], bs[i]
        least, best = np.float32(np.inf), names[0]
        for k in range(9):  # unrolled by the compiler, and the loop around it vectorised
            d = planes[k, 0] * x + planes[k, 1] * y + planes[k, 2] * lightness
            d += planes[k, 3] * a + planes[k, 4] * b + planes[k, 5]
            if d < least:
                least, best = d, names[k]
        choice[i] = best
