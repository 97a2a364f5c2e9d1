r"""SLIC superpixels, compiled.

Local k-means in color and position [1]_ with the distance
:math:`d^2 = \lVert\Delta_{Lab}\rVert^2 + (m / S)^2 \lVert\Delta_{xy}\rVert^2`, where ``m``
is the compactness and ``S`` the side of a grid cell.  A pixel chooses among the centers of
its own grid cell and the eight around it, so pixels are stored cell by cell and all nine
distances are computed in one pass.  The iterations look at a sample of the pixels of every
cell, the last assignment at all of them.  Nothing outlives a call: the labels of an image
depend on that image alone.

References
----------
.. [1] Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods",
   TPAMI 2012.
"""

from math import ceil, sqrt

import numpy as np

from p2pselect.regions._compiled import compiled, kernel_part
from p2pselect.regions._connectivity import connect

_SAMPLES = 64  # the iterations look at about this many pixels of a cell
_LANES = 8  # samples are padded to whole vectors


def slic(
    image: np.ndarray,
    n_segments: int = 100,
    compactness: float = 14.0,
    n_iter: int = 10,
    min_size_factor: float = 0.25,
) -> np.ndarray:
    """Superpixels of one uint8 image (h, w, c), as canonical labels (h, w), int32.

    One channel is gray, three are RGB (compared in CIELAB); of any other number the first three
    principal components are compared.  There will be between a few less than ``n_segments`` and
    1.5 times as many regions.  The parameters are those of
    :class:`~p2pselect.SuperpixelTransformer`.

    Examples
    --------
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
    features, colors = image_features(image, tops, lefts, height, width)
    labels = _cluster(features, tops, lefts, height, width, weight, n_iter)
    smallest = min_size(h, w, n_segments, min_size_factor)
    return connect(labels, colors, smallest, max_regions(n_segments))


def grid_shape(h: int, w: int, n_segments: int) -> tuple[int, int]:
    """Rows and columns of a grid of nearly square cells, as close to n_segments as possible."""
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
    """The smallest number of pixels that a region may have."""
    return max(1, int(factor * h * w / n_segments))


def max_regions(n_segments: int) -> int:
    """The largest number of regions that an image may have."""
    return ceil(1.5 * n_segments)


def _lab_tables() -> tuple[np.ndarray, np.ndarray]:
    """Lookup tables for the way from sRGB to CIELAB (D65).

    The first, (3, 256), holds for every channel and value its part of X, Y and Z relative
    to white, as three fields of one integer; the second holds the cube root of CIELAB.
    """
    srgb = np.arange(256) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [
            [0.412453, 0.357580, 0.180423],
            [0.212671, 0.715160, 0.072169],
            [0.019334, 0.119193, 0.950227],
        ]
    )
    to_xyz /= to_xyz.sum(axis=1, keepdims=True)
    # Fixed point with 20 bits a field: one addition per channel adds up X, Y and Z at once.
    parts = np.rint(to_xyz[:, :, None] * linear * 65536).astype(np.int64)
    t = np.arange(4097) / 4096
    root = np.where(t > (6 / 29) ** 3, np.cbrt(t), t * (29 / 6) ** 2 / 3 + 4 / 29)
    return parts[0] | parts[1] << 20 | parts[2] << 40, root.astype(np.float32)


_XYZ_PARTS, _ROOT = _lab_tables()


def image_features(
    image: np.ndarray, tops: np.ndarray, lefts: np.ndarray, height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """What SLIC compares: three color coordinates per pixel, in CIELAB where there are three.

    They come as float32 (3, n_cells * area), stored cell by cell with room for the largest cell
    in each, and as uint8 (h, w, 3), rounded, with 128 added to a and b.
    """
    if image.shape[2] == 3:
        return _lab(image, tops, lefts, height, width, _XYZ_PARTS, _ROOT)
    components = _principal_components(image)
    cells = np.zeros((3, len(tops) - 1, len(lefts) - 1, height, width), np.float32)
    for row, column in np.ndindex(cells.shape[1:3]):
        cell = components[tops[row] : tops[row + 1], lefts[column] : lefts[column + 1]]
        cells[:, row, column, : cell.shape[0], : cell.shape[1]] = cell.transpose(2, 0, 1)
    return cells.reshape(3, -1), np.clip(np.rint(components + 128), 0, 255).astype(np.uint8)


def _principal_components(image: np.ndarray) -> np.ndarray:
    """The first three components of the channels, (h, w, 3); white is 100 from black."""
    h, w, channels = image.shape
    # Integer sums, so that the components do not depend on the order of summation.
    flat = image.reshape(-1, channels).astype(np.int64)
    total = flat.sum(axis=0)
    covariance = len(flat) * (flat.T @ flat) - np.outer(total, total)
    axes = np.linalg.eigh(covariance.astype(float))[1][:, ::-1] * (100 / 255)
    centered = flat - total / len(flat)
    out = np.zeros((h * w, 3))
    # No matrix product, whose order of summation is not the same on every machine.
    for k in range(min(channels, 3)):
        for channel in range(channels):
            out[:, k] += centered[:, channel] * axes[channel, k]
    return out.reshape(h, w, 3)


@compiled
def _lab(
    image: np.ndarray,
    tops: np.ndarray,
    lefts: np.ndarray,
    height: int,
    width: int,
    parts: np.ndarray,
    root: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """CIELAB of an sRGB image, as :func:`image_features` returns it."""
    rows, columns = len(tops) - 1, len(lefts) - 1
    features = np.empty((3, rows * columns * height * width), np.float32)
    colors = np.empty((tops[-1], lefts[-1], 3), np.uint8)
    for cell in range(rows * columns):
        row, column = divmod(cell, columns)
        top, left = tops[row], lefts[column]
        for y in range(tops[row + 1] - top):
            start = (cell * height + y) * width
            stop, right = start + width, lefts[column + 1]
            source, rounded = image[top + y, left:right], colors[top + y, left:right]
            ls, as_ = features[0, start:stop], features[1, start:stop]
            bs = features[2, start:stop]
            for x in range(right - left):
                xyz = parts[0, source[x, 0]] + parts[1, source[x, 1]] + parts[2, source[x, 2]]
                fx = root[((xyz & 0xFFFFF) + 8) >> 4]
                fy = root[((xyz >> 20 & 0xFFFFF) + 8) >> 4]
                fz = root[((xyz >> 40) + 8) >> 4]
                lightness = np.float32(116) * fy - np.float32(16)
                a, b = np.float32(500) * (fx - fy), np.float32(200) * (fy - fz)
                ls[x], as_[x], bs[x] = lightness, a, b
                rounded[x, 0] = np.uint8(lightness + np.float32(0.5))
                rounded[x, 1] = np.uint8(a + np.float32(128.5))
                rounded[x, 2] = np.uint8(b + np.float32(128.5))
    return features, colors


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
    """Number of the nearest center of every pixel, int32 (h, w); ``weight`` is m / S.

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
    centers = np.zeros((n_cells, 5))
    n = 0
    for cell in range(n_cells):
        row, column = divmod(cell, columns)
        top, left = tops[row], lefts[column]
        start = n
        for y in range(tops[row + 1] - top):
            # Every row starts at another column, so that samples lie on diagonals and no column
            # is left out.
            for x in range(-y % stride, lefts[column + 1] - left, stride):
                samples[0, n], samples[1, n] = weight * x, weight * y
                for c in range(3):
                    samples[2 + c, n] = features[c, cell * area + y * width + x]
                for c in range(5):
                    centers[cell, c] += samples[c, n]
                n += 1
        spans[cell, 0], spans[cell, 1] = start, n
        for c in range(5):
            centers[cell, c] /= n - start
        corners[cell, 0] = weight * 0.5 * (left + lefts[column + 1] - 1) - centers[cell, 0]
        corners[cell, 1] = weight * 0.5 * (top + tops[row + 1] - 1) - centers[cell, 1]
        centers[cell, 0] += corners[cell, 0]
        centers[cell, 1] += corners[cell, 1]
        n += -n % _LANES  # so that the samples of the next cell begin a vector

    near = np.empty(9, np.int32)
    planes = np.empty((9, 6), np.float32)
    choice = np.empty(area + _LANES, np.int32)
    sums = np.empty((n_cells, 6))
    own = np.empty((9, 6))
    for _ in range(n_iter):
        sums[:] = 0
        for cell in range(n_cells):
            _find_planes(cell, tops, lefts, weight, centers, near, planes)
            start, stop = spans[cell, 0], spans[cell, 1]
            end = stop + (start - stop) % _LANES
            xs, ys, ls = samples[0, start:end], samples[1, start:end], samples[2, start:end]
            as_, bs = samples[3, start:end], samples[4, start:end]
            _choose(xs, ys, ls, as_, bs, planes, (0, 1, 2, 3, 4, 5, 6, 7, 8), choice)
            # Summed per neighbor first, so that corners are added once and not per sample.
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
                    # From the corner of this cell to the image's.
                    own[k, 0] += own[k, 5] * corners[cell, 0]
                    own[k, 1] += own[k, 5] * corners[cell, 1]
                    for c in range(6):
                        sums[near[k], c] += own[k, c]
        for cell in range(n_cells):
            if sums[cell, 5] > 0:  # a center that no pixel chose stays where it was
                for c in range(5):
                    centers[cell, c] = sums[cell, c] / sums[cell, 5]

    # The last assignment looks at every pixel.  All cells have the same layout, so x and y are
    # computed once.
    xs, ys = np.empty(area, np.float32), np.empty(area, np.float32)
    for i in range(area):
        xs[i], ys[i] = weight * (i % width), weight * (i // width)
    out = np.empty((tops[-1], lefts[-1]), np.int32)
    for cell in range(n_cells):
        _find_planes(cell, tops, lefts, weight, centers, near, planes)
        start, end = cell * area, cell * area + area
        ls, as_, bs = features[0, start:end], features[1, start:end], features[2, start:end]
        ids = (near[0], near[1], near[2], near[3], near[4], near[5], near[6], near[7], near[8])
        _choose(xs, ys, ls, as_, bs, planes, ids, choice)
        row, column = divmod(cell, columns)
        top, left, right = tops[row], lefts[column], lefts[column + 1]
        for line in range(tops[row + 1] - top):
            for i in range(right - left):
                out[top + line, left + i] = choice[line * width + i]
    return out


@kernel_part
def _find_planes(
    cell: int,
    tops: np.ndarray,
    lefts: np.ndarray,
    weight: float,
    centers: np.ndarray,
    near: np.ndarray,
    planes: np.ndarray,
) -> None:
    r"""Write the centers around a cell, and their squared distances as planes.

    The squared distance of pixel p to center c, less :math:`\lVert p \rVert^2` which all
    share, is linear in p: :math:`\lVert c \rVert^2 - 2 c \cdot p`.
    """
    rows, columns = len(tops) - 1, len(lefts) - 1
    row, column = divmod(cell, columns)
    for k in range(9):
        r, c = row + k // 3 - 1, column + k % 3 - 1
        near[k] = cell
        for i in range(5):
            planes[k, i] = 0
        planes[k, 5] = np.inf  # a neighbor outside the image is never chosen
        if 0 <= r < rows and 0 <= c < columns:
            near[k] = r * columns + c
            x = centers[near[k], 0] - weight * lefts[column]
            y = centers[near[k], 1] - weight * tops[row]
            norm = x * x + y * y
            planes[k, 0], planes[k, 1] = -2 * x, -2 * y
            for i in range(2, 5):
                norm += centers[near[k], i] * centers[near[k], i]
                planes[k, i] = -2 * centers[near[k], i]
            planes[k, 5] = norm


@kernel_part
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
        for k in range(9):  # unrolled by the compiler, and the loop around it vectorized
            d = planes[k, 0] * x + planes[k, 1] * y + planes[k, 2] * lightness
            d += planes[k, 3] * a + planes[k, 4] * b + planes[k, 5]
            if d < least:
                least, best = d, names[k]
        choice[i] = best
